"""Placement: joints meet, feet stand, sizes fit, creatures face one way; and what a person changed comes after."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.collage.anatomy import Anatomy, measure_pack
from engine.collage.arrangement import Adjustment
from engine.collage.placement import PlacedPart, Placement, place
from engine.collage.transform import Transform
from engine.core.errors import UserError
from engine.core.recipe import Recipe
from engine.core.vocabulary import Choice
from engine.packs.pack import Pack
from tests.engine.collage.creatures import make_crabs

EYE, FEET, CLAW, SHELL, GROUND = range(5)


@pytest.fixture(scope="module")
def crabs(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """Crabs of four sizes; number 1 faces left."""
    return make_crabs(tmp_path_factory.mktemp("crabs"), mirrored=[1])


@pytest.fixture(scope="module")
def anatomy(crabs: Pack) -> Anatomy:
    return measure_pack(crabs)


def recipe_of(*choices: tuple[int, int]) -> Recipe:
    return Recipe("crabs", tuple(Choice(part, code, source=str(code)) for part, code in choices))


def part_of(placement: Placement, part: int, nth: int = 0) -> PlacedPart:
    return next(one for one in placement.parts if (one.part, one.nth) == (part, nth))


def test_one_creature_stays_as_it_is(crabs: Pack, anatomy: Anatomy) -> None:
    placement = place(recipe_of((SHELL, 2), (CLAW, 2), (EYE, 2), (FEET, 2)), crabs, anatomy)
    assert (placement.pose, placement.width, placement.height) == ("2", 160, 160)
    for one in placement.parts:
        assert (one.transform.scale, one.transform.turn, one.transform.mirror) == (1.0, 0.0, False)
        assert abs(one.transform.dx) < 4 and abs(one.transform.dy) < 4
    assert [one.part for one in placement.parts] == [part for part in anatomy.order if part != GROUND]


@pytest.mark.parametrize("source", [0, 1, 3])
def test_a_part_of_another_hangs_at_its_joint(crabs: Pack, anatomy: Anatomy, source: int) -> None:
    placement = place(recipe_of((SHELL, 2), (CLAW, source)), crabs, anatomy)
    claw = part_of(placement, CLAW)
    assert claw.transform.mirror == (source == 1), "a crab that faces left is mirrored"
    joint = anatomy.references[str(source)].joint(CLAW, SHELL)
    wanted = anatomy.references["2"].joint(CLAW, SHELL)
    assert joint is not None and wanted is not None
    assert claw.transform.apply(joint.point) == pytest.approx(wanted.point, abs=4)
    assert claw.joint == pytest.approx(claw.transform.apply(joint.point)) and part_of(placement, SHELL).joint is None
    ratio = (anatomy.references["2"].parts[CLAW].area / anatomy.references[str(source)].parts[CLAW].area) ** 0.5
    assert claw.transform.scale == pytest.approx(ratio, abs=0.1)


def test_it_stands_where_the_pose_stood(crabs: Pack, anatomy: Anatomy) -> None:
    placement = place(recipe_of((SHELL, 0), (FEET, 3)), crabs, anatomy)
    feet = part_of(placement, FEET)
    bottom = feet.transform.apply((0.0, anatomy.references["3"].parts[FEET].box[3]))[1]
    assert bottom == pytest.approx(anatomy.references["0"].parts[FEET].box[3], abs=0.5)


def test_what_would_stand_out_of_the_picture_is_made_smaller_as_a_whole(tmp_path: Path) -> None:
    pack = make_crabs(tmp_path, count=2)
    crabs = measure_pack(pack)
    near = crabs.references["0"]
    right = {
        part: replace(
            shape,
            box=(shape.box[0] + 25, *shape.box[1:2], shape.box[2] + 25, shape.box[3]),
            centre=(shape.centre[0] + 25, shape.centre[1]),
        )
        for part, shape in near.parts.items()
    }
    joints = tuple(replace(joint, point=(joint.point[0] + 25, joint.point[1])) for joint in near.joints)
    moved = replace(crabs, references={**crabs.references, "0": replace(near, parts=right, joints=joints)})
    placement = place(recipe_of((SHELL, 0), (CLAW, 1)), pack, moved)
    claw = part_of(placement, CLAW)
    tip = claw.transform.apply((moved.references["1"].parts[CLAW].box[2], 0.0))[0]
    assert tip == pytest.approx(160, abs=1) and part_of(placement, SHELL).transform.scale < 1


def test_the_pose_can_be_chosen(crabs: Pack, anatomy: Anatomy) -> None:
    placement = place(recipe_of((SHELL, 0), (CLAW, 0)), crabs, anatomy, pose="1")
    assert placement.pose == "1" and all(one.transform.mirror for one in placement.parts)
    gone = place(recipe_of((SHELL, 0)), crabs, anatomy, pose="gone")
    assert gone.pose == "0" and [one.part for one in gone.missing] == [None] and "pose" in gone.missing[0].message


def test_without_a_root_parts_stand_as_in_the_first_choice(crabs: Pack, anatomy: Anatomy) -> None:
    placement = place(recipe_of((CLAW, 3), (FEET, 0)), crabs, anatomy)
    assert placement.pose == "3" and [one.part for one in placement.parts] == [FEET, CLAW]


def test_two_choices_of_one_part_stand_side_by_side(crabs: Pack, anatomy: Anatomy) -> None:
    placement = place(recipe_of((SHELL, 2), (EYE, 0), (EYE, 2)), crabs, anatomy)
    first, second = part_of(placement, EYE, 0), part_of(placement, EYE, 1)
    left = first.transform.apply(anatomy.references["0"].parts[EYE].centre)[0]
    right = second.transform.apply(anatomy.references["2"].parts[EYE].centre)[0]
    box = anatomy.references["2"].parts[EYE].box
    assert right - left > 0.5 * (box[2] - box[0])


@pytest.mark.parametrize("sources", [(0, 3), (3, 0, 2), (1, 1)])
def test_two_that_lie_on_nothing_do_not_overlap(crabs: Pack, anatomy: Anatomy, sources: tuple[int, ...]) -> None:
    placement = place(recipe_of((SHELL, 2), *((CLAW, source) for source in sources)), crabs, anatomy)
    sides = []
    for nth in range(len(sources)):
        claw = part_of(placement, CLAW, nth)
        box = anatomy.references[claw.source].parts[CLAW].box
        sides.append(sorted(claw.transform.apply((box[side], box[1]))[0] for side in (0, 2)))
    for before, after in pairwise(sides):
        assert after[0] == pytest.approx(before[1])


def test_a_part_that_its_picture_cut_off_reaches_the_edge(tmp_path: Path) -> None:
    """The claw of crab 1 ends at the right edge of its own picture and would end short of the collage's."""
    pack = make_crabs(tmp_path, count=2)
    whole = measure_pack(pack)
    near = whole.references["1"]
    shape = near.parts[CLAW]
    cut = replace(shape, box=(*shape.box[:2], 160.0, shape.box[3]))
    anatomy = replace(whole, references={**whole.references, "1": replace(near, parts={**near.parts, CLAW: cut})})
    claw = part_of(place(recipe_of((SHELL, 0), (CLAW, 1)), pack, anatomy), CLAW)
    joint = near.joint(CLAW, SHELL)
    assert joint is not None and claw.transform.apply((160.0, 0.0))[0] == pytest.approx(160, abs=0.5)
    assert claw.joint == pytest.approx(claw.transform.apply(joint.point))
    before = part_of(place(recipe_of((SHELL, 0), (CLAW, 1)), pack, whole), CLAW)
    assert before.joint == pytest.approx(claw.joint, abs=1) and before.transform.scale < claw.transform.scale


