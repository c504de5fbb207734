"""The index of creations: quicker than the PNGs, and never believed against them."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from PIL import Image

from engine.core.png_metadata import save_creation
from engine.core.recipe import Arrival, Creation, Recipe
from engine.core.vocabulary import Choice
from partcraft_desktop.app import creation_index
from partcraft_desktop.app.creation_files import creations_in
from tests.conftest import as_another_user

HEAD = Choice(3, 2, 0.8, "ёжик")


def keep(folder: Path, name: str, seed: int = 1) -> Creation:
    recipe = Recipe("fake-birds", ("a ", HEAD, " bird"), "dull", seed)
    folder.mkdir(exist_ok=True)
    return save_creation(Image.new("RGB", (8, 8)), folder / name, recipe, (Arrival(3, 2, 2, 0.9, 0.5),))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "made"
    for seed in range(3):
        keep(folder, f"{seed}.png", seed)
    Image.new("RGB", (8, 8)).save(folder / "holiday.png")
    return folder


@pytest.fixture
def opened_files(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The PNGs that were really opened."""
    names: list[str] = []
    read = creation_index.read_creation
    monkeypatch.setattr(creation_index, "read_creation", lambda path: (names.append(Path(path).name), read(path))[1])
    return names


def test_what_was_read_once_is_not_opened_again(folder: Path, opened_files: list[str]) -> None:
    first = creations_in(folder)
    assert sorted(opened_files) == ["0.png", "1.png", "2.png", "holiday.png"] and len(first) == 3
    opened_files.clear()
    assert creations_in(folder) == first and opened_files == []


def test_only_what_has_changed_is_opened_and_what_is_gone_is_forgotten(folder: Path, opened_files: list[str]) -> None:
    creations_in(folder)
    opened_files.clear()
    keep(folder, "1.png", 77)
    (folder / "2.png").unlink()
    keep(folder, "3.png", 3)
    assert sorted(one.recipe.seed for one in creations_in(folder)) == [0, 3, 77]
    assert sorted(opened_files) == ["1.png", "3.png"]


def test_names_that_are_no_unicode_are_kept_as_well(folder: Path, opened_files: list[str]) -> None:
    (folder / "0.png").rename(folder / os.fsdecode(b"caf\xe9.png"))
    first = creations_in(folder)
    opened_files.clear()
    assert creations_in(folder) == first and len(first) == 3 and opened_files == []


@pytest.mark.parametrize("damage", ["noise", "empty", "cut", "table", "row", "folder", "version"])
def test_a_damaged_index_is_made_anew_and_nothing_is_missing(folder: Path, damage: str) -> None:
    first, index = creations_in(folder), creation_index.index_file()
    if damage == "noise":
        index.write_bytes(os.urandom(8192))
    elif damage == "empty":
        index.write_bytes(b"")
    elif damage == "cut":
        index.write_bytes(index.read_bytes()[:5000])
    elif damage == "folder":
        index.unlink()
        index.mkdir()
    else:
        orders = {
            "table": "DROP TABLE creations",
            "row": "UPDATE creations SET creation = '{\"recipe\": 3}', folder = folder",
            "version": "PRAGMA user_version = 99",
        }
        with sqlite3.connect(index) as connection:
            connection.execute(orders[damage])
        connection.close()
    assert creations_in(folder) == first
    assert creations_in(folder) == first


def test_an_index_that_cannot_be_written_is_done_without(folder: Path, home: Path) -> None:
    cache = creation_index.index_file().parent
    cache.mkdir(parents=True)
    with as_another_user(folder.parent):
        cache.chmod(0o500)
        assert len(creations_in(folder)) == 3 and len(creations_in(folder)) == 3
        cache.chmod(0o700)
    assert list(cache.iterdir()) == []


def test_half_written_creations_are_not_listed_and_swept_when_old(folder: Path) -> None:
    old, young = folder / ".0123456789ab-part.png", folder / ".0123456789ac-part.png"
    for path in (old, young):
        path.write_bytes((folder / "0.png").read_bytes())
    os.utime(old, (0, 0))
    assert len(creations_in(folder)) == 3
    assert young.exists() and not old.exists()
