"""What was deleted waits thirty days; then it goes for good, and nothing else does."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from engine.core import trash
from engine.core.errors import UserError
from engine.core.paths import runs_dir, trash_dir
from engine.core.trash import in_trash, move_to_trash, sweep_trash
from engine.packs.library import PackLibrary
from engine.runs.launcher import discard_run, restore_run
from tests.fakes import make_pack

MARKS = ("pack.json", "plan.json")


def run(name: str) -> Path:
    folder = runs_dir() / name
    folder.mkdir(parents=True)
    (folder / "plan.json").write_text(json.dumps({"pack": "vocabulary"}))
    return folder


def later(monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    now = time.time
    monkeypatch.setattr(trash.time, "time", lambda: now() + days * 86400)


def test_packs_and_trainings_wait_thirty_days(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = PackLibrary().delete(make_pack(home / "packs" / "owls", id="owls").path)
    training = discard_run(run("one"))
    with monkeypatch.context() as month:
        later(month, 29.9)
        sweep_trash(MARKS)
        assert pack.is_dir() and training.is_dir() and trash.days_left(in_trash("plan.json")[0].when) == 0
    later(monkeypatch, 30.1)
    sweep_trash(MARKS)
    assert list(trash_dir().iterdir()) == []


def test_only_what_the_app_put_there_goes(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    precious = make_pack(tmp_path / "precious", id="precious").path
    ours = move_to_trash(run("with a link"))
    (ours / "pictures").symlink_to(precious)
    stays = ["0a0b0c0d-link", "notes", "0a0b0c0d-letters", "holidays"]
    (trash_dir() / stays[0]).symlink_to(precious)
    (trash_dir() / stays[1]).mkdir()
    (trash_dir() / stays[2]).mkdir()
    make_pack(trash_dir() / stays[3])
    later(monkeypatch, 365)
    sweep_trash(MARKS)
    assert sorted(path.name for path in trash_dir().iterdir()) == sorted(stays)
    assert (precious / "pack.json").is_file(), "no link was followed"


def test_what_a_clock_without_battery_deleted_stays(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trashed = discard_run(run("early"))
    monkeypatch.setattr(trash, "_EARLIEST", time.time() + 86400)
    later(monkeypatch, 365)
    sweep_trash(MARKS)
    assert trashed.is_dir()


def test_a_discarded_training_comes_back_beside_one_of_its_name(home: Path) -> None:
    trashed = discard_run(run("one"))
    run("one")
    back = restore_run(trashed)
    assert back.parent == runs_dir() and back.name != "one" and (back / "plan.json").is_file()
    with pytest.raises(UserError, match="no longer in the trash"):
        restore_run(trashed)
