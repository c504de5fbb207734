"""From the wizard to mixing: the pack that was learned, or one made of the parts that were found, untrained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from engine.core.atomic_files import write_bytes
from engine.core.json_values import json_bytes
from engine.core.paths import free_folder, packs_dir, slug
from engine.worker.jobs import MOST_REFERENCES, Discover
from partcraft_desktop.app.background import BackgroundReader
from partcraft_desktop.app.learning import planning
from partcraft_desktop.app.learning.draft import Draft
from partcraft_desktop.app.learning.run_monitor import page_error
from partcraft_desktop.app.learning.state import JobProgress
from partcraft_desktop.app.learning.wizard_jobs import WizardJobs
from partcraft_desktop.app.learning.wizard_store import SessionServices, WizardStore
from partcraft_desktop.app.messages import Action


@dataclass(frozen=True)
class _Made:
    job: Discover
    folder: str


class PackMixing(QObject):
    """``opened``: a pack is open now, and a person wants to mix; ``plan_wanted(Draft)``: show the plan of a draft."""

    opened = Signal()
    plan_wanted = Signal(object)

    def __init__(
        self,
        session: SessionServices,
        store: WizardStore,
        jobs: WizardJobs,
        readers: BackgroundReader,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._store = store
        self._jobs = jobs
        self._readers = readers
        self._made: _Made | None = None

    def learned(self) -> None:
        """Open the pack that was learned and leave the wizard."""
        run = self._store.now.run
        if run is not None and run.pack:
            self._open(run.pack)

    def found(self) -> None:
        """Write the parts that were found as a pack, without any training, open it and leave the wizard. What was
        written already, and is still in the library, is opened at once."""
        now = self._store.now
        if not now.sorted or now.draft.extends or "mix" in now.jobs:
            return
        self._store.replace_draft(plan=planning.with_proposals(now))
        error = planning.plan_error(self._store.now)
        if error is not None:
            self._store.show_error(now.draft.page, error)
            return
        now = self._store.now
        draft = now.draft
        job = replace(planning.discover_job(now, ""), references=MOST_REFERENCES)
        listed = {str(pack.path) for pack in self._session.state.packs}
        if self._made is not None and self._made.job == job and self._made.folder in listed:
            self._open(self._made.folder)
            return
        self._jobs.cancel("measure")
        self._store.show_progress("mix", JobProgress(stage="Making the pack"))

        def placed(folder: Path | Exception) -> None:
            if isinstance(folder, Path) and "mix" in self._store.now.jobs:
                self._jobs.start("mix", replace(job, out=str(folder)), lambda path: self._written(draft, job, path))
            else:
                self._store.clear_progress("mix")
                if isinstance(folder, Exception):
                    self._store.show_error(draft.page, page_error(folder))

        self._readers.ask(lambda: free_folder(packs_dir(), slug(job.title, "vocabulary")), placed, self)

    def train(self, folder: str) -> None:
        """Show the plan of the training that a pack of found parts was not given."""

        def landed(draft: Draft | Exception | None) -> None:
            if isinstance(draft, Draft):
                self.plan_wanted.emit(replace(draft, page="plan"))
            else:
                self._session.say(
                    "What was decided when this pack was made is not kept with it.",
                    "Choose the pictures once more: New vocabulary.",
                    "warning",
                )

        self._readers.ask(lambda: planning.kept_draft(folder), landed, self)

    def _written(self, draft: Draft, job: Discover, folder: str) -> None:
        self._made = _Made(job, folder)
        document: Mapping[str, Any] = replace(draft, page="parts").to_document()

        def kept(_: object) -> None:  # without what was decided it cannot be trained from here: mixing can
            self._session.list_packs()
            if not self._store.now.shown:  # who left meanwhile is not taken away from what they do
                show = Action("Open", lambda: self._open(folder))
                self._session.say(f"“{job.title}” is ready to mix.", action=show)
                return
            self._open(folder)
            total = len(self._store.now.surveyed.pictures) if self._store.now.surveyed else 0
            more = f" {MOST_REFERENCES} of {total:,} pictures can be clicked." if total > MOST_REFERENCES else ""
            self._session.say(f"“{job.title}” is ready: click a part of any picture.{more}")

        data = json_bytes(document, indent=1)
        self._readers.ask(lambda: write_bytes(Path(folder) / planning.KEPT_DRAFT, data, "the pack"), kept, self)

    def _open(self, folder: str) -> None:
        self._session.open_pack_at(folder)
        self._store.replace(shown=False)
        self.opened.emit()
