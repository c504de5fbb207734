"""Learning: the verbs of the wizard. A folder of pictures becomes parts, a plan, a training, a pack.

It belongs to Session and takes part in its circle: a verb replaces :attr:`now` and says so; jobs go to the engine
through Session, and their news come back here. Trainings are processes of their own, see :mod:`engine.runs.run`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from PySide6.QtCore import QObject, Signal

from engine.core.paths import packs_dir, resources_dir
from engine.packs.pack import Pack
from engine.runs.run import Run
from engine.worker.jobs import Discover, Measure, Measured, Survey, Surveyed
from partcraft_desktop.app.background import BackgroundReader
from partcraft_desktop.app.learning import planning
from partcraft_desktop.app.learning.draft import PAGES, Draft, DraftPlan, Page
from partcraft_desktop.app.learning.part_editor import PartEditor
from partcraft_desktop.app.learning.part_sorting import PartSorting
from partcraft_desktop.app.learning.run_monitor import RunMonitor
from partcraft_desktop.app.learning.state import JobProgress, PageError, RunsApi, base_models, can_be_extended, has_pack
from partcraft_desktop.app.learning.wizard_jobs import SessionServices
from partcraft_desktop.app.messages import Action


class LearningController(PartEditor):
    """``mixing``: a pack that was learned is open now, and a person wants to mix."""

    mixing = Signal()

    def __init__(
        self, desk: SessionServices, readers: BackgroundReader, home: Path, runs: RunsApi, parent: QObject | None = None
    ) -> None:
        super().__init__(desk, parent)
        self._readers = readers
        self._home = home
        self._made: Discover | None = None
        self._measured_for: tuple[Any, ...] = ()
        self._looked_at: Surveyed | None = None
        self._starting: object | None = None
        # Pause and Stop must not wait behind pictures.
        self._run_readers = BackgroundReader(self, threads=1)
        self._watch = RunMonitor(runs, self._run_readers, self)
        self._watch.changed.connect(self._runs_changed)
        self._watch.ended.connect(self._run_ended)
        self._watch.failed.connect(self._run_trouble)

    def begin(self, saved: Mapping[str, Any], packs: tuple[Pack, ...]) -> None:
        """Bring back what was decided last time, and find trainings. Pictures are looked at when the wizard opens."""
        self._set(draft=Draft.from_document(saved))
        self.packs_changed(packs)
        self._watch.find()

    def packs_changed(self, packs: tuple[Pack, ...]) -> None:
        """Other packs are at hand."""
        self._set(base_models=base_models(packs), extendable=tuple(pack for pack in packs if can_be_extended(pack)))

    def close(self) -> None:
        """Watch no more. A training goes on."""
        self._later.stop()
        self._watch.close()
        self._run_readers.close()

    # Walking

    def show(self) -> None:
        """Open the wizard where it was left."""
        self._set(shown=True)
        self._watch.find()
        self._enter(self.now.draft.page)

    def find_runs(self) -> None:
        """See which trainings there are now; others may have been started elsewhere."""
        self._watch.find()

    def hide(self) -> None:
        """Leave the wizard; everything stays as it is, and a training goes on."""
        self._set(shown=False)

    def start_over(self) -> None:
        """Begin another vocabulary; what was decided can be brought back. A training that works goes on."""
        before = self.now.draft
        self._clear()
        self._offer_back(before, "What you decided was put aside.")

    def _offer_back(self, before: Draft, words: str) -> None:
        """Offer to go on with a draft that another took the place of; what a run learns is kept with the run."""
        if before.sorting.parts and not before.run:
            self._desk.say(words, action=Action("Undo", lambda: self._go_on_with(before)))

    def _clear(self) -> None:
        """An empty draft; nothing is under way for the one before."""
        for work in tuple(self._jobs):
            self.cancel(work)
        self._starting = None
        self._done("start")
        self._later.stop()
        self._looked_at, self._walls = None, {}
        self._undone, self._redone, self._found_for, self._made, self._measured_for = [], [], None, None, ()
        none: dict[str, Any] = {"surveyed": None, "found": None, "wall": (), "measured": None, "troubles": {}}
        self._set(draft=Draft(), can_undo=False, can_redo=False, **none)

    def go(self, page: Page) -> None:
        """Show a page, if what it needs is there."""
        if self.now.reached(page):
            self._enter(page)

    def next(self) -> None:
        """The next page; from the plan: start the training."""
        page = self.now.draft.page
        if page == "plan":
            self.learn()
        elif page != PAGES[-1]:
            self.go(PAGES[PAGES.index(page) + 1])

    def back(self) -> None:
        """The page before; nothing is lost."""
        at = PAGES.index(self.now.draft.page)
        if at > 0:
            self._enter(PAGES[at - 1])

    def _enter(self, page: Page) -> None:
        self._draft(page=page)
        if self.now.draft.folder and self.now.surveyed is None and "survey" not in self._jobs:
            self._survey()
        elif page == "parts":
            self._find_parts()
        elif page == "plan":
            self._measure()

    # Pictures

    def open_folder(self, folder: str | Path) -> None:
        """Take the pictures of a folder, for a vocabulary or for more of one."""
        path = str(Path(folder).expanduser().absolute())
        before = self.now.draft
        if path != before.folder or before.run:
            self._clear()
            self._offer_back(before, "These are other pictures.")
        self._draft(folder=path, page="pictures", extends="" if before.run else before.extends)
        self._set(shown=True, surveyed=None)
        self._survey()

    def _go_on_with(self, draft: Draft) -> None:
        self._clear()
        self._draft(**vars(draft))
        self._set(shown=True)
        self._enter(draft.page)

    def open_practice(self) -> None:
        """Take the pictures that come with PartCraft."""
        self.open_folder(resources_dir() / "starter" / "practice")

    def extend(self, folder: str) -> None:
        """Make more for a pack, or (empty) a new vocabulary."""
        if folder != self.now.draft.extends:
            self._starting = None
            self.cancel("pack")
            self._done("start")
            self._undone, self._redone, self._made = [], [], None
            self._draft(extends=folder, sorting=PartSorting())
            self._set(found=None, wall=(), measured=None, can_undo=False, can_redo=False)

    def _survey(self) -> None:
        def landed(surveyed: Surveyed) -> None:
            before, self._looked_at = self._looked_at, surveyed
            if before is not None and (before.pictures, before.kinds) != (surveyed.pictures, surveyed.kinds):
                # Other pictures in the same folder: what was found in those before is not enough.
                self._found_for, self._made, self._measured_for, self._walls = None, None, (), {}
            self._set(surveyed=surveyed)
            if self.now.draft.page != "pictures":
                self._enter(self.now.draft.page)

        self._do("survey", Survey(self.now.draft.folder), landed)

    # Plan

    def _sorted(self) -> None:
        if self.now.draft.page == "plan":
            self._measure()

    def set_plan(self, **changes: Any) -> None:
        """Change what is planned: fields of :class:`DraftPlan`, or names of ``MORE``."""
        plan = self.now.draft.plan
        known = {name: value for name, value in changes.items() if hasattr(plan, name)}
        more = {**plan.more, **{name: value for name, value in changes.items() if name not in known}}
        self._draft(plan=replace(plan, **known, more=planning.changed_settings(more, self.now)))
        if self.now.draft.page == "plan":
            self._measure()

    def _measure(self) -> None:
        """Measure a step of what is planned, unless that is known."""
        if not self.now.reached("plan"):
            if self.now.surveyed is not None and not self.now.sorted:
                self._find_parts()
            return
        key = planning.measure_key(self.now)
        if key == self._measured_for or "start" in self.now.doing:
            return
        self._measured_for = key
        self.cancel("measure")
        self._set(measured=None)
        plan = self.now.draft.plan
        if not plan.title or not plan.noun:
            self._draft(plan=planning.with_proposals(self.now))

        def measure(folder: str) -> None:
            batch, rank, side = (planning.setting(self.now, name) for name in ("batch", "rank", "size"))
            job = Measure(folder, planning.base_model(self.now), batch, rank, side)
            self._do("measure", job, landed)

        def landed(measured: Measured) -> None:
            self._set(measured=measured)

        self._with_pack(measure)

    def _with_pack(self, then: Callable[[str], None]) -> None:
        """Write the untrained pack, unless it is there, and go on with its folder."""
        job = planning.discover_job(self.now, str(self._home / "drafts" / "vocabulary"))
        if self._made == job:
            then(job.out)
            return

        def landed(folder: str) -> None:
            self._made = job
            then(folder)

        self._made = None
        self.cancel("pack")
        self._do("pack", job, landed)

    # The training

    def learn(self) -> None:
        """Start the training that is planned."""
        if not self.now.reached("plan") or "start" in self.now.doing:
            return
        self._draft(plan=planning.with_proposals(self.now))
        wrong = planning.plan_error(self.now)
        if wrong is not None:
            self._trouble("plan", wrong)
            return
        alive = self.now.alive
        if alive is not None:
            self._trouble(
                "plan",
                PageError(
                    f"“{alive.title}” is being learned now, and one training at a time is all this computer does.",
                    "Wait for it, or pause it.",
                    label="Show it",
                    run=lambda: self.show_run(alive.folder),
                ),
            )
            return
        self.cancel("measure")
        if self.now.measured is None:
            self._measured_for = ()
        self._calm("plan")
        self._starting = token = object()
        self._doing("start", JobProgress(stage="Writing the vocabulary"))
        self._with_pack(lambda folder: self._start(folder, token))

    def _start(self, folder: str, token: object) -> None:
        """Start the training; ``token`` tells whether the draft it was asked for is still the one on show."""
        if token is not self._starting:
            return
        now = self.now

        def started(run: Run) -> None:
            if token is self._starting:
                self._starting = None
                self._done("start")
                self._draft(run=run.folder, page="learning")

        def failed(trouble: PageError) -> None:
            if token is self._starting:
                self._starting = None
                self._done("start")
                self._trouble("plan", trouble)
            else:
                self._desk.say(trouble.message, trouble.hint, "error")

        self._doing("start", JobProgress(stage="Starting"))
        self._watch.begin(
            lambda: planning.make_run(now, Path(folder), self._home / "runs", packs_dir()), started, failed
        )

    def show_run(self, folder: str) -> None:
        """Open the page of a training."""
        run = self.now.run_of(folder)
        if run is None:
            return
        before = self.now.draft
        page: Page = "done" if run.state == "finished" else "learning"
        if folder != before.run:
            self._clear()
            self._offer_back(before, "What you decided for other pictures was put aside.")
            plain = Draft(folder=run.plan.pictures if run.plan else "", plan=DraftPlan(title=run.title))
            self._draft(**vars(planning.kept_draft(folder) or plain))
        self._draft(run=folder, page=page)
        self._set(shown=True)

    def pause(self, folder: str = "") -> None:
        """Let a training rest; it can go on later from where it was."""
        self._wish("pause", folder)

    def stop(self) -> None:
        """End the training and make the pack from what was learned so far."""
        self._wish("stop")

    def _wish(self, what: Literal["pause", "stop"], folder: str = "") -> None:
        run = self.now.run_of(folder) or self.now.run
        if run is not None:
            self._calm("learning")
            self._watch.wish(run.folder, what)

    def resume(self, folder: str = "") -> None:
        """Go on with a training."""
        folder = folder or self.now.draft.run
        self._calm("learning")
        self._watch.resume(folder)

    def discard(self, folder: str) -> None:
        """Move a training to the trash; it can be brought back."""
        run = self.now.run_of(folder)
        if run is None:
            return

        def gone(where: Path) -> None:
            if self.now.draft.run == folder:
                self._draft(run="", page="plan" if self.now.sorted else "pictures")
            undo = Action("Undo", lambda: self._watch.bring_back(where, folder))
            self._desk.say(f"The training “{run.title}” was discarded.", action=undo)

        self._watch.discard(folder, gone)

    def mix_now(self) -> None:
        """Open the pack that was learned and leave the wizard."""
        run = self.now.run
        if run is not None and run.pack:
            self._desk.open_pack_at(run.pack)
            self.hide()
            self.mixing.emit()

    def _runs_changed(self) -> None:
        before = self.now.run
        self._set(runs=self._watch.known, wishes=self._watch.wishes)
        now = self.now.run
        if before is not None and now is not None and before.state != now.state:
            self._calm("learning")  # what could not be done before is past

    def _run_trouble(self, trouble: PageError) -> None:
        if self.now.shown and self.now.draft.page == "learning":
            self._trouble("learning", trouble)
        else:
            self._desk.say(trouble.message, trouble.hint, "error")

    def _run_ended(self, run: Run) -> None:
        whole = has_pack(run)
        if whole:
            self._desk.list_packs()
        here = self.now.draft.run == run.folder and self.now.draft.page in ("learning", "done")
        if whole and here:
            self._draft(page="done")
        if here and self.now.shown:
            return
        if whole:
            words = "is learned" if run.state == "finished" else "is kept as far as it was learned"
            self._desk.say(f"“{run.title}” {words}.", action=Action("Show", lambda: self.show_run(run.folder)))
        elif run.state in ("failed", "lost"):
            action = Action("Show", lambda: self.show_run(run.folder))
            self._desk.say(run.message or "The training ended unexpectedly.", run.hint, "error", action)

    def dismiss(self, page: Page) -> None:
        """Take a page's trouble away, and try again what it needs."""
        self._calm(page)
        self._measured_for = ()
        if page == "pictures" and self.now.draft.folder:
            self._survey()
        else:
            self._enter(page)
