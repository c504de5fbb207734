"""How the program starts itself again: nothing that lies in its working folder, or in a run that came from
elsewhere, is taken for ours."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.core.paths import data_dir, package_root
from engine.core.reentry import neutral_folder, own_command, own_environment
from engine.runs.launcher import start_run
from engine.runs.run import read_run
from engine.worker.engine import Engine
from engine.worker.inbox import Inbox
from engine.worker.jobs import Event, Finished, Segment
from tests.fakes import make_pack

PATIENCE = 120.0


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A folder with modules named as ours and our libraries'; whoever imports one leaves ``trap/sprung`` behind."""
    folder = tmp_path / "trap"
    for name in ("engine", "torch", "numpy", "PIL", "tests"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(f"open({str(folder / 'sprung')!r}, 'a').write({name!r})\n")
    (folder / "json.py").write_text(f"open({str(folder / 'sprung')!r}, 'a').write('json')\n")
    return folder


def test_python_alone_walks_into_it(trap: Path) -> None:
    subprocess.run([sys.executable, "-m", "engine", "--version"], cwd=trap, capture_output=True)
    assert (trap / "sprung").exists()


@pytest.mark.parametrize("path", ["", ".", os.pathsep, f"{os.pathsep}."])
def test_the_program_started_again_does_not(path: str, trap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", path)
    command, environment = own_command("--version"), own_environment()
    done = subprocess.run(command, cwd=trap, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and not (trap / "sprung").exists(), done.stderr
    assert environment["PYTHONPATH"].split(os.pathsep)[0] == str(package_root())


def test_folders_of_the_users_own_stay_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), "here", ""]))
    assert own_environment()["PYTHONPATH"].split(os.pathsep) == [str(package_root()), str(tmp_path)]


def test_the_engine_started_in_a_folder_with_a_torch_does_not(
    trap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = make_pack(tmp_path / "packs" / "birds")
    monkeypatch.chdir(trap)
    inbox: Inbox[Event] = Inbox()
    with Engine(inbox.put, "process", "tests.fakes:HANDLERS") as engine:
        engine.submit(Segment(str(pack.path), pack.references[0].image))
        events: list[Event] = []
        while not events or not isinstance(events[-1].news, Finished):
            events += inbox.wait(PATIENCE)
            assert events
    assert not (trap / "sprung").exists()


def test_a_run_that_brings_an_engine_along_does_not(trap: Path, tmp_path: Path) -> None:
    """The process of a run gets as far as reading its plan, and fails there by its own words."""
    pack = make_pack(data_dir() / "packs" / "birds")
    trap.joinpath("plan.json").write_text(f'{{"pack": {str(pack.path)!r}, "base_model": "not/here"}}'.replace("'", '"'))
    start_run(trap)
    end = time.monotonic() + PATIENCE
    while read_run(trap).state == "running" and time.monotonic() < end:
        time.sleep(0.05)
    run = read_run(trap)
    assert run.state == "failed" and "not/here" in run.message, (run, (trap / "process.log").read_text())
    assert not (trap / "sprung").exists()


def test_the_neutral_folder_is_the_apps_own(home: Path) -> None:
    assert neutral_folder() == home and home.is_dir()


def test_a_relative_home_is_the_same_folder_for_a_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PARTCRAFT_HOME", "home")
    assert own_environment()["PARTCRAFT_HOME"] == str(data_dir()) == str(tmp_path.resolve() / "home")
