"""No question to the file system raises, whatever it is asked about."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core import on_disk
from tests.conftest import as_another_user

QUESTIONS: tuple[Callable[[Path | str], object], ...] = (
    on_disk.status_of, on_disk.is_file, on_disk.is_folder, on_disk.is_link, on_disk.exists, on_disk.is_empty_folder,
    on_disk.size_of, on_disk.entries_of, lambda path: on_disk.files_like(path, "*"), on_disk.files_below,
)  # fmt: skip


def answers(path: Path | str) -> list[object]:
    """What is answered about a path, as a list of nothing where it is not there."""
    assert on_disk.resolved(path).is_absolute()
    return [question(path) for question in QUESTIONS]


NOTHING = [None, False, False, False, False, False, 0, [], [], []]


@pytest.mark.parametrize(
    "name", ["a" * 300, "x/" * 3000, "a\0b", "half \ud83d", "none", "file/below", "loop", "loop/x"]
)
def test_what_cannot_be_looked_at_is_not_there(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    given = answers(f"{tmp_path}/{name}")
    given[3] = False  # a link in a circle is a link all the same
    assert given == NOTHING


@pytest.fixture(scope="module")
def nowhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nowhere")


@given(name=st.text(max_size=400))
def test_any_text_is_answered(nowhere: Path, name: str) -> None:
    answers(f"{nowhere}/{name}")  # from its own root, "/" would be walked through to its end


def test_what_is_there_is_there(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "b.png").write_bytes(b"123")
    (tmp_path / "in" / "a.png").touch()
    (tmp_path / "link").symlink_to("in")
    file, folder, link = tmp_path / "b.png", tmp_path / "in", tmp_path / "link"
    assert on_disk.is_file(file) and on_disk.size_of(file) == 3 and not on_disk.is_folder(file)
    assert on_disk.is_folder(folder) and not on_disk.is_link(folder) and not on_disk.is_empty_folder(folder)
    assert on_disk.is_folder(link) and on_disk.is_link(link) and on_disk.resolved(link) == folder.resolve()
    assert on_disk.entries_of(tmp_path) == [file, folder, link]
    assert on_disk.files_like(tmp_path, "*.png") == [file]
    assert on_disk.files_below(tmp_path, "*.png") == [file, folder / "a.png"]


def test_a_folder_that_may_not_be_entered_has_nothing(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "in").mkdir(parents=True)
    (closed / "in" / "x.png").touch()
    closed.chmod(0)
    with as_another_user(tmp_path):
        assert answers(closed / "in" / "x.png") == NOTHING
        assert on_disk.is_folder(closed) and not on_disk.is_empty_folder(closed)
        assert on_disk.entries_of(closed) == on_disk.files_below(closed) == []
    closed.chmod(0o700)
