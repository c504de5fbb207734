"""What killed writes leave: hidden, and swept when it is old and the app's own."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from engine.core.atomic_files import write_whole
from engine.core.leftovers import sweep_home
from engine.core.on_disk import files_like

OLD = time.time() - 2 * 86400


def aged(path: Path, folder: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if folder:
        path.mkdir()
        (path / "pack").mkdir()
        (path / "pack" / "pack.json").write_bytes(b"{}")
    else:
        path.write_bytes(b"half")
    os.utime(path, (OLD, OLD))
    return path


def name_while_writing(folder: Path, suffix: str) -> str:
    names: list[str] = []

    def write(beside: Path) -> None:
        names.append(beside.name)
        beside.write_bytes(b"x")

    write_whole(folder / f"a{suffix}", write)
    return names[0]


@pytest.mark.parametrize("place", ["", "packs", "packs/mine/codes", "cache/features/key", "creations"])
@pytest.mark.parametrize("suffix", [".png", ".json", ".safetensors", ""])
def test_what_a_killed_write_left_is_swept(tmp_path: Path, place: str, suffix: str) -> None:
    left = aged(tmp_path / place / name_while_writing(tmp_path, suffix))
    sweep_home(tmp_path)
    assert not left.exists() and (tmp_path / place).is_dir() and (tmp_path / f"a{suffix}").exists()


def test_a_killed_import_is_swept(tmp_path: Path) -> None:
    left = aged(tmp_path / "packs" / ".importing-abc_12x9", folder=True)
    sweep_home(tmp_path)
    assert not left.exists()


def test_what_is_young_or_not_the_apps_own_stays(tmp_path: Path) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    ours = ".0123456789ab-part.png"
    young = aged(home / ".0123456789ac-part.png")
    os.utime(young)
    stay = [
        young,
        aged(home / "holiday.part"),
        aged(home / ".holiday-part.png"),
        aged(home / "0123456789ab-part.png"),
        aged(home / ".importing-photographs", folder=True),
        aged(home / "models" / ours),
        aged(elsewhere / ours),
    ]
    link = home / "packs" / ours
    link.parent.mkdir()
    link.symlink_to(stay[-1])
    (home / "linked").symlink_to(elsewhere)
    (home / ".importing-abcdefgh").symlink_to(elsewhere)
    sweep_home(home)
    assert all(path.exists() for path in [*stay, link, home / ".importing-abcdefgh" / ours])


def test_half_written_files_are_listed_nowhere(tmp_path: Path) -> None:
    aged(tmp_path / ".0123456789ab-part.png")
    whole = aged(tmp_path / "1.png")
    assert files_like(tmp_path, "*.png") == [whole]
    assert len(files_like(tmp_path, ".*")) == 1
