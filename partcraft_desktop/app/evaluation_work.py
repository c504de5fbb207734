"""An evaluation that a page of the window starts: its job, what it says on the way, and where it is kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, Signal

from engine.core.durations import duration
from engine.core.paths import slug
from engine.packs.pack import Pack
from engine.worker.jobs import Cancelled, Evaluate, Evaluating, Failed, Finished, Job, News, Progress
from partcraft_desktop.app.messages import Message
from partcraft_desktop.app.store import Store

FOLDER: Final = "evaluations"
REPORT: Final = "report.html"


class EvaluationWork(QObject):
    """One evaluation at a time of one pack, for one dialog.

    ``progressed(words)``: what is done and how long yet; ``grown(Evaluating)``: the figures so far; ``ended(report,
    message)``: the report's path, empty where there is none, and what is to be said, None if nothing. Evaluations with
    the same settings have the same folder, so that one which was stopped goes on.
    """

    progressed = Signal(str)
    grown = Signal(object)
    ended = Signal(str, object)

    def __init__(
        self,
        store: Store,
        pack: Pack,
        home: Path,
        submit: Callable[[Job, Callable[[News], None]], int | None],
        cancel: Callable[[int], None],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._pack = pack
        self._home = home
        self._submit = submit
        self._cancel = cancel
        self._job: int | None = None
        self._wish: object | None = None
        self._stage = ""
        self._began, self._first = 0.0, 0
        self._latest: Evaluating | None = None

    @property
    def running(self) -> bool:
        """Whether an evaluation is under way."""
        return self._wish is not None

    def begin(self, mixes: tuple[int, ...], count: int, seed: int) -> None:
        """Start an evaluation, or go on with it."""
        if self.running:
            return
        name = f"{slug(self._pack.id, 'pack')}-{'-'.join(map(str, mixes))}-of-{count}-seed-{seed}"
        job = Evaluate(str(self._pack.path), str(self._home / FOLDER / name), mixes, count, seed, beside=True)
        wish = self._wish = object()
        self._stage, self._latest = "", None
        self.progressed.emit("Starting")
        self._job = self._submit(job, lambda news: self._hear(wish, news))
        if self._job is None:
            self._end("", None)

    def stop(self) -> None:
        """Stop; what was rendered is kept."""
        if self._job is not None and self.running:
            self.progressed.emit("Stopping…")
            self._cancel(self._job)

    def close(self) -> None:
        """Stop, and say nothing more."""
        if self._job is not None and self.running:
            self._cancel(self._job)
        self._wish = self._job = None

    def _hear(self, wish: object, news: News) -> None:
        if self._wish is not wish:
            return
        match news:
            case Progress():
                self.progressed.emit(self._words(news, time.monotonic()))
            case Evaluating():
                self._latest = news
                self.grown.emit(news)
            case Finished():
                out = self._latest.out if self._latest is not None else ""
                self._end(str(Path(out) / REPORT) if out else "", None)
            case Failed():
                self._end("", self._store.message_of(news))
            case Cancelled():
                self._end("", Message("Stopped. What was rendered is kept; Start goes on from there."))
            case _:
                pass

    def _end(self, report: str, message: Message | None) -> None:
        self._wish = self._job = None
        self.ended.emit(report, message)

    def _words(self, news: Progress, now: float) -> str:
        """What is under way: "Rendering mixes, 12 of 64, 3 min left". The time is told from what this start has
        rendered."""
        if news.stage != self._stage:
            self._stage, self._began, self._first = news.stage, now, news.done
        words = news.stage
        result = self._latest.result if self._latest is not None else None
        if result is not None and result.count < result.planned:
            words += f", {result.count} of {result.planned}"
        done, spent = news.done - self._first, now - self._began
        if news.total and done > 0 and spent > 1:
            words += f", {duration(spent / done * (news.total - news.done))} left"
        return words
