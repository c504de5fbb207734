"""Starts in recipes: kept, read leniently, and carried unharmed by versions that do not know them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.core.parameters_line import parameters_line
from engine.core.png_metadata import CHUNK, PARAMETERS, read_creation, save_creation
from engine.core.recipe import Arrival, Recipe
from engine.core.start import Start, default_freedom, schedule_of, steps_taken

START = Start(0.4, "bird.png", keep=(1, 3), only=(0,))


@pytest.mark.parametrize("start", [None, Start(), START])
def test_a_start_reads_back(start: Start | None) -> None:
    recipe = Recipe("p", ("a bird",), start=start)
    assert Recipe.from_json(recipe.to_json()) == recipe


def test_a_recipe_without_start_is_written_as_ever() -> None:
    assert "start" not in json.loads(Recipe("p").to_json())


@pytest.mark.parametrize(
    ("changes", "read"),
    [({"freedom": 7}, Start(1.0)), ({"freedom": -1}, Start(0.0)), ({"freedom": "much"}, Start()),
     ({"freedom": 10**400}, Start()), ({"freedom": float("nan")}, Start()),
     ({"freedom": True}, Start()), ({"creation": 3}, Start()), ({"creation": "a\0b"}, Start()),
     ({"keep": [2, 2, -1, 255, "x", True, 1]}, Start(keep=(2, 1))), ({"only": 4}, Start()), ({"more": 1}, Start())],
)  # fmt: skip
def test_wrong_values_fall_back(changes: dict[str, Any], read: Start) -> None:
    assert Start.from_document(Start().to_document() | changes) == read


def test_a_start_of_a_newer_version_is_kept_unharmed() -> None:
    newer = {"version": 2, "freedom": {"head": 0.2}}
    recipe = Recipe.from_json(json.dumps({"pack": "p", "start": newer}))
    assert recipe.start is None and json.loads(recipe.to_json())["start"] == newer
    assert Recipe.from_json('{"pack": "p", "start": "here"}').start is None


def test_only_full_freedom_everywhere_ignores_the_start() -> None:
    assert Start(1.0).is_ignored
    assert not any(start.is_ignored for start in (Start(0.99), Start(1.0, keep=(0,)), Start(1.0, only=(0,))))


def test_every_base_has_a_default() -> None:
    assert 0 < default_freedom("starter/base") < 1 and 0 < default_freedom("some/sdxl") < 1


def test_a_png_remembers_start_and_places(tmp_path: Path) -> None:
    receipt = (Arrival(0, 1, 1, 0.5, 0.75), Arrival(1, 1, 2, 0.25))
    recipe = Recipe("p", start=replace(START, creation=str(tmp_path / "bird.png")))
    made = save_creation(Image.new("RGB", (8, 8)), tmp_path / "a.png", recipe, receipt)
    assert made.recipe == recipe and read_creation(made.path) == made
    with Image.open(made.path) as picture:
        document = json.loads(picture.info[CHUNK])
        assert "Denoising strength: 0.4" in picture.info[PARAMETERS]
    rows = document["receipt"]
    assert rows[0]["where"] == 0.75 and "where" not in rows[1]
    assert document["recipe"]["start"]["creation"] == "bird.png", "beside it, no folder is named"


def test_a_picture_and_its_start_can_move_together(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    start = Start(0.4, str(tmp_path / "old" / "bird.png"))
    save_creation(Image.new("RGB", (8, 8)), tmp_path / "old" / "a.png", Recipe("p", start=start))
    (tmp_path / "old").rename(tmp_path / "new")
    assert read_creation(tmp_path / "new" / "a.png").recipe.start == Start(0.4, str(tmp_path / "new" / "bird.png"))
    save_creation(Image.new("RGB", (8, 8)), tmp_path / "a.png", Recipe("p", start=start))
    assert read_creation(tmp_path / "a.png").recipe.start == start, "elsewhere, the whole path is kept"


def test_the_line_for_other_programs_is_silent_without_a_start() -> None:
    for start in (None, Start(1.0)):
        assert "Denoising" not in parameters_line(Recipe("p", start=start), (8, 8))


@pytest.mark.parametrize("where", ["far", 3, -0.5, True, None, [0.5]])
def test_a_strange_place_is_no_place(tmp_path: Path, where: Any) -> None:
    from PIL.PngImagePlugin import PngInfo

    row = {"part": 0, "code": 1, "found": 1, "similarity": 0.5, "where": where}
    info = PngInfo()
    info.add_itxt(CHUNK, json.dumps({"recipe": json.loads(Recipe("p").to_json()), "receipt": [row]}))
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png", pnginfo=info)
    assert read_creation(tmp_path / "a.png").receipt == (Arrival(0, 1, 1, 0.5),)


def test_schedules() -> None:
    assert schedule_of(0.4, 20) == (20, 8) and schedule_of(0.01, 20) == (20, 1) and schedule_of(0.0, 20) == (20, 0)
    assert schedule_of(0.5, 4) == (8, 4), "base models of few steps take all of them"
    assert schedule_of(0.4, 1) == (3, 1) and schedule_of(0.01, 4) == (50, 1) and schedule_of(1.0, 4) == (4, 4)


def test_the_steps_a_render_counts_for() -> None:
    assert steps_taken(None, 20) == 20 and steps_taken(Start(0.4), 20) == 8 and steps_taken(Start(0.0), 20) == 1
    assert steps_taken(Start(1.0), 20) == 20, "a start that is ignored"
    assert steps_taken(Start(1.0, keep=(1,)), 20) == 20
