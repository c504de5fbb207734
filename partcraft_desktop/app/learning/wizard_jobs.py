"""Errands of the wizard: jobs that are under way in the engine, what they say, and what went wrong with them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, Literal, Protocol

from PySide6.QtCore import QObject

from engine.worker.jobs import Cancelled, Failed, Finished, Job, News, Progress
from partcraft_desktop.app.learning.draft import Page
from partcraft_desktop.app.learning.state import JobProgress, LearningState, PageError, Work
from partcraft_desktop.app.messages import Action

_PAGE_OF: Final[Mapping[Work, Page]] = {
    "survey": "pictures", "parts": "parts", "pack": "plan", "measure": "plan", "start": "plan",
}  # fmt: skip


class SessionServices(Protocol):
    """What learning needs of the session."""

    def submit_job(self, job: Job, listener: Callable[[News], None]) -> int | None: ...
    def cancel_job(self, job_id: int) -> None: ...
    def show_learning(self, learning: LearningState) -> None: ...
    def list_packs(self) -> None: ...
    def open_pack_at(self, folder: str) -> None: ...
    def say(
        self,
        text: str,
        hint: str = "",
        kind: Literal["info", "warning", "error"] = "info",
        action: Action | None = None,
    ) -> None: ...


class WizardJobs(QObject):
    """Holds the wizard's state, :attr:`now`, which is replaced and never changed; sends jobs out for it, one of a kind
    at a time, and puts what they say where it is seen."""

    def __init__(self, desk: SessionServices, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.now = LearningState()
        self._desk = desk
        self._jobs: dict[Work, int] = {}

    def cancel(self, work: Work) -> None:
        """Let go of something that is under way."""
        job = self._jobs.pop(work, None)
        if job is not None:
            self._desk.cancel_job(job)
        self._done(work)

    def _do(self, work: Work, job: Job, then: Callable[[Any], None]) -> None:
        self.cancel(work)
        self._calm(_PAGE_OF[work])
        numbers: list[int | None] = []

        def listen(news: News) -> None:
            if not numbers or self._jobs.get(work) != numbers[0]:
                return
            if isinstance(news, Progress):
                before = self.now.doing.get(work, JobProgress())
                started = before.started if before.stage == news.stage and before.started else time.monotonic()
                self._doing(work, JobProgress(numbers[0], news.stage, news.done, news.total, started))
            elif isinstance(news, Finished | Failed | Cancelled):
                del self._jobs[work]
                self._done(work)
                if isinstance(news, Finished):
                    then(news.result)
                elif isinstance(news, Failed):
                    self._done("start")
                    trouble = PageError(news.message, news.hint, news.details)
                    self._trouble(_PAGE_OF[work], trouble)
                    if self.now.draft.page in ("parts", "plan"):  # where the user is looking
                        self._trouble(self.now.draft.page, trouble)

        number = self._desk.submit_job(job, listen)
        numbers.append(number)
        if number is not None:
            self._jobs[work] = number
            self._doing(work, JobProgress(number, started=time.monotonic()))

    def _doing(self, work: Work, doing: JobProgress) -> None:
        self._set(doing={**self.now.doing, work: doing})

    def _done(self, work: Work) -> None:
        if work in self.now.doing:
            self._set(doing={one: doing for one, doing in self.now.doing.items() if one != work})

    def _trouble(self, page: Page, trouble: PageError) -> None:
        self._set(troubles={**self.now.troubles, page: trouble})

    def _calm(self, page: Page) -> None:
        if page in self.now.troubles:
            self._set(troubles={one: said for one, said in self.now.troubles.items() if one != page})

    def _draft(self, **changes: Any) -> None:
        self._set(draft=replace(self.now.draft, **changes))

    def _set(self, **changes: Any) -> None:
        self.now = replace(self.now, **changes)
        self._desk.show_learning(self.now)
