"""Files that people write or mend by hand: with the marks that editors and tables put first, numbers as text, a prompt
as one plain text."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

import pytest

from engine.cli.pack_commands import _lines
from engine.cli.recipe_file import recipe_from_file
from engine.core.atomic_files import read_json, read_text
from engine.core.json_values import number_from
from engine.core.recipe import Recipe
from engine.core.vocabulary import Choice
from engine.packs.pack import Pack
from engine.runs.plan import Plan
from engine.runs.run_folder import open_plan
from engine.segmentation.class_labels import kinds_of
from tests.conftest import shared
from tests.fakes import make_pack

ENCODINGS = {
    "utf-8": b"",
    "utf-8-sig": b"",
    "utf-16": b"",
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
}


@pytest.fixture
def pack(home: Path) -> Pack:
    return make_pack(home / "packs" / "birds", id="birds", references=2)


def written(path: Path, text: str, encoding: str, newline: str = "\n") -> Path:
    path.write_bytes(ENCODINGS[encoding] + text.replace("\n", newline).encode(encoding))
    return path


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_reads_the_same(pack: Pack, tmp_path: Path, encoding: str, newline: str) -> None:
    text = '{"pack": "birds",\n "prompt": "a Ёжик",\n "seed": 3}\n'
    file = written(tmp_path / "recipe.json", text, encoding, newline)
    assert read_text(file) == text and read_json(file)["prompt"] == "a Ёжик"
    recipe, its_pack = recipe_from_file(file)
    assert (recipe.prompt, recipe.seed, its_pack.id) == (("a Ёжик",), 3, "birds")
    plan = json.dumps({"pack": str(pack.path), "steps": 7}, indent=1)
    assert open_plan(written(tmp_path / "plan.json", plan, encoding, newline))[0].steps == 7
    names = written(tmp_path / "names.txt", "Ёжик\nowl\n", encoding, newline)
    assert _lines(names) == ["Ёжик", "owl"]
    written(tmp_path / "labels.csv", "file;label\na.png;Ёжик\nb.png;owl\n", encoding, newline)
    assert kinds_of(tmp_path, [tmp_path / "a.png", tmp_path / "b.png"]) == (("Ёжик", "owl"), [])


@pytest.mark.parametrize(
    ("value", "number"),
    [("123", 123), (" 7,5 ", 7.5), ("7.5", 7.5), ("-1", -1), (str(2**62 + 1), 2**62 + 1), (3, 3), (2.5, 2.5),
     ("x", None), ("", None), ("nan", None), (True, None), (None, None), ("9" * 5000, None), (10**400, None)],
)  # fmt: skip
def test_numbers_may_be_texts(value: Any, number: float | None) -> None:
    assert number_from(value) == number


def test_a_recipe_and_a_plan_of_texts() -> None:
    texts = {"seed": "123", "steps": "12", "guidance": "7,5", "count": "2", "size": "256"}
    piece = {"part": 1, "code": 2, "strength": "0.5"}
    recipe = Recipe.from_json(json.dumps({"pack": "birds", "prompt": [piece], **texts}))
    numbers = (recipe.seed, recipe.steps, recipe.guidance, recipe.count, recipe.size)
    assert numbers == (123, 12, 7.5, 2, 256) and recipe.choices == (Choice(1, 2, 0.5),)
    plan = Plan.from_json('{"pack": "x", "steps": "100", "rate": "1e-3"}')
    assert (plan.steps, plan.rate) == (100, 1e-3) and type(plan.steps) is int


def test_a_prompt_that_is_one_text_is_read_as_one(pack: Pack, tmp_path: Path) -> None:
    file = tmp_path / "recipe.json"
    file.write_text('{"pack": "birds", "prompt": "a photo of a <head:Cardinal> bird", "seed": 3}', "utf-8")
    recipe, _ = recipe_from_file(file)
    assert recipe.prompt == ("a photo of a ", Choice(3, 0), " bird")
    file.write_text(json.dumps({"pack": "birds", "prompt": ["a \\<head:3> bird", "<head:0>"]}), "utf-8")
    assert recipe_from_file(file)[0].choices == (), "a list says itself what is a choice"


def test_what_is_no_number_is_said(pack: Pack, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "recipe.json"
    file.write_text('{"pack": "birds", "prompt": "a bird", "size": "large", "steps": 12}', "utf-8")
    assert recipe_from_file(file)[0].size == 0
    assert capsys.readouterr().err == "The size in recipe.json is no number: 0 is taken.\n"


def test_recipes_of_the_study(pack: Pack, capsys: pytest.CaptureFixture[str]) -> None:
    for file in sorted(shared("bad-inputs").glob("recipes/recipe-*.json")):
        recipe, _ = recipe_from_file(file, "birds")
        assert recipe.prompt, file.name
        if "string" in file.name and "seed" in file.name:
            assert recipe.seed == 123
