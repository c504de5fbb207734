"""Runs: a training in a process of its own is found again, paused, stopped, killed and gone on with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock, Timeout
from safetensors.torch import load_file

from engine.core.errors import UserError
from engine.core.match_rate import MatchRate
from engine.core.paths import runs_dir
from engine.core.resemblance import Resemblance
from engine.packs.pack import Pack
from engine.packs.validation import check_pack
from engine.runs.heartbeat import Heartbeat
from engine.runs.launcher import discard_run, pause_run, start_run, stop_run
from engine.runs.lock import take_turn, training_lock
from engine.runs.run import Run, list_runs, read_run
from engine.runs.run_folder import checkpoints
from engine.runs.status import RunStatus, process_created, read_status, write_status
from engine.worker.jobs import Losses, Progress
from tests.fakes import make_pack

PATIENCE = 300.0
"""Seconds after which a process that should have done something is taken for hung; nothing is judged by it."""

MakeRun = Callable[..., Path]


@pytest.fixture
def make_run(tiny_world: Path, tiny_pack: Path, home: Path) -> MakeRun:
    """Makes a run's folder with a plan of a few quick steps."""

    def make(name: str = "birds", **words: Any) -> Path:
        plan: dict[str, Any] = {
            "pack": str(tiny_pack), "pictures": str(tiny_world / "pictures"), "out": str(home / "packs" / f"of {name}"),
            "steps": 24, "batch": 2, "checkpoint_every": 4, "sample_every": 10, "samples": 2, "ema": 0.9, "rate": 1e-3,
        }  # fmt: skip
        folder = home / "runs" / name
        folder.mkdir(parents=True)
        (folder / "plan.json").write_text(json.dumps(plan | words))
        return folder

    return make


@pytest.fixture(autouse=True)
def nothing_left_behind(home: Path) -> Iterator[None]:
    yield
    for folder in (home / "runs").glob("*"):
        status = read_status(folder)
        if status and status.pid != os.getpid() and (process := status.process()):
            process.kill()


