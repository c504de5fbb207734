"""Pulse: what a training's process says of itself in its run's folder, and whether that process is still alive.

``status.json`` is written whole at least every two seconds by a thread of the process. A process is alive when its id
is in use, by a process made at the same moment, and its last beat is fresh: a reused id, a power cut or a process that
hangs never look alive.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

import psutil

from engine.core.atomic_files import read_json, write_bytes
from engine.core.json_values import finite_number, json_bytes

STATUS: Final = "status.json"

LEARNING_STAGE: Final = "Learning"
"""The stage whose progress counts steps."""

_STALE: Final = 20.0
"""Seconds after which a silent process counts as dead; a machine that swaps keeps one waiting for a while."""
_SAME_MOMENT: Final = 2.0
"""Seconds by which the system may tell a process's birth differently when its clock is set."""


@dataclass(frozen=True)
class RunStatus:
    """What ``status.json`` says. ``created`` and ``beat`` are seconds since 1970; ``seconds_left`` is None when
    nobody can know. ``state`` is "running", "paused", "stopped", "failed" or "finished"."""

    pid: int = 0
    created: float = 0.0
    beat: float = 0.0
    state: str = "running"
    stage: str = ""
    done: int = 0
    total: int = 0
    message: str = ""
    hint: str = ""
    pack: str = ""
    seconds_left: float | None = None

    @property
    def alive(self) -> bool:
        """Whether its process works on."""
        return self.state == "running" and abs(time.time() - self.beat) < _STALE and self.process() is not None

    def process(self) -> psutil.Process | None:
        """Its process, even one that hangs; None if it is gone or its id is another's now."""
        try:
            process = psutil.Process(self.pid) if self.pid > 0 else None
            if process is None or process.status() == psutil.STATUS_ZOMBIE:
                return None
            return process if abs(process.create_time() - self.created) < _SAME_MOMENT else None
        except (psutil.Error, OverflowError):
            return None


def read_status(run: Path) -> RunStatus | None:
    """The status in a run's folder; None if there is none that can be read."""
    document = read_json(run / STATUS)
    values: dict[str, Any] = {spec.name: document.get(spec.name) for spec in fields(RunStatus)}
    for name in ("pid", "done", "total"):
        values[name] = values[name] if type(values[name]) is int else 0
    for name in ("created", "beat"):
        values[name] = finite_number(values[name]) or 0.0
    for name in ("state", "stage", "message", "hint", "pack"):
        values[name] = values[name] if isinstance(values[name], str) else ""
    values["seconds_left"] = finite_number(values["seconds_left"])
    return RunStatus(**values) if document else None


def write_status(run: Path, status: RunStatus) -> None:
    """Write a run's status, whole or not at all. Raises :class:`UserError`."""
    write_bytes(run / STATUS, json_bytes(asdict(status)), "the status")


def process_created(pid: int) -> float:
    """When a process was made; 0 if it is gone."""
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).create_time()
    return 0.0
