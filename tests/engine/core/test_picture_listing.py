"""Folders as people have them: what no person put there is no picture, and what is left out is named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from engine.core.errors import UserError
from engine.core.picture_listing import list_pictures, picture_files


def put(folder: Path, *names: str) -> None:
    for name in names:
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.suffix == ".json":
            place.write_bytes(b"{}")
        else:
            Image.new("RGB", (8, 8)).save(place, "PNG")


def listed(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in picture_files(folder)]


@pytest.mark.parametrize(
    "name",
    [
        ".ipynb_checkpoints", ".thumbnails", ".Trash-1000", ".git", "$RECYCLE.BIN", "@eaDir", "__MACOSX",
        "System Volume Information", "lost+found", "#recycle", "thumbnails", "_thumbs", "Recycler",
    ],
)  # fmt: skip
def test_folders_of_systems_and_programs_are_no_kinds(tmp_path: Path, name: str) -> None:
    put(tmp_path, "owl/1.png", f"owl/{name}/1.png", f"{name}/deep/2.png", "wren/2.png")
    assert listed(tmp_path) == ["owl/1.png", "wren/2.png"]


def test_a_hidden_folder_that_was_chosen_is_looked_into(tmp_path: Path) -> None:
    put(tmp_path / ".secret" / "thumbnails", "1.png")
    assert listed(tmp_path / ".secret" / "thumbnails") == ["1.png"]


def test_what_the_app_wrote_is_no_picture(tmp_path: Path) -> None:
    put(tmp_path, "owl.png", "owl-labels.png", "owl-parts.png", "hen-parts.png", "out/wren-labels.png")
    put(tmp_path / "mine", "pack.json", "references/1.png", "labels/1.png", "thumbnails/1.png", "codes/0-0.png")
    assert listed(tmp_path) == ["hen-parts.png", "out/wren-labels.png", "owl.png"], "a name alone is no sign"
    assert listed(tmp_path / "mine") == ["references/1.png"], "of a pack that was chosen, the pictures it was made of"
    told = {one.path.name: (one.what, one.message) for one in list_pictures(tmp_path).left_out}
    assert told["owl-labels.png"] == ("own", "owl-labels.png is a label map that PartCraft wrote.")
    assert told["mine"] == ("note", "The folder mine is left out: it is a pack.")


@pytest.mark.parametrize("ending", ["heic", "HEIF", "jxl", "psd", "CR2", "nef", "dng", "svg"])
def test_other_formats_are_named_with_the_reason(tmp_path: Path, ending: str) -> None:
    put(tmp_path, "1.png")
    (tmp_path / f"photo.{ending}").write_bytes(b"x")
    (one,) = list_pictures(tmp_path).left_out
    assert one.what == "format" and one.message.startswith(f"photo.{ending} (") and "save it as" in one.message
    (tmp_path / "1.png").unlink()
    with pytest.raises(UserError, match="no pictures") as told:
        list_pictures(tmp_path)
    assert f"photo.{ending}" in told.value.hint


def test_pictures_without_an_ending_are_named_and_other_files_are_not(tmp_path: Path) -> None:
    put(tmp_path, "1.png", "bird")
    (tmp_path / "README").write_text("BM, not a bitmap")
    os.mkfifo(tmp_path / "pipe")
    (one,) = list_pictures(tmp_path).left_out
    assert (one.path.name, one.what) == ("bird", "format") and "no ending" in one.message


def test_linked_folders_are_looked_into_once_and_always_the_same_way(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "birds", tmp_path / "elsewhere"
    put(elsewhere, "1.png")
    put(folder, "owl/2.png")
    for link, target in {"wren": elsewhere, "again": elsewhere, "a": folder / "owl", "up": tmp_path}.items():
        (folder / link).symlink_to(target)
    (folder / "owl" / "round").symlink_to(folder)
    assert listed(folder) == ["again/1.png", "owl/2.png"]