def test_a_code_without_a_source_is_taken_from_where_it_is_largest(crabs: Pack, anatomy: Anatomy) -> None:
    alike = replace(crabs, references=tuple(replace(one, codes=(0, 0, 0, 0, -1)) for one in crabs.references))
    placement = place(Recipe("crabs", (Choice(CLAW, 0), Choice(SHELL, 0, source="gone"))), alike, anatomy)
    assert {one.source for one in placement.parts} == {"3"}


def test_what_cannot_be_placed_is_said(crabs: Pack, anatomy: Anatomy) -> None:
    for bad, sentence in (
        (Recipe("crabs", ("a photo of a crab",)), "No part has been chosen"),
        (Recipe("crabs", (Choice(GROUND, 0),)), "no part number 4"),
        (Recipe("crabs", (Choice(77, 0),)), "no part number 77"),
        (Recipe("crabs", (Choice(CLAW, 99),)), "no code number 99"),
    ):
        with pytest.raises(UserError, match=sentence):
            place(bad, crabs, anatomy)
    placement = place(recipe_of((CLAW, 1), (CLAW, 99), (EYE, 99), (CLAW, 2)), crabs, anatomy)
    assert {(one.part, one.nth) for one in placement.parts} == {(CLAW, 0), (CLAW, 2)}, "numbers stay as chosen"
    assert [(one.part, one.nth) for one in placement.missing] == [(CLAW, 1), (EYE, 0)]
    blind = replace(anatomy, references={})
    with pytest.raises(UserError, match="label map of Crab 0"):
        place(recipe_of((CLAW, 0)), crabs, blind)
    nowhere = replace(crabs, references=crabs.references[1:])
    with pytest.raises(UserError, match="No reference of Crabs shows claw 0"):
        place(recipe_of((CLAW, 0)), nowhere, anatomy)


