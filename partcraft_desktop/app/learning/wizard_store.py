"""The wizard's state as its verbs see it: read from the session, which holds it, and replaced there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, Protocol

from engine.worker.jobs import Job, News
from partcraft_desktop.app.learning.pages import PageKey
from partcraft_desktop.app.learning.state import JobProgress, LearningState, PageError, Work
from partcraft_desktop.app.messages import Action
from partcraft_desktop.app.state import State


class SessionServices(Protocol):
    """What learning needs of the session."""

    @property
    def state(self) -> State: ...
    def show_learning(self, learning: LearningState) -> None: ...
    def submit_job(self, job: Job, listener: Callable[[News], None]) -> int | None: ...
    def cancel_job(self, job_id: int) -> None: ...
    def list_packs(self) -> None: ...
    def open_pack_at(self, folder: str) -> None: ...
    def way_to(self, model: str) -> Action | None: ...
    def say(
        self,
        text: str,
        hint: str = "",
        kind: Literal["info", "warning", "error"] = "info",
        action: Action | None = None,
    ) -> None: ...


class WizardStore:
    """Keeps nothing: :attr:`now` is ``state.learning`` of the session, and every change goes there, through its one
    ``changed`` signal."""

    def __init__(self, session: SessionServices) -> None:
        self._session = session

    @property
    def now(self) -> LearningState:
        """The wizard's state."""
        return self._session.state.learning

    def replace(self, **changes: Any) -> None:
        """Replace the state by one with other fields."""
        self._session.show_learning(replace(self.now, **changes))

    def replace_draft(self, **changes: Any) -> None:
        """Replace the draft by one with other fields."""
        self.replace(draft=replace(self.now.draft, **changes))

    def show_progress(self, work: Work, progress: JobProgress) -> None:
        """Show how far something is."""
        self.replace(jobs={**self.now.jobs, work: progress})

    def clear_progress(self, work: Work) -> None:
        """Nothing of that kind is under way any more."""
        if work in self.now.jobs:
            self.replace(jobs={other: progress for other, progress in self.now.jobs.items() if other != work})

    def show_error(self, page: PageKey, error: PageError) -> None:
        """Show what went wrong on a page."""
        self.replace(errors={**self.now.errors, page: error})

    def clear_error(self, page: PageKey) -> None:
        """What went wrong on a page is past."""
        if page in self.now.errors:
            self.replace(errors={other: error for other, error in self.now.errors.items() if other != page})
