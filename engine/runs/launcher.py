"""Runs begun, paused, stopped and discarded from outside their process."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from pathlib import Path
from typing import Final

import psutil

from engine.core.errors import UserError
from engine.core.on_disk import is_file
from engine.core.paths import runs_dir
from engine.core.reentry import neutral_folder, own_command, own_environment
from engine.core.trash import bring_back, is_trashed, move_to_trash
from engine.packs.pack import Pack
from engine.runs.lock import take_turn, training_lock
from engine.runs.run import Run, list_runs, no_run_error, read_run
from engine.runs.run_folder import PLAN, checkpoints, clear_wish, open_plan, pack_destination, write_wish
from engine.runs.status import RunStatus, read_status, write_status

RUN_WORD: Final = "--beside-the-window"
"""The hidden word of a run's own process: it is polite to the window, and writes to a log."""


def start_run(path: Path | str) -> Run:
    """Begin a plan (its JSON file) or go on with a run (its folder), in a process of its own that outlives this one.

    Raises :class:`UserError` if the plan is not right or another training is alive.
    """
    plan, folder = open_plan(Path(path).absolute())
    pack_destination(plan, Pack.open(plan.pack), folder)  # said now, not after hours
    return _launch(folder, wish="")


def pause_run(folder: Path | str) -> None:
    """Ask a run to keep a checkpoint and end its process; :func:`start_run` goes on from there. One that does not run
    is left as it is."""
    path = Path(folder)
    if is_alive(path):
        write_wish(path, "pause")


def stop_run(folder: Path | str) -> Run:
    """Ask a run to end and keep what it has learned so far: its pack is written. One that does not run is started for
    that alone. Raises :class:`UserError` if it has not learned anything, or another training is alive."""
    path = Path(folder).absolute()
    if is_alive(path):
        write_wish(path, "stop")
        return read_run(path)
    if not checkpoints(path):
        raise UserError("This training has not learned anything yet.", "Start it, or discard it.")
    return _launch(path, wish="stop")


def discard_run(folder: Path | str) -> Path:
    """Move a run's folder to the trash; where it is then. Its pack stays. Raises :class:`UserError`."""
    path = Path(folder).absolute()
    if not is_file(path / PLAN):
        raise no_run_error(path)
    if is_alive(path):
        raise UserError(f"“{path.name}” is still learning.", "Pause it first.")
    return move_to_trash(path)


def restore_run(trashed: Path) -> Path:
    """Bring a discarded run back from the trash; where it is then. Raises :class:`UserError`, also if it is not there
    any more."""
    if not is_trashed(trashed, PLAN):
        raise UserError("This training is no longer in the trash.", "It was brought back, or deleted for good.")
    return bring_back(trashed, runs_dir())


def _launch(folder: Path, wish: str) -> Run:
    """Start a run's process, unless another training is alive."""
    with training_lock():
        before = read_status(folder)
        if before and before.state == "running" and not before.alive and (hung := before.process()):
            with contextlib.suppress(psutil.Error):  # it is gone meanwhile
                hung.kill()  # its beat is stale: it hangs, and two processes must never write to one run
                hung.wait(10)
        take_turn(folder, os.getpid())  # refuses while another is alive; the process takes over from this one
        if wish:
            write_wish(folder, wish)
        else:
            clear_wish(folder)
        try:
            process = _spawn(folder)
        except OSError as error:
            write_status(folder, RunStatus(state="failed", message="The training's process could not be started."))
            raise UserError("The training's process could not be started.", "Restart PartCraft.") from error
        take_turn(folder, process.pid)
    # Somebody must hear of its end, or it stays in the table of processes for as long as this one lives.
    threading.Thread(target=process.wait, name="run-reaper", daemon=True).start()
    return read_run(folder)


def _spawn(folder: Path) -> subprocess.Popen[bytes]:
    command = own_command("train", "--resume", str(folder), RUN_WORD)
    # On Windows a group of its own and no console; elsewhere a session of its own: it outlives whoever started it.
    apart = getattr(subprocess, "DETACHED_PROCESS", 0) | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
    with (folder / "process.log").open("ab") as log:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=own_environment(), cwd=neutral_folder(),
            creationflags=apart, start_new_session=True,
        )  # fmt: skip


def is_alive(folder: Path) -> bool:
    status = read_status(folder)
    return status is not None and status.alive


class LocalRuns:
    """The runs of this computer as one object, which the window is given; its tests give one whose runs they decide."""

    runs = staticmethod(list_runs)
    read = staticmethod(read_run)
    start = staticmethod(start_run)
    pause = staticmethod(pause_run)
    stop = staticmethod(stop_run)
    discard = staticmethod(discard_run)
    restore = staticmethod(restore_run)
