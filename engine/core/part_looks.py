"""In which order parts are shown, with which symbols and colours: the same for parts of the same name in every pack.

Only what is shown: a part's index in recipes, tokens and files stays what it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from engine.core.palette import PALETTE
from engine.core.vocabulary import Part, Vocabulary

SIGNS: Final = 16
"""So many symbols differ, and so many colours."""

_ORDER: Final = (
    ("head", "face"), ("body", "torso", "trunk"), ("wing", "wings", "back"), ("tail", "tail end"),
    ("legs", "leg", "feet"), ("ears", "ear"), ("beak", "snout", "muzzle", "nose", "mouth"), ("neck",),
    ("arms", "arm"), ("hair", "crest"), ("eyes", "eye"), ("fin", "fins"),
)  # fmt: skip
"""The names of parts that are known, from the most telling on; names of one entry share a rank and a symbol. The first
five stand as they do in the starter."""
_RANKS: Final = {name: (rank, place) for rank, names in enumerate(_ORDER) for place, name in enumerate(names)}
_UNNAMED: Final = re.compile(r"(part )?\d+")


USUAL_COLOURS: Final = {name: PALETTE[rank] for name, (rank, _) in _RANKS.items()}
"""The colour of a part of each known name (lower case) in a new pack; who makes the pack may choose another."""


def shown_parts(vocabulary: Vocabulary | None) -> tuple[Part, ...]:
    """The parts a person can pick, in the order they are shown in: the known names, then other names by the alphabet,
    then those without a name ("part 3") in their own order. Empty without a vocabulary."""
    parts = vocabulary.visible_parts if vocabulary else ()
    return tuple(parts[at] for at in _order([part.name for part in parts]))


def part_sign(vocabulary: Vocabulary | None, part: int) -> int:
    """The number of a part's symbol; that of its index where its pack is not here."""
    if vocabulary is None or not 0 <= part < len(vocabulary.parts):
        return part
    return part_signs(tuple(one.name for one in vocabulary.parts))[part]


@lru_cache(64)
def part_signs(names: tuple[str, ...]) -> tuple[int, ...]:
    """The number of a symbol, 0 to 15, for each part of these names. A known name has its own; the others take those
    that are free, in the order they are shown in, and begin anew where there are no more than parts."""
    signs: dict[int, int] = {}
    order = _order(names)
    for at in order:
        known = _RANKS.get(_folded(names[at]))
        if known is not None and known[0] not in signs.values():
            signs[at] = known[0]
    free = [sign for sign in range(SIGNS) if sign not in signs.values()]
    others = [at for at in order if at not in signs]
    for number, at in enumerate(others):
        signs[at] = free[number % len(free)]
    return tuple(signs[at] for at in range(len(names)))


def _order(names: Sequence[str]) -> list[int]:
    """Where the parts of these names are, in the order they are shown in."""

    def key(at: int) -> tuple[int, tuple[int, int], str, int]:
        name = _folded(names[at])
        if _UNNAMED.fullmatch(name):
            return 2, (0, 0), "", at
        known = _RANKS.get(name)
        return (1, (0, 0), name, at) if known is None else (0, known, name, at)

    return sorted(range(len(names)), key=key)


def _folded(name: str) -> str:
    return name.casefold().strip()
