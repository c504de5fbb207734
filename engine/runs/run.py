"""Runs: trainings seen from outside. Each has a folder and, while it learns, a process of its own.

A run's folder holds ``plan.json``, ``status.json`` (see :mod:`engine.runs.status`), ``log.jsonl``,
``checkpoints/step-N``, ``samples/step-N``, ``tried/`` and ``process.log``. Whoever wants
something of its process writes ``wish.json`` there.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil

from engine.core.errors import UserError
from engine.core.paths import make_folder, trash_dir, write_bytes
from engine.packs.pack import Pack
from engine.runs.run_folder import LOG, PLAN, TRIED, checkpoints, open_plan, pack_place
from engine.runs.status import (
    LEARNING,
    Status,
    one_at_a_time,
    read_json,
    read_status,
    runs_dir,
    take_turn,
    write_status,
)

WISH: Final = "wish.json"
RUN_WORD: Final = "--beside-the-window"
"""The hidden word of a run's own process: it is polite to the window, and writes to a log."""
_AT_REST: Final = ("ready", "paused", "stopped", "failed", "finished")


@dataclass(frozen=True)
class Sample:
    """A picture painted on the way, after ``step`` steps: of a whole sentence (``part`` -1), or of one part alone."""

    step: int
    part: int
    picture: str


@dataclass(frozen=True)
class Run:
    """A training as it is now.

    ``state`` is "ready" (never begun), "running", "paused", "stopped" (on request, its pack was written), "failed",
    "finished", or "lost" (its process died without a word). ``plan`` is what plan.json says, empty if it cannot be
    read. ``stage`` with ``done`` of ``total`` is what it does; ``step`` of ``steps`` how far it has learned; ``losses``
    are (step, diffusion, attention). ``message`` and ``hint`` tell a person what happened. ``pack`` is the folder of
    the pack it has written, empty before; ``tried`` are the pictures that its match rate was counted in.
    """

    folder: str
    title: str
    plan: dict[str, Any] = field(default_factory=dict)
    state: str = "ready"
    stage: str = ""
    done: int = 0
    total: int = 0
    step: int = 0
    steps: int = 0
    losses: tuple[tuple[int, float, float], ...] = ()
    samples: tuple[Sample, ...] = ()
    seconds_left: float | None = None
    message: str = ""
    hint: str = ""
    pack: str = ""
    tried: tuple[str, ...] = ()


def runs() -> list[Run]:
    """The runs in PartCraft's own folder, newest first."""
    try:
        folders = [path.parent for path in runs_dir().glob(f"*/{PLAN}") if not path.parent.name.startswith(".")]
    except OSError:
        return []
    return [read(folder) for folder in sorted(folders, key=_touched, reverse=True)]


def read(folder: Path | str) -> Run:
    """A run as it is now. Never raises for what is in the folder. Raises :class:`UserError` if there is no plan."""
    path = Path(folder)
    if not (path / PLAN).is_file():
        raise _no_run(path)
    plan = read_json(path / PLAN)
    status = read_status(path) or _silent(path)
    state = status.state if status.state in _AT_REST or status.alive else "lost"
    message, hint = status.message, status.hint
    if state == "lost":
        message = "This training ended without a word: was the computer switched off, or did memory run out?"
        hint = "Go on with it; it loses what came after its last checkpoint."
    losses = _log_of(path / LOG)
    steps = plan.get("steps")
    learning = state == "running" and status.stage == LEARNING
    return Run(
        folder=str(path), title=_title(path, plan), plan=plan, state=state, stage=status.stage, done=status.done,
        total=status.total, step=losses[-1][0] if losses else 0,
        steps=steps if type(steps) is int else status.total if learning else 0, losses=losses, samples=_samples(path),
        seconds_left=status.seconds_left if state == "running" else None, message=message, hint=hint, pack=status.pack,
        tried=_tried(path) if status.pack else (),
    )  # fmt: skip


def start(path: Path | str) -> Run:
    """Begin a plan (its JSON file) or go on with a run (its folder), in a process of its own that outlives this one.

    Raises :class:`UserError` if the plan is not right or another training is alive.
    """
    plan, folder = open_plan(Path(path).absolute())
    pack_place(plan, Pack.open(plan.pack), folder)  # said now, not after hours
    return _launch(folder, wish="")


def pause(folder: Path | str) -> None:
    """Ask a run to keep a checkpoint and end its process; :func:`start` goes on from there. One that does not run is
    left as it is."""
    path = Path(folder)
    if _is_alive(path):
        _wish(path, "pause")


def stop(folder: Path | str) -> Run:
    """Ask a run to end and keep what it has learned so far: its pack is written. One that does not run is started for
    that alone. Raises :class:`UserError` if it has not learned anything, or another training is alive."""
    path = Path(folder).absolute()
    if _is_alive(path):
        _wish(path, "stop")
        return read(path)
    if not checkpoints(path):
        raise UserError("This training has not learned anything yet.", "Start it, or discard it.")
    return _launch(path, wish="stop")


def discard(folder: Path | str) -> Path:
    """Move a run's folder to the trash; where it is then. Its pack stays. Raises :class:`UserError`."""
    path = Path(folder).absolute()
    if not (path / PLAN).is_file():
        raise _no_run(path)
    if _is_alive(path):
        raise UserError(f"“{path.name}” is still learning.", "Pause it first.")
    there = make_folder(trash_dir(), "the trash") / f"{secrets.token_hex(4)}-{path.name}"
    try:
        shutil.move(path, there)
    except OSError as error:
        raise UserError(f"{path.name} could not be moved: {error.strerror}.", "Is it open in a program?") from error
    return there


