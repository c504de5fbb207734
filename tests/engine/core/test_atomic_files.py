"""Files are written whole or not at all; JSON that somebody else wrote never stops us."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.core.atomic_files import make_folder, read_json, write_bytes, write_whole
from engine.core.errors import UserError


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
