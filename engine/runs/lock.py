"""One training at a time: the lock, and whose turn it is."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from engine.core.atomic_files import make_folder, read_json, write_bytes
from engine.core.errors import UserError
from engine.core.json_values import json_bytes
from engine.core.paths import runs_dir
from engine.runs.status import RunStatus, process_created, read_status, write_status


@contextlib.contextmanager
def training_lock() -> Iterator[None]:
    """Held by one process at a time, and for a moment only; the system lets go of it if the process dies."""
    # On Unix it is flock, as in the versions that called it by hand: theirs and this one exclude each other. A soft
    # lock, filelock's way out where a disk knows no flock, would outlive a process that was killed.
    with FileLock(make_folder(runs_dir(), "the runs") / ".lock", fallback_to_soft=False):
        yield


def take_turn(run: Path, pid: int) -> None:
    """Make ``run`` the one training there is, as the work of process ``pid``; call it inside :func:`training_lock`.
    Raises :class:`UserError` that names the other one if there is another."""
    for other in dict.fromkeys((run, current_run())):
        status = read_status(other) if other else None
        if other and status and status.alive and (other != run or status.pid not in (pid, os.getpid(), os.getppid())):
            raise UserError(
                f"“{other.name}” is still learning." if other != run else f"“{run.name}” is learning already.",
                "Wait until it is done, or pause it first: one training at a time has the computer for itself."
                if other != run
                else "Watch it, or pause it first.",
            )
    write_status(run, RunStatus(pid, process_created(pid), time.time(), stage="Starting"))
    write_bytes(runs_dir() / ".current.json", json_bytes({"run": str(run)}), "the run")


def current_run() -> Path | None:
    """The run that had the last turn, alive or not."""
    run = read_json(runs_dir() / ".current.json").get("run")
    return Path(run) if isinstance(run, str) and run else None