def wish_of(folder: Path) -> str:
    """What is wished of a run: "pause", "stop" or ""."""
    if not (folder / WISH).exists():
        return ""
    wish = read_json(folder / WISH).get("wish")
    return wish if wish in ("pause", "stop") else ""


def forget_wish(folder: Path) -> None:
    """The wish was fulfilled, or is of an earlier time."""
    with contextlib.suppress(OSError):  # it is overwritten or obeyed later
        (folder / WISH).unlink(missing_ok=True)


def _launch(folder: Path, wish: str) -> Run:
    """Start a run's process, unless another training is alive."""
    with one_at_a_time():
        before = read_status(folder)
        if before and before.state == "running" and not before.alive and (hung := before.process()):
            with contextlib.suppress(psutil.Error):  # it is gone meanwhile
                hung.kill()  # its beat is stale: it hangs, and two processes must never write to one run
                hung.wait(10)
        take_turn(folder, os.getpid())  # refuses while another is alive; the process takes over from this one
        if wish:
            _wish(folder, wish)
        else:
            forget_wish(folder)
        try:
            process = _spawn(folder)
        except OSError as error:
            write_status(folder, Status(state="failed", message="The training's process could not be started."))
            raise UserError("The training's process could not be started.", "Restart PartCraft.") from error
        take_turn(folder, process.pid)
    # Somebody must hear of its end, or it stays in the table of processes for as long as this one lives.
    threading.Thread(target=process.wait, name="run-reaper", daemon=True).start()
    return read(folder)


def _spawn(folder: Path) -> subprocess.Popen[bytes]:
    words = ["train", "--resume", str(folder), RUN_WORD]
    environment = dict(os.environ, PYTHONUNBUFFERED="1")
    if getattr(sys, "frozen", False):
        command = [sys.executable, *words]
    else:  # a checkout that is not installed is found again from any folder
        command = [sys.executable, "-m", "engine", *words]
        root = str(Path(__file__).resolve().parents[2])
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, environment.get("PYTHONPATH")]))
    # On Windows a group of its own and no console; elsewhere a session of its own: it outlives whoever started it.
    apart = getattr(subprocess, "DETACHED_PROCESS", 0) | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
    with (folder / "process.log").open("ab") as log:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, cwd=folder,
            creationflags=apart, start_new_session=True,
        )  # fmt: skip


def _wish(folder: Path, wish: str) -> None:
    write_bytes(folder / WISH, json.dumps({"wish": wish}).encode(), "the wish")


def _is_alive(folder: Path) -> bool:
    status = read_status(folder)
    return status is not None and status.alive


def _silent(folder: Path) -> Status:
    """The status of a run that has none: new, or from before there were any."""
    learned = checkpoints(folder)
    return Status(state="paused" if learned else "ready")


def _title(folder: Path, plan: dict[str, Any]) -> str:
    """The title of the pack that is learned, else the folder's name."""
    pack = plan.get("pack")
    title = read_json(folder / pack / "pack.json").get("title") if isinstance(pack, str) and "\0" not in pack else None
    return title if isinstance(title, str) and title else folder.name


def _samples(folder: Path) -> tuple[Sample, ...]:
    found = []
    for path in (folder / "samples").glob("step-*/*.png"):
        step, part = path.parent.name.removeprefix("step-"), path.stem.removeprefix("part-")
        if step.isdecimal() and (path.stem == "whole" or part.isdecimal()):
            found.append(Sample(int(step), -1 if path.stem == "whole" else int(part), str(path)))
    return tuple(sorted(found, key=lambda one: (one.step, one.part)))


def _tried(folder: Path) -> tuple[str, ...]:
    found = [path for path in (folder / TRIED).glob("*.png") if path.stem.isdecimal()]
    return tuple(str(path) for path in sorted(found, key=lambda path: int(path.stem)))


def _touched(folder: Path) -> float:
    times = []
    for name in (LOG, PLAN):
        with contextlib.suppress(OSError):
            times.append((folder / name).stat().st_mtime)
    return max(times, default=0.0)


def _no_run(folder: Path) -> UserError:
    return UserError(f"There is no run in {folder}: {PLAN} is missing.", "Choose the folder of a training.")


# The log grows by a line a step and is looked at every second: only what is new is read.

_LINE: Final = re.compile(rb'"step": (\d+), "diffusion": (\S+), "attention": ([^\s,}]+)')
_known: dict[Path, tuple[int, int, list[tuple[int, float, float]]]] = {}
_knowing = threading.Lock()


def _log_of(path: Path) -> tuple[tuple[int, float, float], ...]:
    try:
        with _knowing, path.open("rb") as file:
            stat = os.fstat(file.fileno())
            node, offset, losses = _known.get(path, (-1, 0, []))
            if node != stat.st_ino or stat.st_size < offset:
                offset, losses = 0, []
            file.seek(offset)
            data = file.read()
            data = data[: data.rfind(b"\n") + 1]  # the last line may be half written
            for line in data.splitlines():
                with contextlib.suppress(ValueError):
                    if found := _LINE.search(line):
                        losses.append((int(found[1]), float(found[2].rstrip(b",")), float(found[3])))
            _known[path] = (stat.st_ino, offset + len(data), losses)
            return tuple(losses)
    except OSError:
        return ()
