"""Files are written whole or not at all; JSON that somebody else wrote never stops us."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.core.atomic_files import make_folder, read_json, write_bytes, write_cached, write_whole
from engine.core.errors import UserError
from engine.core.image_files import open_picture, read_label_map
from engine.core.png_metadata import read_creation
from engine.core.recipe import Recipe
from engine.packs.pack import Pack


def test_a_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_bytes(path, b"old")

    def fail(beside: Path) -> None:
        beside.write_bytes(b"half")
        raise ValueError("the library that writes gave up")

    with pytest.raises(ValueError, match="gave up"):
        write_whole(path, fail)
    assert path.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_a_folder_in_the_way_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.json").mkdir()
    with pytest.raises(UserError, match="The settings could not be saved"):
        write_bytes(tmp_path / "x.json", b"new", "the settings")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="could not be saved"):
        make_folder(tmp_path / "file" / "below", "the settings")


@pytest.mark.parametrize("text", ["", "[1]", "{", "[" * 100_000, '{"a": 1} 2', "\udcff"])
def test_what_is_no_object_reads_as_nothing(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert read_json(path) == {} == read_json(tmp_path / "none.json")


@pytest.mark.parametrize("name", ["nul\0", "half\ud800"])
def test_a_name_that_no_file_can_have_is_one_sentence(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"The picture could not be saved: the name holds .*Choose another name"):
        write_bytes(tmp_path / f"{name}.png", b"new", "the picture")
    assert not list(tmp_path.iterdir())


def test_a_name_too_long_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"The picture could not be saved: the disk takes no such name.*shorter"):
        write_bytes(tmp_path / ("long" * 100), b"new", "the picture")
    assert not list(tmp_path.iterdir())


def test_a_file_that_another_program_holds_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.psd"
    path.write_bytes(b"old")

    def refuse(self: Path, target: Path) -> Path:  # as Windows does while a program has the file open
        raise PermissionError(13, "Access is denied", str(self), 5, str(target))

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(UserError, match=r"“x.psd” cannot be replaced.*another program has it open"):
        write_bytes(path, b"new", "the layers")
    assert path.read_bytes() == b"old" and [file.name for file in tmp_path.iterdir()] == ["x.psd"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
def test_nothing_waits_for_a_file_that_never_ends(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "endless.json").symlink_to("/dev/zero")
    (tmp_path / "huge.json").touch()
    os.truncate(tmp_path / "huge.json", 1 << 40)  # takes no room: it is all hole
    for name in ("pipe.json", "endless.json", "huge.json"):
        assert read_json(tmp_path / name) == {}
        folder = tmp_path / f"pack of {name}"
        folder.mkdir()
        (folder / "pack.json").symlink_to(tmp_path / name)
        with pytest.raises(UserError, match="cannot be read: it is"):
            Pack.open(folder)
    for name in ("pipe.json", "endless.json"):
        with pytest.raises(UserError, match="not a picture"):
            open_picture(tmp_path / name)
        with pytest.raises(UserError):
            read_label_map(tmp_path / name)
        with pytest.raises(UserError):
            read_creation(tmp_path / name)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
@pytest.mark.parametrize("place", ["pipe", "folder", ".", ".."])
def test_only_files_are_replaced(tmp_path: Path, place: str) -> None:
    """Run as root, a file put in the place of a device would take it from everyone on the computer."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match="could not be saved: .* is a (pipe or a device, not a file|folder)") as caught:
        write_bytes(tmp_path / place, b"new", "the layers")
    assert caught.value.hint == "Choose another name."
    assert (tmp_path / "pipe").is_fifo() and sorted(p.name for p in tmp_path.iterdir()) == ["folder", "pipe"]


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_a_name_that_no_folder_can_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="holds a character that no file's name can"):
        make_folder(tmp_path / name)


@pytest.mark.parametrize("depth", [100, 900, 950, 990, 100_000])
def test_what_can_be_read_can_be_written_again(tmp_path: Path, depth: int) -> None:
    """Nested as deep as can just be read, a document could not be written from a place deeper in the program: nothing
    was saved any more."""

    def further(calls: int) -> None:
        if calls:
            further(calls - 1)
        else:
            assert Recipe.from_json(recipe.to_json()) == recipe

    nested = "[" * depth + "]" * depth
    (tmp_path / "x.json").write_text(f'{{"learning": {nested}}}')
    text = f'{{"pack": "p", "later": {nested}}}'
    if depth > 100:
        assert read_json(tmp_path / "x.json") == {}
        with pytest.raises(ValueError, match="not a recipe"):
            Recipe.from_json(text)
    else:
        assert read_json(tmp_path / "x.json")
        recipe = Recipe.from_json(text)
        further(200)


def test_what_can_be_computed_again_is_kept_where_the_disk_takes_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    write_cached(tmp_path / "cache" / "in" / "a.json", b"{}", "the answer")
    assert (tmp_path / "cache" / "in" / "a.json").read_bytes() == b"{}" and not caplog.messages
    write_cached(tmp_path / "file" / "a.json", b"{}", "the answer")
    assert "goes on without the cache" in caplog.text and (tmp_path / "file").read_bytes() == b""


def test_a_folder_is_not_made_where_a_file_is(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    for place in (tmp_path / "taken", tmp_path / "taken" / "below"):
        with pytest.raises(UserError, match="The pictures could not be saved") as told:
            make_folder(place, "the pictures")
        assert told.value.hint and "exists" not in told.value.message