def test_scales_stay_within_limits(tmp_path: Path) -> None:
    pack = make_crabs(tmp_path, count=9)
    crabs = measure_pack(pack)
    placement = place(recipe_of((SHELL, 8), (CLAW, 0)), pack, crabs)
    ratio = part_of(placement, CLAW).transform.scale / part_of(placement, SHELL).transform.scale
    assert ratio == pytest.approx(1.4), "whatever all were made smaller by"


def test_a_persons_changes_come_after(crabs: Pack, anatomy: Anatomy) -> None:
    recipe = recipe_of((SHELL, 2), (CLAW, 2), (FEET, 2))
    plain = place(recipe, crabs, anatomy)
    change = Adjustment(CLAW, (0.1, -0.05), 1.5, 30.0, True, True)
    changed = place(recipe, crabs, anatomy, adjustments=[change, Adjustment(EYE, (0.5, 0.5)), Adjustment(CLAW, nth=3)])
    claw, before = part_of(changed, CLAW), part_of(plain, CLAW)
    left, top, right, bottom = anatomy.references["2"].parts[CLAW].box
    middle = (left + right) / 2, (top + bottom) / 2
    x, y = before.transform.apply(middle)
    assert claw.transform.apply(middle) == pytest.approx((x + 16, y - 8))
    assert (claw.transform.scale, claw.transform.turn, claw.transform.mirror) == (1.5, 30.0, True)
    assert not claw.visible and claw.joint == before.joint
    assert claw.middle == pytest.approx((x + 16, y - 8))
    others = [one for one in plain.parts if one.part != CLAW]
    assert [one for one in changed.parts if one.part != CLAW] == others, "parts that are gone change nothing"
    assert Adjustment.from_document(change.to_document()) == change


def test_parts_lie_as_a_person_laid_them(crabs: Pack, anatomy: Anatomy) -> None:
    recipe = recipe_of((SHELL, 2), (CLAW, 2), (FEET, 2), (EYE, 2))
    by_nature = [(one.part, one.nth) for one in place(recipe, crabs, anatomy).parts]
    laid = [by_nature[2], by_nature[0], by_nature[3], by_nature[1]]
    placement = place(recipe, crabs, anatomy, order=[(77, 0), *laid])
    assert [(one.part, one.nth) for one in placement.parts] == laid
    some = place(recipe, crabs, anatomy, order=[by_nature[2], by_nature[0]])
    assert [(one.part, one.nth) for one in some.parts] == [by_nature[2], by_nature[1], by_nature[0], by_nature[3]]


def test_what_is_too_much_has_its_limit() -> None:
    read = Adjustment.from_document({"part": 1, "move": [1e9, -1e9], "scale": 1e9, "turn": 1e9})
    assert read == Adjustment(1, (10.0, -10.0), 10.0, 360.0)
    assert Adjustment.from_document({"part": 1, "scale": -3}).scale == 0.1


@pytest.mark.parametrize(
    "damaged",
    [
        {},
        {"part": "x"},
        {"part": 1, "move": 3},
        {"part": 1, "scale": None},
        [],
        {"part": 1, "turn": float("nan")},
        {"part": 1, "move": [float("inf"), 0]},
    ],
)
def test_a_damaged_adjustment_is_a_value_error(damaged: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Adjustment.from_document(damaged)


@given(st.floats(0.1, 3), st.floats(-180, 180), st.booleans(), st.floats(-99, 99), st.floats(-99, 99))
def test_a_transform_carries_a_point_where_it_says(scale: float, turn: float, mirror: bool, x: float, y: float) -> None:
    moved = Transform(scale, turn, mirror).carrying((x, y), (3.0, -4.0))
    assert moved.apply((x, y)) == pytest.approx((3.0, -4.0), abs=1e-6)
    one, other = moved.apply((x + 1, y)), moved.apply((x, y + 1))
    across, down = (one[0] - 3, one[1] + 4), (other[0] - 3, other[1] + 4)
    assert across[0] * down[1] - across[1] * down[0] == pytest.approx((-1 if mirror else 1) * scale**2)
