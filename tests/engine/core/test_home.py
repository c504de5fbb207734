"""The user's folder is for nobody else, unless it was opened to others on purpose."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.core.atomic_files import make_folder
from engine.core.paths import data_dir, make_home, packs_dir
from engine.core.reentry import neutral_folder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such modes")


def mode(folder: Path) -> int:
    return stat.S_IMODE(folder.stat().st_mode)


@pytest.mark.parametrize("make", [make_home, neutral_folder, lambda: make_folder(packs_dir())])
def test_whoever_makes_it_makes_it_private(make: Callable[[], object], home: Path) -> None:
    make()
    assert mode(home) == 0o700


@pytest.mark.parametrize("before", [0o755, 0o750, 0o711])
def test_what_any_program_would_have_made_is_closed(before: int, home: Path) -> None:
    home.mkdir()
    home.chmod(before)
    make_home()
    assert mode(home) == 0o700


@pytest.mark.parametrize("before", [0o2770, 0o2755, 0o777, 0o1777])
def test_what_was_opened_on_purpose_stays_open(before: int, home: Path) -> None:
    home.mkdir()
    home.chmod(before)
    make_home()
    make_folder(packs_dir())
    assert mode(home) == before


@pytest.mark.skipif(sys.platform == "win32" or os.getuid() != 0, reason="only root gives folders away")
@pytest.mark.parametrize(("owner", "group", "before"), [(12345, 0, 0o755), (0, 12345, 0o770)])
def test_the_folder_of_somebody_else_or_of_a_group_is_left_alone(
    owner: int, group: int, before: int, home: Path
) -> None:
    home.mkdir()
    os.chown(home, owner, group)
    home.chmod(before)
    make_home()
    assert mode(home) == before


def test_the_whole_home_of_a_user_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PARTCRAFT_HOME", str(tmp_path))
    tmp_path.chmod(0o755)
    make_home()
    assert data_dir() == tmp_path.resolve() and mode(tmp_path) == 0o755
