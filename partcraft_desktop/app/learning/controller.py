"""The verbs of the wizard: a folder of pictures becomes parts, a plan, a training, a pack.

Its state is the session's ``state.learning``, which :class:`WizardStore` reads and replaces. What the verbs need has
one place each: jobs of the engine in :class:`WizardJobs`, the parts in :class:`PartEditor`, and the trainings, which
are processes of their own (see :mod:`engine.runs.run`), in :class:`RunMonitor`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from PySide6.QtCore import QObject

from engine.core.paths import packs_dir, resources_dir
from engine.packs.pack import Pack
from engine.runs.run import Run
from engine.worker.jobs import Discover, Measure, Measured, Survey, Surveyed
from partcraft_desktop.app.background import BackgroundReader
from partcraft_desktop.app.learning import planning
from partcraft_desktop.app.learning.draft import Draft, DraftPlan
from partcraft_desktop.app.learning.local_models import LocalModels, find_local_models
from partcraft_desktop.app.learning.pack_mixing import PackMixing
from partcraft_desktop.app.learning.pages import PageKey, page_after, page_before
from partcraft_desktop.app.learning.part_editor import PartEditor
from partcraft_desktop.app.learning.run_monitor import RunMonitor, page_error
from partcraft_desktop.app.learning.state import JobProgress, LearningState, PageError, RunsApi, Work, has_pack
from partcraft_desktop.app.learning.wizard_jobs import WizardJobs
from partcraft_desktop.app.learning.wizard_store import SessionServices, WizardStore
from partcraft_desktop.app.messages import Action


class LearningController(QObject):
    """``parts`` has the verbs of the Parts page, ``mix`` those that lead from the wizard to mixing."""

    def __init__(
        self,
        session: SessionServices,
        readers: BackgroundReader,
        home: Path,
        runs: RunsApi,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._readers = readers
        self._home = home
        self._store = WizardStore(session)
        self._jobs = WizardJobs(session, self._store)
        self.parts = PartEditor(self._store, self._jobs, self)
        self.parts.parts_shown.connect(self._parts_shown)
        # Pause and Stop must not wait behind pictures.
        self._run_readers = BackgroundReader(self, threads=1)
        self.mix = PackMixing(session, self._store, self._jobs, readers, self)
        self.mix.plan_wanted.connect(self._show_plan_of)
        self._monitor = RunMonitor(runs, self._run_readers, self)
        self._monitor.changed.connect(self._runs_changed)
        self._monitor.ended.connect(self._run_ended)
        self._monitor.failed.connect(self._show_run_error)
        # What a page needs when it is entered, and what Next does on it where that is more than to show the page after.
        self._on_enter: Mapping[PageKey, Callable[[], None]] = {"parts": self.parts.search, "plan": self._measure}
        self._on_next: Mapping[PageKey, Callable[[], None]] = {"plan": self.learn}
        self._written: Discover | None = None
        self._measured_for: tuple[Any, ...] = ()
        self._last_survey: Surveyed | None = None
        self._start_token: object | None = None
        self._packs: tuple[Pack, ...] = ()
        self._closed = False

    @property
    def now(self) -> LearningState:
        """The wizard's state."""
        return self._store.now

    def begin(self, saved: Mapping[str, Any], packs: tuple[Pack, ...]) -> None:
        """Bring back what was decided last time, and find trainings. Pictures are looked at when the wizard opens."""
        self._store.replace(draft=Draft.from_document(saved))
        self.packs_changed(packs)
        self._monitor.find()

    def packs_changed(self, packs: tuple[Pack, ...]) -> None:
        """Other packs are at hand: see, off the Qt thread, which of them and which models can be learned with."""
        self._packs = packs

        def landed(result: LocalModels | Exception) -> None:
            if self._closed or packs is not self._packs:
                return
            if isinstance(result, Exception):
                error = page_error(result)
                self._session.say("The models on this computer cannot be listed.", error.hint, "error")
                result = LocalModels()
            waited = self.now.shown and not self.now.models_listed
            self._store.replace(**vars(result), models_listed=True)
            if waited:
                self._prepare(self.now.draft.page)

        self._readers.ask(lambda: find_local_models(packs), landed, self)

    def close(self) -> None:
        """Watch no more. A training goes on."""
        self._closed = True
        self.parts.close()
        self._monitor.close()
        self._run_readers.close()

    def cancel(self, work: Work) -> None:
        """Let go of something that is under way."""
        self._jobs.cancel(work)

    # Walking

    def show(self) -> None:
        """Open the wizard where it was left."""
        self._store.replace(shown=True)
        self._monitor.find()
        self._enter(self.now.draft.page)

    def find_runs(self) -> None:
        """See which trainings there are now; others may have been started elsewhere."""
        self._monitor.find()

    def hide(self) -> None:
        """Leave the wizard; everything stays as it is, and a training goes on."""
        self._store.replace(shown=False)

    def start_over(self) -> None:
        """Begin another vocabulary; what was decided can be brought back. A training that works goes on."""
        before = self.now.draft
        self._clear()
        self._offer_back(before, "What you decided was put aside.")

    def _offer_back(self, before: Draft, sentence: str) -> None:
        """Offer to go on with a draft that another replaced; what a run learns is kept with the run."""
        if before.sorting.parts and not before.run:
            self._session.say(sentence, action=Action("Undo", lambda: self._go_on_with(before)))

    def _clear(self) -> None:
        """An empty draft; nothing is under way for the one before."""
        self._jobs.cancel_all()
        self._cancel_start()
        self.parts.reset()
        self._last_survey, self._written, self._measured_for = None, None, ()
        self._store.replace(draft=Draft(), surveyed=None, measured=None, errors={})

    def go(self, page: PageKey) -> None:
        """Show a page, if what it needs is there."""
        if self.now.reached(page):
            self._enter(page)

    def next(self) -> None:
        """The next page; from the plan: start the training."""
        page = self.now.draft.page
        after = page_after(page)
        if page in self._on_next:
            self._on_next[page]()
        elif after is not None:
            self.go(after.key)

    def back(self) -> None:
        """The page before; nothing is lost."""
        before = page_before(self.now.draft.page)
        if before is not None:
            self._enter(before.key)

    def _enter(self, page: PageKey) -> None:
        self._store.replace_draft(page=page)
        if page == "plan":
            self.packs_changed(self._packs)  # a base model may have come meanwhile
        self._prepare(page)

    def _prepare(self, page: PageKey) -> None:
        """Begin what a page shows, unless it is there or under way."""
        if self.now.draft.folder and self.now.surveyed is None:
            if not self._jobs.is_running("survey"):
                self._survey()
        elif page in self._on_enter:
            self._on_enter[page]()

    # Pictures

    def open_folder(self, folder: str | Path) -> None:
        """Take the pictures of a folder, for a vocabulary or for more of one."""
        path = str(Path(folder).expanduser().absolute())
        before = self.now.draft
        if path != before.folder or before.run:
            self._clear()
            self._offer_back(before, "These are other pictures.")
        self._store.replace_draft(folder=path, page="pictures", extends="" if before.run else before.extends)
        self._store.replace(shown=True, surveyed=None)
        self._survey()

    def _go_on_with(self, draft: Draft) -> None:
        self._clear()
        self._store.replace_draft(**vars(draft))
        self._store.replace(shown=True)
        self._enter(draft.page)

    def _show_plan_of(self, draft: Draft) -> None:
        before = self.now.draft
        self._go_on_with(draft)
        self._offer_back(before, "What you decided for other pictures was put aside.")

    def open_practice(self) -> None:
        """Take the pictures that come with PartCraft, once it is known where they are."""

        def landed(folder: Path | Exception) -> None:
            if isinstance(folder, Path) and not self._closed:
                self.open_folder(folder)

        self._run_readers.ask(lambda: resources_dir() / "starter" / "practice", landed, self)

    def extend(self, folder: str) -> None:
        """Make more for a pack, or (empty) a new vocabulary."""
        if folder != self.now.draft.extends:
            self._jobs.cancel("pack")
            self._jobs.cancel("measure")
            self._cancel_start()
            self.parts.reset()
            self._written, self._measured_for = None, ()
            self._store.replace_draft(extends=folder, sorting=self.now.draft.sorting.anew())
            self._store.replace(measured=None)

    def _survey(self) -> None:
        def landed(surveyed: Surveyed) -> None:
            before, self._last_survey = self._last_survey, surveyed
            if before is not None and (before.pictures, before.kinds) != (surveyed.pictures, surveyed.kinds):
                # Other pictures in the same folder: what was found in those before is not enough.
                self.parts.forget_results()
                self._written, self._measured_for = None, ()
            self._store.replace(surveyed=surveyed)
            self._prepare(self.now.draft.page)

        self._jobs.start("survey", Survey(self.now.draft.folder), landed)

    # Plan

    def _parts_shown(self) -> None:
        if self.now.draft.page == "plan":
            self._measure()

    def set_plan(self, **changes: Any) -> None:
        """Change what is planned: fields of :class:`DraftPlan`, or names of ``MORE``."""
        plan = self.now.draft.plan
        plan_fields = {name: value for name, value in changes.items() if hasattr(plan, name)}
        more = {**plan.more, **{name: value for name, value in changes.items() if name not in plan_fields}}
        self._store.replace_draft(plan=replace(plan, **plan_fields, more=planning.changed_settings(more, self.now)))
        if self.now.draft.page == "plan":
            self._measure()

    def _measure(self) -> None:
        """Measure a step of what is planned, unless that is known."""
        if not self.now.reached("plan"):
            if self.now.surveyed is not None and not self.now.sorted:
                self.parts.search()
            return
        key = planning.measure_key(self.now)
        plan = self.now.draft.plan
        if not plan.title or not plan.noun:
            self._store.replace_draft(plan=planning.with_proposals(self.now))
        if key == self._measured_for or self.now.starting or not self.now.base_fits:
            return
        self._measured_for = key
        self._jobs.cancel("measure")
        self._store.replace(measured=None)

        def landed(measured: Measured) -> None:
            self._store.replace(measured=measured)

        def measure(folder: str) -> None:
            batch, rank, side = (planning.setting(self.now, name) for name in ("batch", "rank", "size"))
            job = Measure(folder, self.now.base_model, batch, rank, side)
            self._jobs.start("measure", job, landed)

        self._with_pack(measure)

    def _with_pack(self, then: Callable[[str], None]) -> None:
        """Write the untrained pack, unless it is there, and go on with its folder."""
        job = planning.discover_job(self.now, str(self._home / "drafts" / "vocabulary"))
        if self._written == job:
            then(job.out)
            return

        def landed(folder: str) -> None:
            self._written = job
            then(folder)

        self._written = None
        self._jobs.start("pack", job, landed)

    # The training

    def learn(self) -> None:
        """Start the training that is planned."""
        if not self.now.reached("plan") or self.now.starting or not self.now.base_fits:
            return
        self._store.replace_draft(plan=planning.with_proposals(self.now))
        error = planning.plan_error(self.now)
        if error is not None:
            self._store.show_error("plan", error)
            return
        alive = self.now.alive
        if alive is not None:
            busy = f"“{alive.title}” is being learned now, and one training at a time is all this computer does."
            show = partial(self.show_run, alive.folder)
            error = PageError(busy, "Wait for it, or pause it.", label="Show it", run=show)
            self._store.show_error("plan", error)
            return
        self._jobs.cancel("measure")
        if self.now.measured is None:
            self._measured_for = ()
        self._store.clear_error("plan")
        self._start_token = token = object()
        self._store.show_progress("start", JobProgress(stage="Writing the vocabulary"))
        self._with_pack(lambda folder: self._start(folder, token))

    def _start(self, folder: str, token: object) -> None:
        """Start the training; ``token`` tells whether the draft it was asked for is still the one on show."""
        if token is not self._start_token:
            return
        now = self.now

        def started(run: Run) -> None:
            if token is self._start_token:
                self._cancel_start()
                self._store.replace_draft(run=run.folder, page="learning")

        def failed(error: PageError) -> None:
            if token is self._start_token:
                self._cancel_start()
                self._store.show_error("plan", error)
            else:
                self._session.say(error.message, error.hint, "error")

        def prepare() -> str:
            return planning.make_run(now, Path(folder), self._home / "runs", packs_dir())

        self._store.show_progress("start", JobProgress(stage="Starting"))
        self._monitor.begin(prepare, started, failed)

    def _cancel_start(self) -> None:
        """A start that is under way is for a draft that gave way, or is over."""
        self._start_token = None
        self._store.clear_progress("start")

    def show_run(self, folder: str) -> None:
        """Open the page of a training."""
        run = self.now.run_of(folder)
        if run is None:
            return
        before = self.now.draft
        page = "done" if run.state == "finished" else "learning"
        if folder != before.run:
            self._clear()
            self._offer_back(before, "What you decided for other pictures was put aside.")
            plain = Draft(page, run.plan.pictures if run.plan else "", plan=DraftPlan(title=run.title), run=folder)
            self._store.replace_draft(**vars(plain))
            self._read_kept_draft(plain)
        self._store.replace_draft(page=page)
        self._store.replace(shown=True)

    def _read_kept_draft(self, plain: Draft) -> None:
        """Bring back what was decided for a run in place of the plain draft, which is on show until it is read."""

        def landed(draft: Draft | Exception | None) -> None:
            page = self.now.draft.page
            # Where another draft has taken its place, or was made of it, that one stays.
            if not self._closed and isinstance(draft, Draft) and self.now.draft == replace(plain, page=page):
                self._store.replace_draft(**vars(replace(draft, run=plain.run, page=page)))
                if page != plain.page:
                    self._prepare(page)

        self._run_readers.ask(lambda: planning.kept_draft(plain.run), landed, self)

    def pause(self, folder: str = "") -> None:
        """Let a training rest; it can go on later from where it was."""
        self._ask_run("pause", folder)

    def stop(self) -> None:
        """End the training and make the pack from what was learned so far."""
        self._ask_run("stop")

    def _ask_run(self, wish: Literal["pause", "stop"], folder: str = "") -> None:
        run = self.now.run_of(folder) or self.now.run
        if run is not None:
            self._store.clear_error("learning")
            self._monitor.wish(run.folder, wish)

    def resume(self, folder: str = "") -> None:
        """Go on with a training."""
        folder = folder or self.now.draft.run
        self._store.clear_error("learning")
        self._monitor.resume(folder)

    def discard(self, folder: str) -> None:
        """Move a training to the trash; it can be brought back."""
        run = self.now.run_of(folder)
        if run is None:
            return

        def discarded(trashed: Path) -> None:
            if self.now.draft.run == folder:
                self._store.replace_draft(run="", page="plan" if self.now.sorted else "pictures")
            undo = Action("Undo", lambda: self._monitor.bring_back(trashed))
            self._session.say(f"The training “{run.title}” was discarded.", action=undo)

        self._monitor.discard(folder, discarded)

    def _runs_changed(self) -> None:
        before = self.now.run
        self._store.replace(runs=self._monitor.known, wishes=self._monitor.wishes)
        now = self.now.run
        if before is not None and now is not None and before.state != now.state:
            self._store.clear_error("learning")  # what could not be done before is past

    def _show_run_error(self, error: PageError) -> None:
        if self.now.shown and self.now.draft.page == "learning":
            self._store.show_error("learning", error)
        else:
            self._session.say(error.message, error.hint, "error")

    def _run_ended(self, run: Run) -> None:
        learned = has_pack(run)
        if learned:
            self._session.list_packs()
        on_its_page = self.now.draft.run == run.folder and self.now.draft.page in ("learning", "done")
        if learned and on_its_page:
            self._store.replace_draft(page="done")
        if on_its_page and self.now.shown:
            return
        if learned:
            ending = "is learned" if run.state == "finished" else "is kept as far as it was learned"
            show = Action("Show", lambda: self.show_run(run.folder))
            self._session.say(f"“{run.title}” {ending}.", run.advice, action=show)
        elif run.state in ("failed", "lost"):
            action = Action("Show", lambda: self.show_run(run.folder))
            self._session.say(run.message or "The training ended unexpectedly.", run.hint, "error", action)

    def dismiss(self, page: PageKey) -> None:
        """Take a page's error away, and try again what it needs."""
        self._store.clear_error(page)
        self._measured_for = ()
        if page == "pictures" and self.now.draft.folder:
            self._survey()
        else:
            self._enter(page)
