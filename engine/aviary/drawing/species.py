"""The species of the aviary: thirty well-chosen points in the space of parts, and mixtures of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.aviary.drawing.attributes import PARTS, Bird, Body, Head, Legs, Tail, Wing


def _species(name: str, head: Head, body: Body, wing: Wing, tail: Tail, legs: Legs) -> Bird:
    return Bird(head, body, wing, tail, legs, (name, name, name, name, name))


_INK = "#22222c"

_TABLE: tuple[Bird, ...] = (
    _species(
        "Cardinal",
        Head("point", "cone", "dot", "mask", "#d92b3a", "#2b1f2b", "#f5a04c", "#d92b3a"),
        Body("plump", "plain", "#d92b3a", "#b01f33"),
        Wing("leaf", "edge", "#b3202f", "#6e1526"),
        Tail("square", "plain", "#b3202f", "#7c1526"),
        Legs("thin", "#a8452e", "#7a2f22"),
    ),
    _species(
        "Jay",
        Head("spikes", "dagger", "dot", "collar", "#3f7fd6", "#f4f7ff", "#2f3b52", "#2756a8"),
        Body("breasted", "belly", "#3f7fd6", "#eef4ff"),
        Wing("leaf", "bars", "#2756a8", "#f4f7ff"),
        Tail("wedge", "tip", "#2f68c4", "#f4f7ff"),
        Legs("thin", "#27375c", "#1a2440"),
    ),
    _species(
        "Canary",
        Head("none", "tiny", "dot", "cheek", "#fbcf3b", "#f5803a", "#ee8b2d", "#fbcf3b"),
        Body("round", "belly", "#fbcf3b", "#fff0a6"),
        Wing("leaf", "plain", "#e8a91c", "#b97e0c"),
        Tail("stub", "plain", "#f2b92a", "#b97e0c"),
        Legs("stout", "#f0894a", "#c9622a"),
    ),
    _species(
        "Hummingbird",
        Head("none", "needle", "dot", "cap", "#2fa866", "#f4dd4a", "#30343c", "#f4dd4a"),
        Body("sleek", "bib", "#2fa866", "#b8ecc0"),
        Wing("pointed", "tip", "#14824f", "#f4dd4a"),
        Tail("fork", "plain", "#17955b", "#0c6b3e"),
        Legs("thin", "#5d7a35", "#40571f"),
    ),
    _species(
        "Flamingo",
        Head("none", "hook", "dot", "plain", "#f78fb0", "#f9b4c9", "#3b3340", "#f78fb0"),
        Body("necked", "plain", "#f78fb0", "#ffc4d6"),
        Wing("scalloped", "edge", "#f06a97", "#ffffff"),
        Tail("stub", "tip", "#f06a97", "#ffffff"),
        Legs("stilts", "#f2739b", "#c94a78"),
    ),
    _species(
        "Raven",
        Head("spikes", "heavy", "dot", "plain", "#353a55", "#4a5070", "#23263a", "#1d2033"),
        Body("plump", "scales", "#2c3049", "#5b6590"),
        Wing("fingered", "plain", "#232742", "#5b6590"),
        Tail("wedge", "plain", "#232742", "#4a5378"),
        Legs("stout", "#1f2130", "#3a3e55"),
    ),
    _species(
        "Robin",
        Head("none", "tiny", "dot", "disc", "#8a6648", "#f0772f", "#5a4632", "#8a6648"),
        Body("round", "bib", "#8a6648", "#f0772f"),
        Wing("drop", "plain", "#7a583c", "#4e3723"),
        Tail("square", "tip", "#7a583c", "#f0772f"),
        Legs("thin", "#8c5a3a", "#63402a"),
    ),
    _species(
        "Owl",
        Head("ears", "tiny", "wide", "disc", "#8b6a45", "#f3e3c0", "#e0922c", "#5f452a"),
        Body("upright", "speckles", "#ecd9b2", "#5f452a"),
        Wing("drop", "spots", "#7d5d3b", "#f3e3c0"),
        Tail("fan", "bars", "#a1794c", "#5f452a"),
        Legs("trousers", "#ecd9b2", "#e6a030"),
    ),
    _species(
        "Toucan",
        Head("none", "toucan", "ring", "bib", "#23262f", "#fff2c9", "#ff9d1f", "#23262f"),
        Body("upright", "plain", "#23262f", "#3d4250"),
        Wing("leaf", "plain", "#14161d", "#4c5264"),
        Tail("wedge", "tip", "#1c1e27", "#fff2c9"),
        Legs("stout", "#3c8be8", "#2260ad"),
    ),
    _species(
        "Parrot",
        Head("none", "hook", "ring", "disc", "#e23a36", "#fff6ee", "#37323a", "#e23a36"),
        Body("upright", "sunset", "#e8413a", "#7b3fa8"),
        Wing("fan", "layers", "#2aa84a", "#2f62d9"),
        Tail("streamers", "plain", "#2b6fe0", "#f7c52d"),
        Legs("stout", "#6f7480", "#4d515c"),
    ),
    _species(
        "Peacock",
        Head("antennae", "cone", "dot", "cheek", "#1f86b8", "#f8cf45", "#8795a8", "#f2b52e"),
        Body("necked", "scales", "#1f86b8", "#3bd0c0"),
        Wing("scalloped", "bars", "#0f6f9c", "#5fe0c4"),
        Tail("train", "eyes", "#119a8a", "#f2c53a"),
        Legs("stilts", "#9a8a6a", "#6e6148"),
    ),
    _species(
        "Minty",
        Head("curl", "tiny", "sleepy", "cheek", "#86dcc2", "#ff9a8f", "#f0897a", "#f0897a"),
        Body("round", "spots", "#86dcc2", "#ffffff"),
        Wing("leaf", "spots", "#45bfa0", "#ff9a8f"),
        Tail("curl", "plain", "#5fccae", "#2f9d80"),
        Legs("thin", "#ff8f84", "#d9645c"),
    ),
    _species(
        "Fairywren",
        Head("plume", "tiny", "sleepy", "plain", "#a78be6", "#cdb8ff", "#f3b23c", "#7a55c8"),
        Body("breasted", "belly", "#9d80e0", "#e6dbff"),
        Wing("fan", "tip", "#7450c4", "#f8c64a"),
        Tail("lyre", "plain", "#8a66d6", "#5f3fb0"),
        Legs("banded", "#7a55c8", "#f8c64a"),
    ),
    _species(
        "Puffin",
        Head("none", "triangle", "dot", "disc", "#2f3b55", "#ffffff", "#f47b2a", "#2f3b55"),
        Body("upright", "belly", "#2f3b55", "#ffffff"),
        Wing("pointed", "plain", "#3d4c6e", "#1d2538"),
        Tail("stub", "plain", "#2f3b55", "#1d2538"),
        Legs("webbed", "#f47b2a", "#c2540f"),
    ),
    _species(
        "Kingfisher",
        Head("spikes", "dagger", "dot", "bib", "#1c9fd8", "#ffffff", "#3a3f4a", "#0f6fb0"),
        Body("plump", "sunset", "#1c9fd8", "#f58a35"),
        Wing("pointed", "spots", "#0f78b8", "#f7a04e"),
        Tail("stub", "bars", "#1590cc", "#0a527f"),
        Legs("stout", "#ee5338", "#b83420"),
    ),
    _species(
        "Dove",
        Head("none", "tiny", "dot", "plain", "#d9d4ea", "#efeaf8", "#d97f9a", "#d9d4ea"),
        Body("breasted", "plain", "#d3cde6", "#f0ecfa"),
        Wing("scalloped", "bars", "#b9b1d6", "#ffffff"),
        Tail("fan", "plain", "#c5bee0", "#8f86b5"),
        Legs("thin", "#e0698e", "#b0476a"),
    ),
    _species(
        "Plumfinch",
        Head("crown", "cone", "dot", "brow", "#a33a72", "#f5b9cf", "#f0a9a0", "#7a2254"),
        Body("plump", "stripes", "#a33a72", "#f2a9c4"),
        Wing("leaf", "scales", "#7a2254", "#f2a9c4"),
        Tail("fork", "bars", "#a33a72", "#5d1740"),
        Legs("boots", "#f2a9c4", "#5d1740"),
    ),
    _species(
        "Rooster",
        Head("comb", "cone", "ring", "bib", "#f3e2b3", "#e23b2e", "#f2b134", "#e23b2e"),
        Body("breasted", "stripes", "#7c9a2e", "#f0e6a0"),
        Wing("fingered", "tip", "#6d8726", "#e8582f"),
        Tail("lyre", "tip", "#2f6b52", "#e8582f"),
        Legs("boots", "#f2c02e", "#c98a12"),
    ),
    _species(
        "Mallard",
        Head("none", "bill", "dot", "collar", "#158a6c", "#ffffff", "#f2c233", "#158a6c"),
        Body("sleek", "sunset", "#9c6b4a", "#d9cdbb"),
        Wing("drop", "layers", "#a99a86", "#2f6fd0"),
        Tail("upright", "tip", "#6e5a48", "#ffffff"),
        Legs("webbed", "#f2a21e", "#b87308"),
    ),
    _species(
        "Sunset",
        Head("plume", "hook", "sleepy", "mask", "#f4663f", "#5e2478", "#5e2478", "#f9b43a"),
        Body("plump", "stripes", "#f4713f", "#ffd05c"),
        Wing("fingered", "layers", "#7b2c8e", "#f9b43a"),
        Tail("streamers", "bars", "#f9a33a", "#7b2c8e"),
        Legs("banded", "#5e2478", "#f4663f"),
    ),
    _species(
        "Frostling",
        Head("antennae", "dagger", "wide", "cheek", "#a9dcf7", "#3f6fc4", "#3f5f9a", "#3f6fc4"),
        Body("upright", "spots", "#b5e2fa", "#3f7fd0"),
        Wing("fan", "edge", "#74bdec", "#ffffff"),
        Tail("curl", "bars", "#8fcdf2", "#3f6fc4"),
        Legs("trousers", "#8fcdf2", "#3f6fc4"),
    ),
    _species(
        "Wren",
        Head("none", "needle", "dot", "brow", "#a8713c", "#fbe6c0", "#6a4a2a", "#a8713c"),
        Body("round", "speckles", "#e2bb85", "#7a4a20"),
        Wing("drop", "scales", "#94602f", "#f2d6a6"),
        Tail("upright", "bars", "#94602f", "#4f3014"),
        Legs("thin", "#c08a4e", "#8c5f30"),
    ),
    _species(
        "Sunbird",
        Head("none", "sickle", "dot", "bib", "#d62f9c", "#57e0c0", "#2b2433", "#d62f9c"),
        Body("sleek", "scales", "#b02a94", "#f58ad0"),
        Wing("pointed", "layers", "#1fb79a", "#e83fa8"),
        Tail("fork", "tip", "#1fb79a", "#e83fa8"),
        Legs("stilts", "#4a2458", "#2f1538"),
    ),
    _species(
        "Hoopoe",
        Head("fan", "sickle", "dot", "plain", "#eba56a", "#f7cfa4", "#4a3f3a", "#e5843d"),
        Body("breasted", "sunset", "#eba56a", "#fbe3c6"),
        Wing("fan", "bars", "#2b2728", "#fff4e2"),
        Tail("square", "bars", "#2b2728", "#fff4e2"),
        Legs("stout", "#7d6450", "#54412f"),
    ),
    # -- the six species kept out of every training; they try the wizard ------------------
    _species(
        "Goldfinch",
        Head("none", "cone", "dot", "mask", "#f6e7c8", "#d8262c", "#e7c9a0", "#d8262c"),
        Body("round", "belly", "#c99a5c", "#fff5e0"),
        Wing("pointed", "layers", "#26242a", "#f7cf2e"),
        Tail("fork", "tip", "#26242a", "#ffffff"),
        Legs("thin", "#d98a78", "#a85f50"),
    ),
    _species(
        "Cockatoo",
        Head("fan", "hook", "ring", "cheek", "#f7f0e2", "#ffb07a", "#4a4650", "#ffd23a"),
        Body("upright", "scales", "#efe5d2", "#d2bf9c"),
        Wing("scalloped", "edge", "#e8dcc4", "#ffd23a"),
        Tail("fan", "tip", "#e8dcc4", "#ffd23a"),
        Legs("stout", "#5a5660", "#3a3740"),
    ),
    _species(
        "Swallow",
        Head("none", "tiny", "dot", "bib", "#27408f", "#c9502f", "#22263a", "#27408f"),
        Body("sleek", "belly", "#27408f", "#fbeadb"),
        Wing("pointed", "plain", "#1b2f70", "#4a66c0"),
        Tail("streamers", "plain", "#1b2f70", "#27408f"),
        Legs("thin", "#3a3550", "#25213a"),
    ),
    _species(
        "Lapwing",
        Head("plume", "tiny", "dot", "disc", "#1f5c4a", "#f4f4ea", "#26302c", "#1f3d34"),
        Body("plump", "bib", "#fbfbf2", "#1f3d34"),
        Wing("drop", "edge", "#2b7a5f", "#9a5fc0"),
        Tail("square", "tip", "#f4f0e2", "#1f3d34"),
        Legs("stilts", "#c4524a", "#8f332d"),
    ),
    _species(
        "Woodpecker",
        Head("mop", "dagger", "ring", "streak", "#f5efe2", "#23232b", "#4a4a55", "#e0302a"),
        Body("upright", "stripes", "#f0e8d8", "#2a2a33"),
        Wing("leaf", "bars", "#23232b", "#ffffff"),
        Tail("wedge", "bars", "#2a2a33", "#f0e8d8"),
        Legs("boots", "#8a8f9c", "#4d525e"),
    ),
    _species(
        "Lorikeet",
        Head("mop", "hook", "dot", "collar", "#3458d8", "#b8e03a", "#ee4a2c", "#2a3fa8"),
        Body("breasted", "sunset", "#f2552e", "#f7c22e"),
        Wing("leaf", "tip", "#35b04a", "#f7c22e"),
        Tail("wedge", "bars", "#35b04a", "#e8d83a"),
        Legs("trousers", "#35a04a", "#5a6a60"),
    ),
)

SPECIES: dict[str, Bird] = {bird.sources[0]: bird for bird in _TABLE}
HELD_OUT: tuple[str, ...] = (
    "Goldfinch",
    "Cockatoo",
    "Swallow",
    "Lapwing",
    "Woodpecker",
    "Lorikeet",
)
#: The pack's species, in alphabetical order: the order of the pack's codes.
PACK_SPECIES: tuple[str, ...] = tuple(sorted(set(SPECIES) - set(HELD_OUT)))


def species(name: str) -> Bird:
    """The bird of that name; KeyError names the known ones."""
    if name not in SPECIES:
        raise KeyError(f"no species {name!r}; known: {', '.join(SPECIES)}")
    return SPECIES[name]


def mixed_bird(rng: np.random.Generator, names: Sequence[str], different: int = 0) -> Bird:
    """Five parts from the named species.

    different: how many distinct species must take part (0 = each part drawn independently).
    """
    if different:
        chosen = [names[i] for i in rng.permutation(len(names))[:different].tolist()]
        extra = [chosen[int(rng.integers(different))] for _ in range(len(PARTS) - different)]
        donors = [(chosen + extra)[i] for i in rng.permutation(len(PARTS)).tolist()]
    else:
        donors = [names[int(rng.integers(len(names)))] for _ in PARTS]
    return compose(donors)


def compose(donors: Sequence[str]) -> Bird:
    """The bird whose parts, in PARTS order, come from the species named."""
    parts = {name: SPECIES[donor].part(name) for name, donor in zip(PARTS, donors, strict=True)}
    return Bird(**parts, sources=tuple(donors))  # pyright: ignore[reportArgumentType]
