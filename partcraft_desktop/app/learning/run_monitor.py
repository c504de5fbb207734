"""Trainings: found when the app starts, read about once a second while one works, asked to pause or stop."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal

from PySide6.QtCore import QObject, QTimer, Signal

from engine.core.errors import UserError
from engine.runs.run import Run
from partcraft_desktop.app.background import BackgroundReader
from partcraft_desktop.app.learning.state import ALIVE, PageError, RunsApi, Wish
from partcraft_desktop.app.messages import reason

EVERY_MS: Final = 1000
RARELY: Final = 5
"""A lost training is looked at so many times less often: a computer that slept wakes up, and its training goes on."""
WATCHED: Final = (*ALIVE, "lost")


class RunMonitor(QObject):
    """Knows the runs. ``changed``: :attr:`known` or :attr:`wishes` differ; ``ended(Run)``: one came to rest while it
    was watched; ``failed(PageError)``: something that was asked for could not be done.

    Files are read on the readers' threads: a long log takes longer than a frame. There is one poll at a time.
    """

    changed = Signal()
    ended = Signal(object)
    failed = Signal(object)

    def __init__(self, runs: RunsApi, readers: BackgroundReader, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._runs = runs
        self._readers = readers
        self._closed = False
        self._polling = False
        self.known: tuple[Run, ...] = ()
        self.wishes: dict[str, Wish] = {}
        self._timer = QTimer(self, interval=EVERY_MS)
        self._timer.timeout.connect(self._poll)

    def find(self) -> None:
        """List all runs, off the Qt thread."""
        self._ask(self._runs.runs, lambda runs: self._take(tuple(runs)), must_finish=False)

    def begin(
        self, prepare: Callable[[], str], then: Callable[[Run], None], failed: Callable[[PageError], None]
    ) -> None:
        """Make a run with ``prepare`` (off the Qt thread; its folder) and start it. Refused, it is removed."""

        def work() -> Run:
            folder = prepare()
            try:
                return self._runs.start(folder)
            except UserError:
                shutil.rmtree(folder, ignore_errors=True)
                raise

        def landed(run: Run) -> None:
            self._add(run)
            then(run)

        self._ask(work, landed, failed)

    def resume(self, folder: str) -> None:
        """Go on with a run that is paused, stopped, failed or lost."""
        self._wish(folder, "resume")

        def failed(error: PageError) -> None:
            self._unwish(folder, error)
            self.find()  # maybe it learns already, as others know

        self._ask(lambda: self._runs.start(folder), self._add, failed)

    def wish(self, folder: str, wish: Literal["pause", "stop"]) -> None:
        """Ask a run to pause, or to stop and keep what was learned. It does so after its step."""
        self._wish(folder, wish)
        act = self._runs.pause if wish == "pause" else self._runs.stop

        def landed(run: Run | None) -> None:
            if run is not None:
                self._add(run)
            self._poll()

        self._ask(lambda: act(folder), landed, lambda error: self._unwish(folder, error))

    def _wish(self, folder: str, wish: Wish) -> None:
        self.wishes = {**self.wishes, folder: wish}
        self.changed.emit()

    def _unwish(self, folder: str, error: PageError) -> None:
        self.wishes = {at: wish for at, wish in self.wishes.items() if at != folder}
        self.failed.emit(error)
        self.changed.emit()

    def discard(self, folder: str, then: Callable[[Path], None]) -> None:
        """Move a run to the trash; ``then`` is told where it is now."""

        def landed(trashed: Path) -> None:
            self._take(tuple(run for run in self.known if run.folder != folder))
            then(trashed)

        self._ask(lambda: self._runs.discard(folder), landed)

    def bring_back(self, trashed: Path) -> None:
        """Move a discarded run to where it was, or beside that if another has taken its name."""
        self._ask(lambda: self._runs.restore(trashed), lambda _: self.find())

    def close(self) -> None:
        """Watch no more."""
        self._closed = True
        self._timer.stop()

    def _add(self, run: Run) -> None:
        others = tuple(other for other in self.known if other.folder != run.folder)
        self._take((run, *others))

    def _take(self, runs: tuple[Run, ...]) -> None:
        before = {run.folder: run for run in self.known}
        self.known = runs
        alive = {run.folder for run in runs if run.state in ALIVE}
        # Nobody but a living process can pause or stop, and only one at rest can go on.
        self.wishes = {at: wish for at, wish in self.wishes.items() if (at in alive) == (wish != "resume")}
        if not self._closed and any(run.state in WATCHED for run in runs):
            self._timer.start(EVERY_MS if alive else RARELY * EVERY_MS)
        else:
            self._timer.stop()
        self.changed.emit()
        for run in runs:
            was = before.get(run.folder)
            if was is not None and was.state in WATCHED and run.state not in ALIVE and run.state != was.state:
                self.ended.emit(run)

    def _poll(self) -> None:
        watched = [run for run in self.known if run.state in WATCHED]
        if self._polling or not watched:
            return
        self._polling = True

        def landed(runs: list[Run]) -> None:
            self._polling = False
            fresh = {run.folder: run for run in runs}
            self._take(tuple(fresh.get(run.folder, run) for run in self.known))

        def failed(error: PageError) -> None:
            self._polling = False
            self.failed.emit(error)

        self._ask(lambda: [self._read(run) for run in watched], landed, failed, must_finish=False)

    def _read(self, run: Run) -> Run:
        """A run as it is now. Where its folder is gone, or its drive, what was known stays on show, as lost."""
        try:
            return self._runs.read(run.folder)
        except (UserError, OSError) as error:
            failure = page_error(error)
            return replace(run, state="lost", message=failure.message, hint=failure.hint)

    def _ask(
        self,
        work: Callable[[], Any],
        then: Callable[[Any], None],
        failed: Callable[[PageError], None] | None = None,
        must_finish: bool = True,
    ) -> None:
        def landed(result: Any) -> None:
            if self._closed:
                return
            if isinstance(result, Exception):
                (failed or self.failed.emit)(page_error(result))
            else:
                then(result)

        self._readers.ask(work, landed, self, must_finish)


def page_error(error: Exception) -> PageError:
    """An error in words."""
    if isinstance(error, UserError):
        return PageError(error.message, error.hint)
    return PageError("This could not be done.", reason(error))
