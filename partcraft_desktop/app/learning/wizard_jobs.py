"""The wizard's jobs that are under way in the engine, how far they are, and what went wrong with them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from engine.worker.jobs import Cancelled, Failed, Finished, Job, News, Progress
from partcraft_desktop.app.learning.pages import PageKey
from partcraft_desktop.app.learning.state import JobProgress, PageError, Work
from partcraft_desktop.app.learning.wizard_store import SessionServices, WizardStore

_PAGE_OF: Final[Mapping[Work, PageKey]] = {
    "survey": "pictures", "parts": "parts", "eyes": "parts", "mix": "parts",
    "pack": "plan", "measure": "plan", "start": "plan",
}  # fmt: skip


class WizardJobs:
    """Sends jobs to the engine, one of a kind at a time, and shows their progress and their errors."""

    def __init__(self, session: SessionServices, store: WizardStore) -> None:
        self._session = session
        self._store = store
        self._numbers: dict[Work, int] = {}

    def is_running(self, work: Work) -> bool:
        """Whether a job of that kind is under way."""
        return work in self._numbers

    def start(self, work: Work, job: Job, landed: Callable[[Any], None]) -> None:
        """Send a job in place of the one of its kind; ``landed`` gets its result, unless it was cancelled."""
        self.cancel(work)
        self._store.clear_error(_PAGE_OF[work])
        started: list[int | None] = []

        def listen(news: News) -> None:
            if not started or self._numbers.get(work) != started[0]:
                return
            if isinstance(news, Progress):
                self._show_progress(work, started[0], news)
            elif isinstance(news, Finished | Failed | Cancelled):
                del self._numbers[work]
                self._store.clear_progress(work)
                if isinstance(news, Finished):
                    landed(news.result)
                elif isinstance(news, Failed):
                    self._show_failure(work, news)

        number = self._session.submit_job(job, listen)
        started.append(number)
        if number is not None:
            self._numbers[work] = number
            self._store.show_progress(work, JobProgress(number, started=time.monotonic()))

    def cancel(self, work: Work) -> None:
        """Let go of something that is under way."""
        number = self._numbers.pop(work, None)
        if number is not None:
            self._session.cancel_job(number)
        self._store.clear_progress(work)

    def cancel_all(self) -> None:
        """Let go of everything that is under way."""
        for work in tuple(self._numbers):
            self.cancel(work)

    def _show_progress(self, work: Work, number: int | None, news: Progress) -> None:
        before = self._store.now.jobs.get(work, JobProgress())
        started = before.started if before.stage == news.stage and before.started else time.monotonic()
        self._store.show_progress(work, JobProgress(number, news.stage, news.done, news.total, started))

    def _show_failure(self, work: Work, news: Failed) -> None:
        self._store.clear_progress("start")  # a start waits for what failed
        way = self._session.way_to(news.model)
        label, run = (way.label, way.run) if way else ("", None)
        error = PageError(news.message, news.hint, news.details, label, run)
        self._store.show_error(_PAGE_OF[work], error)
        if self._store.now.draft.page in ("parts", "plan"):  # where the user is looking
            self._store.show_error(self._store.now.draft.page, error)