def until(folder: Path, ready: Callable[[Run], Any]) -> Run:
    """The run when it is ready, read as the window reads it."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        run = read_run(folder)
        if ready(run):
            return run
        if run.state == "failed":
            log = (folder / "process.log").read_text() if (folder / "process.log").is_file() else ""
            raise AssertionError(f"{run.message} {run.hint}\n{log}")
        time.sleep(0.01)
    raise AssertionError(f"still {read_run(folder)} after {PATIENCE} seconds")


def kill(folder: Path) -> None:
    """What a power cut, or an impatient person, does."""
    status = read_status(folder)
    assert status and status.alive
    os.kill(status.pid, signal.SIGKILL)
    until(folder, lambda run: run.state == "lost")


def same_weights(one: Path, other: Path) -> bool:
    for name in ("tokens.safetensors", "lora.safetensors"):
        first, second = load_file(one / name), load_file(other / name)
        if first.keys() != second.keys() or not all((first[key] == second[key]).all() for key in first):
            return False
    return True


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGKILL")
@pytest.mark.parametrize("number", [10**400, float("nan"), float("inf"), True, "1", None])
def test_a_status_of_absurd_numbers_is_read(tmp_path: Path, number: object) -> None:
    document = {"state": "running", "created": number, "beat": number, "seconds_left": number, "done": 3}
    (tmp_path / "status.json").write_text(json.dumps(document), "utf-8")
    status = read_status(tmp_path)
    assert status is not None and (status.created, status.beat, status.seconds_left, status.done) == (0, 0, None, 3)


@pytest.mark.slow
def test_killed_at_any_moment_a_run_learns_the_same(make_run: MakeRun, home: Path) -> None:
    calm = make_run("calm")
    first = start_run(calm)
    assert first.state == "running" and first.steps == 24
    other = make_run("other")
    with pytest.raises(UserError, match="“calm” is still learning"):
        start_run(other)
    with pytest.raises(UserError, match="learning already"):
        start_run(calm)
    done = until(calm, lambda run: run.state == "finished")
    assert done.step == 24 and [step for step, *_ in done.losses] == list(range(1, 25))
    assert [(one.step, one.part) for one in done.samples][:2] == [(10, -1), (10, done.samples[1].part)]
    assert Path(done.pack) == home / "packs" / "of calm"
    made = Pack.open(done.pack)
    check_pack(made, thorough=True)
    assert done.match_rate is not None and done.match_rate == MatchRate.from_metrics(made.metrics)
    assert done.match_rate.asked > 0 and (done.match_rate.chance or 0) > 0 and made.id == "of calm"
    assert done.resemblance == Resemblance.from_metrics(made.metrics, made.base_model.id)
    assert [Path(one).name for one in done.tried] == [f"{index}.png" for index in range(8)]

    wild = make_run("wild")
    moments: list[Callable[[Run], Any]] = [
        lambda run: run.stage == "Getting ready" or run.losses,
        lambda run: run.step >= 6,
        lambda run: any((wild / "checkpoints").glob(".step-*")),  # while a checkpoint is written
        lambda run: run.stage == "Painting samples" or run.step > 10,
        lambda run: run.step >= 22,
        lambda run: run.stage == "Trying the pack",
    ]
    for moment in moments:
        start_run(wild)
        until(wild, moment)
        kill(wild)
        assert read_run(wild).message.startswith("This training ended without a word")
    start_run(wild)
    done = until(wild, lambda run: run.state == "finished")
    assert [step for step, *_ in done.losses] == list(range(1, 25))
    assert same_weights(Path(done.pack), made.path)
    assert not any(path.name.startswith(".") for path in (home / "packs").iterdir())


@pytest.mark.slow
def test_a_run_is_paused_gone_on_with_and_stopped(make_run: MakeRun, home: Path) -> None:
    folder = make_run(steps=100_000, checkpoint_every=50_000, sample_every=50_000)
    start_run(folder)
    running = until(folder, lambda run: run.step >= 3 and run.seconds_left is not None)
    assert running.state == "running" and running.stage == "Learning"
    with pytest.raises(UserError, match="still learning"):
        discard_run(folder)
    pause_run(folder)
    paused = until(folder, lambda run: run.state == "paused")
    assert paused.seconds_left is None and checkpoints(folder)[-1].name == f"step-{paused.step}"
    assert not (folder / "wish.json").exists()
    status = read_status(folder)
    assert status
    until(folder, lambda _run: status.process() is None)
    start_run(folder)
    until(folder, lambda run: run.step > paused.step)
    stop_run(folder)
    stopped = until(folder, lambda run: run.state == "stopped")
    assert stopped.step > paused.step and "steps" in stopped.message
    assert f"trained {stopped.step} steps" in Pack.open(stopped.pack).provenance
    stop_run(folder)  # a run that does not learn is started to write its pack again, over its own
    again = until(folder, lambda run: run.state == "stopped" and run.pack)
    assert (again.pack, again.step) == (stopped.pack, stopped.step)
    there = discard_run(folder)
    assert (there / "plan.json").is_file() and list_runs() == []
    assert Pack.open(stopped.pack)


def test_a_run_is_read_as_it_is(make_run: MakeRun, home: Path) -> None:
    folder = make_run()
    run = read_run(folder)
    assert run.state == "ready" and run.plan is not None and run.title == Pack.open(run.plan.pack).title
    with pytest.raises(UserError, match="not learned anything"):
        stop_run(folder)
    pause_run(folder)  # there is nothing to pause
    assert not (folder / "wish.json").exists()
    (folder / "log.jsonl").write_text(
        '{"step": 1, "diffusion": 0.5, "attention": 0.25, "seconds": 1.0}\n{"step": 2, "diff'
    )
    assert read_run(folder).losses == ((1, 0.5, 0.25),)
    with (folder / "log.jsonl").open("a") as log:
        log.write('usion": 1e-05, "attention": 0.1, "seconds": 1.0}\n')
    assert read_run(folder).losses[1:] == ((2, 1e-5, 0.1),)
    (folder / "log.jsonl").write_text("")
    assert read_run(folder).losses == ()
    (folder / "plan.json").write_text("[1, 2]")
    assert (read_run(folder).plan, read_run(folder).title) == (None, "birds")
    with pytest.raises(UserError, match="no run"):
        read_run(home)
    newer = make_run("newer")
    os.utime(folder / "plan.json", (1, 1))
    os.utime(folder / "log.jsonl", (1, 1))
    assert [run.folder for run in list_runs()] == [str(newer), str(folder)]


def test_only_a_living_process_is_alive(make_run: MakeRun) -> None:
    folder = make_run()
    now = RunStatus(os.getpid(), process_created(os.getpid()), time.time(), stage="Learning")
    for status, state in (
        (now, "running"),
        (replace(now, created=now.created - 60), "lost"),  # the id belongs to another process now
        (replace(now, beat=now.beat - 60), "lost"),  # it hangs, or the machine was off
        (replace(now, pid=2**22 + 1), "lost"),
        (replace(now, state="paused"), "paused"),
    ):
        write_status(folder, status)
        assert read_run(folder).state == state
    for nonsense in (
        "",
        "[]",
        '{"pid": "x", "beat": null, "state": 3}',
        '{"pid": 99999999999999999999999, "state": "running"}',
    ):
        (folder / "status.json").write_text(nonsense)
        assert read_run(folder).state in ("ready", "lost")


@pytest.mark.skipif(sys.platform == "win32", reason="makes a zombie")
def test_a_process_that_ended_unseen_is_not_alive() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    status = RunStatus(child.pid, process_created(child.pid), time.time())
    while status.process() is not None:  # until it is a zombie: nobody has waited for it
        time.sleep(0.01)
    assert not status.alive
    child.wait()


def test_two_trainings_take_turns(make_run: MakeRun, home: Path) -> None:
    one, two = make_run("one"), make_run("two")
    with Heartbeat(one, 10):
        with pytest.raises(UserError, match="“one” is still learning"), Heartbeat(two, 10):
            pass
        with pytest.raises(UserError, match="“one” is still learning"):
            start_run(two)
    with Heartbeat(two, 10) as pulse:
        pulse.end("paused")
    assert read_run(two).state == "paused"
    held = "import sys, time\nfrom pathlib import Path\nfrom engine.runs.lock import *\n"
    held += (
        "with training_lock():\n take_turn(Path(sys.argv[1]), __import__('os').getpid())\n print('held', flush=True)\n"
    )
    held += " time.sleep(1)\nprint(input())"
    child = subprocess.Popen([sys.executable, "-c", held, str(two)], stdin=-1, stdout=-1, text=True)
    try:
        assert child.stdout and child.stdout.readline() == "held\n"
        with training_lock(), pytest.raises(UserError, match="“two” is still learning"):
            take_turn(one, os.getpid())
    finally:
        child.kill()
        child.communicate()


def test_processes_exclude_each_other_until_they_die(home: Path) -> None:
    code = "from engine.runs.lock import training_lock\nwith training_lock():\n print('held', flush=True)\n input()"
    child = subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True)
    try:
        assert child.stdout and child.stdout.readline() == "held\n"
        with pytest.raises(Timeout):
            FileLock(runs_dir() / ".lock", timeout=0).acquire()
    finally:
        child.kill()
        child.communicate()
    with training_lock():  # nobody unlocked it: the system did
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="flock is of Unix")
def test_the_lock_of_the_version_before_excludes_this_one(home: Path) -> None:
    code = "import fcntl, sys\nfile = open(sys.argv[1], 'a+b')\n"
    code += "try:\n fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)\n print('held', flush=True)\n input()\n"
    code += "except BlockingIOError:\n print('busy', flush=True)"
    before = [sys.executable, "-c", code, str(runs_dir() / ".lock")]
    with training_lock():
        assert subprocess.run(before, stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout == "busy\n"
    child = subprocess.Popen(before, stdin=-1, stdout=-1, text=True)
    try:
        assert child.stdout and child.stdout.readline() == "held\n"
        with pytest.raises(Timeout):
            FileLock(runs_dir() / ".lock", timeout=0).acquire()
    finally:
        child.kill()
        child.communicate()


def test_a_pulse_beats_and_estimates(make_run: MakeRun) -> None:
    folder = make_run()
    with Heartbeat(folder, steps=100) as pulse:
        first = read_status(folder)
        assert first and first.alive and first.stage == "Starting"
        for step in range(1, 6):
            pulse.hear(Losses(step, 0.5, 0.1))
            pulse.hear(Progress("Learning", step, 100))
            time.sleep(0.01)
        later = first
        while later.done != 5 or later.beat <= first.beat:
            later = read_status(folder) or later
        assert later.seconds_left is not None and later.seconds_left > 0.5
        pulse.end("failed", "It broke.", "Mend it.")
    run = read_run(folder)
    assert (run.state, run.message, run.hint, run.seconds_left) == ("failed", "It broke.", "Mend it.", None)
    with pytest.raises(ZeroDivisionError), Heartbeat(folder, 1):
        raise ZeroDivisionError
    assert read_run(folder).state == "failed" and "ZeroDivisionError" in read_run(folder).message


def test_a_pack_is_never_written_over_another(make_run: MakeRun, home: Path) -> None:
    other = make_pack(home / "packs" / "other")
    folder = make_run(out=str(other.path))
    with pytest.raises(UserError, match="something else"):
        start_run(folder)
    assert read_run(folder).state == "ready"
