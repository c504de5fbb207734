"""One training at a time: the lock, and whose turn it is."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from engine.core.atomic_files import make_folder, read_json, write_bytes
from engine.core.errors import UserError
from engine.core.paths import runs_dir
from engine.runs.status import RunStatus, process_created, read_status, write_status


@contextlib.contextmanager
def training_lock() -> Iterator[None]:
    """Held by one process at a time, and for a moment only; the system lets go of it if the process dies."""
    folder = make_folder(runs_dir(), "the runs")
    with (folder / ".lock").open("a+b") as file:
        _lock(file)
        try:
            yield
        finally:
            _unlock(file)


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
    write_bytes(runs_dir() / ".current.json", json.dumps({"run": str(run)}).encode(), "the run")


def current_run() -> Path | None:
    """The run that had the last turn, alive or not."""
    run = read_json(runs_dir() / ".current.json").get("run")
    return Path(run) if isinstance(run, str) and run else None


def _lock(file: IO[bytes]) -> None:
    if sys.platform == "win32":
        import msvcrt

        file.seek(0)
        while True:
            with contextlib.suppress(OSError):  # after ten seconds it gives up; another may hold it longer
                return msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)


def _unlock(file: IO[bytes]) -> None:
    if sys.platform == "win32":
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_UN)
