"""Anatomy: learned from label maps alone, kept with the pack, made again when it cannot be trusted."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.collage.anatomy import ANATOMY, Anatomy, conclude, measure_pack, open_anatomy
from engine.collage.label_measures import measure_labels
from engine.collage.placement import place
from engine.core.paths import starter_pack
from engine.core.recipe import Recipe
from engine.core.segmentation import NO_PART
from engine.core.vocabulary import Choice
from engine.packs.pack import Pack
from tests.engine.collage.creatures import make_crabs
from tests.fakes import make_pack

EYE, FEET, CLAW, SHELL = range(4)


def named(pack: Pack, parts: tuple[int | None, ...]) -> list[str | None]:
    return [None if part is None else pack.vocabulary.parts[part].name for part in parts]


def test_of_crabs(tmp_path: Path) -> None:
    anatomy = measure_pack(make_crabs(tmp_path))
    assert anatomy.root == SHELL
    assert anatomy.parents == (SHELL, SHELL, SHELL, None, None)
    assert anatomy.lies_on[EYE] == SHELL and anatomy.lies_on[CLAW] is None
    assert set(anatomy.covers(SHELL)) == {EYE, CLAW} and anatomy.covers(FEET) == (SHELL,) and not anatomy.covers(EYE)
    order = [part for part in anatomy.order if part < 4]
    assert order.index(FEET) < order.index(SHELL) < order.index(CLAW) and order.index(SHELL) < order.index(EYE)
    assert sorted(anatomy.order) == list(range(5)) and anatomy.feet == (FEET,)


def test_of_the_starter_it_is_what_its_drawings_are() -> None:
    pack = Pack.open(starter_pack())
    anatomy = measure_pack(pack)
    assert named(pack, (anatomy.root,)) == ["body"] and named(pack, anatomy.feet) == ["legs"]
    assert named(pack, anatomy.order) == ["tail", "legs", "body", "wing", "head"]
    assert {one for one in named(pack, anatomy.parents) if one} == {"body"}
    assert min(anatomy.facings.values()) > 0, "all face right"
    assert open_anatomy(pack).to_json() == anatomy.to_json(), "what is kept with the starter is of these label maps"


def test_a_joint_is_where_parts_touch() -> None:
    labels = np.full((200, 200), NO_PART, np.uint8)
    labels[80:120, 40:100], labels[95:105, 100:160] = 0, 1
    measures = measure_labels(labels)
    joint = measures.joint(1, 0)
    assert (
        joint is not None
        and joint.point == pytest.approx((100, 100), abs=2)
        and joint.length == pytest.approx(10, abs=1)
    )
    shape = measures.parts[1]
    assert (shape.area, shape.centre, shape.box) == (600, (130, 100), (100, 95, 160, 105))


def test_a_large_label_map_gives_what_a_small_one_gives() -> None:
    labels = np.full((256, 256), NO_PART, np.uint8)
    labels[80:120, 40:100], labels[95:105, 100:160] = 0, 1
    small, large = measure_labels(labels), measure_labels(labels.repeat(8, 0).repeat(8, 1))
    one, other = small.joint(0, 1), large.joint(0, 1)
    assert one is not None and other is not None
    assert np.array(other.point) / 8 == pytest.approx(np.array(one.point), abs=1)
    assert large.parts[0].area == 64 * small.parts[0].area


def test_it_tells_who_faces_away(tmp_path: Path) -> None:
    anatomy = measure_pack(make_crabs(tmp_path, mirrored=[1]))
    assert anatomy.faces_away("0", "1") and not anatomy.faces_away("0", "2")


@pytest.mark.parametrize("parts", [0, 1, 16])
def test_any_number_of_parts(parts: int) -> None:
    labels = np.full((64, 64), NO_PART, np.uint8)
    for part in range(parts):
        labels[10:30, part * 4 : part * 4 + 4] = part
    anatomy = conclude(parts, {"only": measure_labels(labels)})
    assert (anatomy.root is None) == (parts == 0)
    assert sorted(anatomy.order) == list(range(parts))
    assert sum(parent is None for parent in anatomy.parents) == min(parts, 1), "all but the root hang on another"
    assert Anatomy.from_json(anatomy.to_json()) == anatomy


def test_a_chain_hangs_together(tmp_path: Path) -> None:
    """Hand on arm on trunk: the hand's joint is with the arm, although the trunk is the root."""
    labels = np.full((100, 200), NO_PART, np.uint8)
    labels[20:80, 20:80], labels[40:50, 80:120], labels[38:52, 120:135], labels[80:90, 40:60] = 0, 1, 2, 3
    anatomy = conclude(4, {"only": measure_labels(labels)})
    assert anatomy.root in (0, 1) and anatomy.parents[2] == 1


