"""``partcraft collage``: a prompt or a recipe in, a PNG out, no model loaded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from engine.__main__ import main
from engine.core.recipe import Recipe
from engine.core.vocabulary import Choice
from engine.packs import library
from engine.packs.pack import Pack
from tests.fakes import make_pack

NO_HANDLERS = "tests.fakes:NOTHING"
PROMPT = "a photo of a <head:Cardinal> <body:Snowy Owl> bird"


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pack:
    """A pack that stands for the starter."""
    made = make_pack(tmp_path / "starter", id="starter")
    monkeypatch.setattr(library, "starter_pack", lambda: made.path)
    return made


def test_a_prompt(pack: Pack, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "out.png"
    assert main(["collage", PROMPT, "--out", str(file), "--json"], NO_HANDLERS) == 0
    document = json.loads(capsys.readouterr().out)
    assert document == {
        "pack": "starter", "prompt": PROMPT, "file": str(file), "size": [128, 128], "layers": ["body", "head"],
        "missing": [],
    }  # fmt: skip
    with Image.open(file) as picture:
        assert picture.size == (128, 128) and picture.getchannel("A").getextrema() == (255, 255)


def test_a_recipe_on_no_ground(pack: Pack, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept, file = tmp_path / "recipe.json", tmp_path / "out.png"
    kept.write_text(Recipe("starter", (Choice(3, 0), Choice(0, 1, source="1"))).to_json(), "utf-8")
    assert main(["collage", str(kept), "--ground", "none", "--out", str(file)], NO_HANDLERS) == 0
    assert "body, head, from back to front" in capsys.readouterr().out
    with Image.open(file) as picture:
        assert picture.mode == "RGBA" and picture.getpixel((0, 0)) == (0, 0, 0, 0)


def test_what_is_missing_is_said_and_the_rest_is_made(
    pack: Pack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "out.png"
    Path(pack.references[0].image).write_bytes(b"")
    source = pack.references[0]
    other = pack.references[1]
    kept = tmp_path / "recipe.json"
    recipe = Recipe(
        "starter", (Choice(0, source.codes[0], source=source.id), Choice(3, other.codes[3], source=other.id))
    )
    kept.write_text(recipe.to_json(), "utf-8")
    assert main(["collage", str(kept), "--pose", "gone", "--out", str(file)], NO_HANDLERS) == 0
    said = capsys.readouterr()
    assert "Choose another pose" in said.err and "is empty" in said.err and "(head, from" in said.out
    assert file.is_file()


def test_without_a_file_nothing_is_written_over(pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert [main(["collage", PROMPT], NO_HANDLERS) for _ in range(2)] == [0, 0]
    assert {file.name for file in tmp_path.glob("*.png")} == {"collage-1.png", "collage-2.png"}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([PROMPT, "--out", "a.jpg"], "Layers cannot be saved as .jpg files"),
        (["a photo of a bird", "--out", "a.png"], "No part has been chosen yet"),
        (["gone.json", "--out", "a.png"], "gone.json cannot be read"),
    ],
)
def test_what_is_wrong_is_said(
    pack: Pack, words: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["collage", *words], NO_HANDLERS) == 1
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "a.png").exists()
