"""The order and the symbols of parts: the same for the same names in every pack."""

from __future__ import annotations

import itertools

from engine.core.palette import PALETTE
from engine.core.part_looks import part_sign, part_signs, shown_parts
from engine.core.vocabulary import Part, Vocabulary
from engine.segmentation.part_names import make_parts

BIRD = ("head", "body", "wing", "tail", "legs")


def vocabulary(*names: str) -> Vocabulary:
    return Vocabulary("bird", tuple(Part(at, name, "#e69f00", name == "ground") for at, name in enumerate(names)), 2)


def shown(*names: str) -> list[str]:
    return [part.name for part in shown_parts(vocabulary(*names))]


def test_the_starter_looks_as_it_is_stored() -> None:
    assert shown(*BIRD) == list(BIRD) and part_signs(BIRD) == (0, 1, 2, 3, 4)


def test_parts_of_one_name_have_one_place_and_one_symbol_whatever_their_index() -> None:
    for names in itertools.permutations(BIRD):
        assert shown(*names) == list(BIRD)
        assert [part_signs(names)[names.index(name)] for name in BIRD] == [0, 1, 2, 3, 4]
        assert [part.index for part in shown_parts(vocabulary(*names))] == [names.index(name) for name in BIRD]


def test_parts_without_a_name_come_last_in_their_own_order() -> None:
    names = ("part 1", "tail", "part 10", "Rumpf", "part 2", "Head", "ground", "antler")
    assert shown(*names) == ["Head", "tail", "antler", "Rumpf", "part 1", "part 10", "part 2"]
    signs = part_signs(names)
    assert signs[5] == 0 and signs[1] == 3 and len(set(signs)) == len(names)


def test_two_names_for_one_thing_still_have_two_symbols() -> None:
    assert shown("face", "head") == ["head", "face"]
    assert part_signs(("face", "head"))[1] == 0 and part_signs(("face", "head"))[0] != 0
    assert part_sign(vocabulary("face"), 0) == 0


def test_sixteen_parts_have_sixteen_symbols_and_more_begin_anew() -> None:
    names = tuple(f"part {number}" for number in range(1, 41))
    assert sorted(part_signs(names[:16])) == list(range(16))
    assert set(part_signs(names)) == set(range(16))


def test_a_part_of_a_pack_that_is_not_here_has_the_symbol_of_its_index() -> None:
    assert part_sign(None, 6) == 6 and part_sign(vocabulary("head"), 3) == 3


def test_a_new_pack_gives_a_head_the_colour_of_a_head() -> None:
    made = make_parts(["part 1", "tail", "head"], [False] * 3)
    assert [part.colour for part in made[1:]] == [PALETTE[3], PALETTE[0]]
    assert len({part.colour for part in made}) == 3
    assert make_parts(["tail", "head"], [False] * 2, ["#123456"])[0].colour == "#123456"
