"""Where things are kept, and names that no file system takes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import UserError
from engine.core.on_disk import is_file, is_folder
from engine.core.paths import data_dir, free_file, free_folder, free_stem, local_model_folder

NAMES = ("a" * 300, "a\0b", "", "~nobody-of-that-name/x")


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_cannot_be_is_not_there(name: str, tmp_path: Path) -> None:
    assert not is_file(f"{tmp_path}/{name}") and local_model_folder(name) is None
    assert is_folder(tmp_path) and not is_folder(tmp_path / "none")


STEMS = st.sampled_from(
    ["bird", "bird-2", "bird[1]", "bird*", "bird?", "b i r d", "[!a]", "Ёжик", "-2", "2", "é" * 130]
)


@given(st.lists(STEMS, min_size=1, max_size=12), st.booleans())
def test_as_many_results_as_pictures(
    tmp_path_factory: pytest.TempPathFactory, stems: list[str], numbered: bool
) -> None:
    folder = tmp_path_factory.mktemp("out")
    endings = ("-labels.png", "-parts.png")
    for stem in stems:
        free = free_stem(folder, stem, endings, numbered)
        for ending in endings:
            (folder / f"{free}{ending}").touch(exist_ok=False)
    assert len(list(folder.iterdir())) == 2 * len(stems)


def test_a_name_is_taken_by_whatever_has_it(tmp_path: Path) -> None:
    file = tmp_path / "a.b.png"
    assert free_file(file) == file
    file.touch()
    (tmp_path / "a.b-2.png").mkdir()
    (tmp_path / "a.b-3.png").symlink_to(tmp_path / "nowhere")
    assert free_file(file).name == "a.b-4.png" and free_folder(tmp_path, "a.b.png").name == "a.b.png-2"
    long = tmp_path / f"{'é' * 127}"
    long.mkdir()
    assert free_folder(tmp_path, long.name).name == f"{'é' * 126}-2"
    free_folder(tmp_path, long.name).mkdir()
    for name in ("a\0b", "\ud83d", "\udce9"):
        assert free_folder(tmp_path / name, name).name == name, "writing says what is wrong with it"


def test_nobody_without_a_home_gets_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTCRAFT_HOME", "~nobody-of-that-name/here")
    with pytest.raises(UserError, match="no home folder"):
        data_dir()
