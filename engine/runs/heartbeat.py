"""A training says that it lives, how far it is and how long it will take."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Final

from engine.core.atomic_files import make_folder
from engine.core.errors import UserError
from engine.runs.lock import take_turn, training_lock
from engine.runs.status import LEARNING_STAGE, RunStatus, process_created, write_status
from engine.worker.jobs import Losses, News, Progress

_BEAT: Final = 1.0

_RECENT: Final = 50
_BALLAST: Final = 16_384


class Heartbeat:
    """A training's voice while it is open: hears the news of its job and writes the run's status.

    ``steps`` is how many the plan has, ``sample_every`` how often it stops to paint. Raises :class:`UserError` on
    opening when another training is alive.
    """

    def __init__(self, run: Path, steps: int, sample_every: int = 0) -> None:
        self.run = run
        self.steps = steps
        self.step = 0
        self._every = sample_every
        self._status = RunStatus(os.getpid(), process_created(os.getpid()), time.time(), stage="Starting")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="pulse", daemon=True)
        self._last: float | None = None
        self._steps: deque[float] = deque(maxlen=_RECENT)
        self._pauses: deque[float] = deque(maxlen=5)

    def __enter__(self) -> Heartbeat:
        make_folder(self.run, "the run")
        with training_lock():
            take_turn(self.run, os.getpid())
        with contextlib.suppress(OSError):  # without it, a full disk is not told in the status
            (self.run / ".room").write_bytes(b"\0" * _BALLAST)
        self._thread.start()
        return self

    def hear(self, news: News) -> None:
        """Take one piece of the job's news."""
        if isinstance(news, Progress):
            if news.stage == LEARNING_STAGE:
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
