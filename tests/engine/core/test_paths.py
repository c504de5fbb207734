"""Where things are kept, and names that no file system takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.core.errors import UserError
from engine.core.paths import data_dir, is_file, is_folder, local_model_folder

NAMES = ("a" * 300, "a\0b", "", "~nobody-of-that-name/x")


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_cannot_be_is_not_there(name: str, tmp_path: Path) -> None:
    assert not is_file(f"{tmp_path}/{name}") and local_model_folder(name) is None
    assert is_folder(tmp_path) and not is_folder(tmp_path / "none")


def test_nobody_without_a_home_gets_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTCRAFT_HOME", "~nobody-of-that-name/here")
    with pytest.raises(UserError, match="no home folder"):
        data_dir()
