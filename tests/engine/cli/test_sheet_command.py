"""``partcraft sheet``: every kind of one part against every kind of another, as a PNG or a PDF."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from engine.__main__ import main
from engine.core.png_metadata import read_creation
from engine.core.vocabulary import Choice
from engine.packs import library
from engine.packs.pack import Pack
from tests.fakes import make_pack

FAKES = "tests.fakes:HANDLERS"
PROMPT = "a photo of a <head:Cardinal> <body:Snowy Owl> bird"


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pack:
    """A pack that stands for the starter."""
    made = make_pack(tmp_path / "starter", id="starter")
    monkeypatch.setattr(library, "starter_pack", lambda: made.path)
    return made


def test_heads_down_and_wings_across(pack: Pack, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "out.png"
    words = ["sheet", PROMPT, "--rows", "head", "--columns", "wing: Kiwi, Ёжик", "--out", str(file), "--json"]
    assert main(words, "tests.fakes:NOTHING") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["rows"] == ["Cardinal", "Snowy Owl", "Blue Jay", "Ёжик", "Kiwi", "Robin"]
    assert document["columns"] == ["Kiwi", "Ёжик"]
    with Image.open(file) as sheet:
        assert list(sheet.size) == document["size"]


def test_renders_with_what_arrived(pack: Pack, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "out.pdf"
    words = ["sheet", PROMPT, "--rows", "head: Kiwi", "--columns", "wing: Robin, Ёжик", "--render", "--out", str(file)]
    assert main([*words, "--json"], FAKES) == 0
    creations = json.loads(capsys.readouterr().out)["creations"]
    assert [(one["row"], one["column"], one["arrived"]) for one in creations] == [(0, 0, 2), (0, 1, 2)]
    kept = [read_creation(one["path"]) for one in creations]
    assert {Path(one.path).parent for one in kept} == {tmp_path / "out-renders"}
    assert [(one.recipe.choice_of(3), one.recipe.choice_of(1)) for one in kept] == [
        (Choice(3, 4), Choice(1, 5)),
        (Choice(3, 4), Choice(1, 3)),
    ]
    assert file.read_bytes().startswith(b"%PDF")


def test_without_a_file_nothing_is_written_over(pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["sheet", PROMPT, "--rows", "head", "--columns", "wing", "--most", "1"]
    assert [main(words, "tests.fakes:NOTHING") for _ in range(2)] == [0, 0]
    assert {file.name for file in tmp_path.glob("*.png")} == {"sheet-1.png", "sheet-2.png"}


@pytest.mark.parametrize(
    ("rows", "columns", "file", "sentence"),
    [
        ("head", "head", "a.png", "Rows and columns show the same part"),
        ("beak", "head", "a.png", "has no part “beak”"),
        ("background", "head", "a.png", "has no part “background”"),
        ("head: Cardnal", "wing", "a.png", "Perhaps Cardinal"),
        ("head", "wing", "a.gif", "cannot be saved as .gif files"),
        ("head", "wing", "gone/a.png", "The contact sheet could not be saved: the folder"),
        ("head: Wren", "wing: Wren", "a.png", "shows"),
    ],
)
def test_what_is_wrong_is_said(
    pack: Pack, rows: str, columns: str, file: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["sheet", PROMPT, "--rows", rows, "--columns", columns, "--out", file], "tests.fakes:NOTHING") == 1
    assert sentence in capsys.readouterr().err
    assert not list(tmp_path.glob("a.*"))
