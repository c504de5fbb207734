"""Pulse: what a training's process says of itself in its run's folder, and whether that process is still alive.

``status.json`` is written whole at least every two seconds by a thread of the process. A process is alive when its id
is in use, by a process made at the same moment, and its last beat is fresh: a reused id, a power cut or a process that
hangs never look alive.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from statistics import median
from typing import IO, Any, Final

import psutil

from engine.core.errors import UserError
from engine.core.paths import data_dir, make_folder, write_bytes
from engine.worker.jobs import Losses, News, Progress

STATUS: Final = "status.json"
LEARNING: Final = "Learning"
"""The stage whose progress counts steps."""

_BEAT: Final = 1.0
_STALE: Final = 20.0
"""Seconds after which a silent process counts as dead; a machine that swaps keeps one waiting for a while."""
_SAME_MOMENT: Final = 2.0
"""Seconds by which the system may tell a process's birth differently when its clock is set."""
_RECENT: Final = 50
_BALLAST: Final = 16_384


@dataclass(frozen=True)
class Status:
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


def read_status(run: Path) -> Status | None:
    """The status in a run's folder; None if there is none that can be read."""
    document = read_json(run / STATUS)
    known: dict[str, Any] = {spec.name: document.get(spec.name) for spec in fields(Status)}
    for name in ("pid", "done", "total"):
        known[name] = known[name] if type(known[name]) is int else 0
    for name in ("created", "beat"):
        known[name] = float(known[name]) if isinstance(known[name], int | float) else 0.0
    for name in ("state", "stage", "message", "hint", "pack"):
        known[name] = known[name] if isinstance(known[name], str) else ""
    left = known["seconds_left"]
    known["seconds_left"] = float(left) if isinstance(left, int | float) and not isinstance(left, bool) else None
    return Status(**known) if document else None


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file that another process may be replacing; empty if it is not there or not whole."""
    for attempt in range(3):
        try:
            document = json.loads(path.read_text("utf-8"))
            return document if isinstance(document, dict) else {}
        except FileNotFoundError:
            return {}
        except PermissionError:  # on Windows, while it is being replaced
            time.sleep(0.01 * (attempt + 1))
        except (OSError, ValueError, RecursionError):
            return {}
    return {}


def write_status(run: Path, status: Status) -> None:
    """Write a run's status, whole or not at all. Raises :class:`UserError`."""
    write_bytes(run / STATUS, json.dumps(asdict(status), ensure_ascii=False).encode("utf-8", "replace"), "the status")


def born(pid: int) -> float:
    """When a process was made; 0 if it is gone."""
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).create_time()
    return 0.0


# One training at a time.


def runs_dir() -> Path:
    """Where runs are, unless a plan says otherwise."""
    return data_dir() / "runs"


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Held by one process at a time, and for a moment only; the system lets go of it if the process dies."""
    folder = make_folder(runs_dir(), "the runs")
    with (folder / ".lock").open("a+b") as file:
        _lock(file)
        try:
            yield
        finally:
            _unlock(file)


def take_turn(run: Path, pid: int) -> None:
    """Make ``run`` the one training there is, as the work of process ``pid``; call it inside :func:`one_at_a_time`.
    Raises :class:`UserError` that names the other one if there is another."""
    for other in dict.fromkeys((run, current())):
        status = read_status(other) if other else None
        if other and status and status.alive and (other != run or status.pid not in (pid, os.getpid(), os.getppid())):
            raise UserError(
                f"“{other.name}” is still learning." if other != run else f"“{run.name}” is learning already.",
                "Wait until it is done, or pause it first: one training at a time has the computer for itself."
                if other != run
                else "Watch it, or pause it first.",
            )
    write_status(run, Status(pid, born(pid), time.time(), stage="Starting"))
    write_bytes(runs_dir() / ".current.json", json.dumps({"run": str(run)}).encode(), "the run")


def current() -> Path | None:
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


class Pulse:
    """A training's voice while it is open: hears the news of its job and writes the run's status.

    ``steps`` is how many the plan has, ``sample_every`` how often it stops to paint. Raises :class:`UserError` on
    opening when another training is alive.
    """

    def __init__(self, run: Path, steps: int, sample_every: int = 0) -> None:
        self.run = run
        self.steps = steps
        self.step = 0
        self._every = sample_every
        self._status = Status(os.getpid(), born(os.getpid()), time.time(), stage="Starting")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="pulse", daemon=True)
        self._last: float | None = None
        self._steps: deque[float] = deque(maxlen=_RECENT)
        self._pauses: deque[float] = deque(maxlen=5)

    def __enter__(self) -> Pulse:
        make_folder(self.run, "the run")
        with one_at_a_time():
            take_turn(self.run, os.getpid())
        with contextlib.suppress(OSError):  # without it, a full disk is not told in the status
            (self.run / ".room").write_bytes(b"\0" * _BALLAST)
        self._thread.start()
        return self

    def hear(self, news: News) -> None:
        """Take one piece of the job's news."""
        if isinstance(news, Progress):
            if news.stage == LEARNING:
                self.step = news.done
            self._status = replace(
                self._status, stage=news.stage, done=news.done, total=news.total, seconds_left=self._left()
            )
        elif isinstance(news, Losses):
            now = time.monotonic()
            if self._last is not None:
                painted = self._every and (news.step - 1) % self._every == 0
                (self._pauses if painted else self._steps).append(now - self._last)
            self._last = now
            self.step = news.step

    def end(self, state: str, message: str = "", hint: str = "", pack: str = "") -> None:
        """Say how it ended and stop beating. A full disk is made room on for these last words."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        self._status = replace(
            self._status, state=state, message=message, hint=hint, pack=pack or self._status.pack, seconds_left=None,
            beat=time.time(),
        )  # fmt: skip
        with contextlib.suppress(OSError):
            (self.run / ".room").unlink(missing_ok=True)
        with contextlib.suppress(UserError):  # the folder is gone: nobody can be told there
            write_status(self.run, self._status)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if not self._ended.is_set():  # left by an exception that nobody told
            self.end("failed", f"The training ended unexpectedly: {kind.__name__ if kind else 'no reason was given'}.")

    def _left(self) -> float | None:
        """Seconds to the last step: the median of recent steps, and what painting samples takes beside them."""
        if not self._steps or self.step >= self.steps:
            return None
        usual = median(self._steps)
        left = (self.steps - self.step) * usual
        if self._every and self._pauses:
            pauses = self.steps // self._every - self.step // self._every
            left += pauses * max(0.0, median(self._pauses) - usual)
        return left

    def _beat(self) -> None:
        while True:
            with contextlib.suppress(UserError):  # a full disk may have room again the next time
                write_status(self.run, replace(self._status, beat=time.time()))
            if self._ended.wait(_BEAT):
                return
