"""Names of files that tell the parts, and that every file system takes."""

from __future__ import annotations

import pytest

from engine.collage.creature_name import creature_name
from engine.core.vocabulary import Choice, Part, Vocabulary

PARTS = ("head", "wing", "aux", "頭")
CODES = ("Dove", "Ёжик / Hedgehog", "", "x" * 90)


def name_of(*pairs: tuple[int, int], noun: str = "bird") -> str:
    vocabulary = Vocabulary(
        noun, tuple(Part(index, part, "#000000") for index, part in enumerate(PARTS)), len(CODES), (CODES,) * len(PARTS)
    )
    return creature_name([Choice(part, code) for part, code in pairs], vocabulary)


@pytest.mark.parametrize(
    ("pairs", "name"),
    [
        ([(0, 0), (1, 0)], "dove-head-dove-wing"),
        ([(1, 1), (3, 0)], "ёжик-hedgehog-wing-dove-頭"),
        ([(0, 2)], "2-head"),
        ([(0, 0), (0, 3), (1, 0)], "dove-head"),  # what does not fit is left out whole
        ([(0, 3)], "x" * 64),
        ([], "bird"),
        ([(99, 0), (-1, 0), (0, 99), (0, -1), (0, 0)], "dove-head"),  # a recipe for a pack that had more
    ],
)
def test_a_name_tells_the_parts(pairs: list[tuple[int, int]], name: str) -> None:
    assert name_of(*pairs) == name


def test_sixteen_parts_are_as_many_as_fit() -> None:
    name = name_of(*[(0, 0)] * 16)
    assert name == "-".join(["dove-head"] * 6) and len(name) <= 64


@pytest.mark.parametrize("noun", ["", "///", "CON"])
def test_a_noun_that_is_no_name(noun: str) -> None:
    assert name_of(noun=noun) in ("creature", "con-1")