def test_it_is_kept_with_the_pack_and_made_again_when_it_is_not_right(tmp_path: Path) -> None:
    pack = make_crabs(tmp_path)
    made, file = open_anatomy(pack), tmp_path / ANATOMY
    text = file.read_text("utf-8")
    assert open_anatomy(pack).to_json() == made.to_json() == text
    older = {**json.loads(text), "version": 0}
    strange = json.loads(text)
    strange["references"]["0"]["parts"]["99"] = strange["references"]["0"]["parts"]["0"]
    for damaged in ("", "{", "[]", "null", text[: len(text) // 2], json.dumps(older), json.dumps(strange)):
        file.write_text(damaged, "utf-8")
        assert open_anatomy(pack).to_json() == text
        assert file.read_text("utf-8") == text
    (tmp_path / "0-labels.png").write_bytes((tmp_path / "1-labels.png").read_bytes() + b"\0")
    assert open_anatomy(pack).references["0"].parts == made.references["1"].parts, "a label map that has changed"


QUICK = (float("nan"), 10**400)
OTHERS = (float("inf"), 1e308, -1e308, -1, 0, True, "1", None, [])


@pytest.mark.parametrize(
    "number", [*QUICK, *(pytest.param(other, marks=pytest.mark.slow) for other in OTHERS)], ids=str
)
def test_no_number_of_a_damaged_one_is_believed(tmp_path: Path, number: object) -> None:
    """Whichever number of the file is absurd, either it is measured again, or a creature still stands as it did."""
    pack = make_crabs(tmp_path, count=2)
    made, file = open_anatomy(pack), tmp_path / ANATOMY
    text = file.read_text("utf-8")
    recipe = Recipe("crabs", tuple(Choice(part, 1) for part in range(4)))

    def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        if isinstance(value, dict | list):
            keys = value if isinstance(value, dict) else range(min(len(value), 2))
            for key in keys:
                yield from places(value[key], (*at, key))
        elif not isinstance(value, str):
            yield at

    for *way, last in places(json.loads(text)):
        document = json.loads(text)
        there = document
        for key in way:
            there = there[key]
        there[last] = number
        file.write_text(json.dumps(document), "utf-8")
        anatomy = open_anatomy(pack)
        assert anatomy.parts == made.parts
        place(recipe, pack, anatomy)
        assert Anatomy.from_json(anatomy.to_json()) == anatomy


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
def test_what_is_no_plain_file_is_measured_again(tmp_path: Path) -> None:
    pack = make_crabs(tmp_path)
    text = open_anatomy(pack).to_json()
    (tmp_path / "huge").touch()
    os.truncate(tmp_path / "huge", 1 << 40)  # takes no room: it is all hole
    for other in (Path("/dev/zero"), tmp_path / "huge"):
        (tmp_path / ANATOMY).unlink()
        (tmp_path / ANATOMY).symlink_to(other)
        assert open_anatomy(pack).to_json() == text
        assert not (tmp_path / ANATOMY).is_symlink() and (tmp_path / ANATOMY).read_text("utf-8") == text
    (tmp_path / ANATOMY).unlink()
    os.mkfifo(tmp_path / ANATOMY)
    assert open_anatomy(pack).to_json() == text


def test_a_pack_that_cannot_be_written_to_still_has_one(tmp_path: Path) -> None:
    pack = make_crabs(tmp_path)
    (tmp_path / ANATOMY).mkdir()
    assert open_anatomy(pack).root == SHELL


def test_references_without_label_maps_are_left_out(tmp_path: Path) -> None:
    pack = make_pack(tmp_path)
    Path(pack.references[0].labels).unlink()
    Path(pack.references[1].labels).write_bytes(b"not a picture")
    anatomy = measure_pack(pack)
    assert set(anatomy.references) == {reference.id for reference in pack.references[2:]}
    assert named(pack, (anatomy.root,)) == ["body"]
