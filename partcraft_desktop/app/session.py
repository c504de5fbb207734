"""Session: the only mutable state of the app, and the only one who talks to the engine.

A widget calls a verb; the verb replaces ``state`` and emits ``changed``; widgets repaint from ``state``.
All verbs return at once: files are read and written on other threads, models live in the engine's process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, Signal

from engine.collage.layers import Collage
from engine.core.errors import UserError
from engine.core.leftovers import sweep_home
from engine.core.recipe import Creation, Recipe
from engine.core.trash import sweep_trash
from engine.core.vocabulary import Choice
from engine.packs.base_sizes import BaseSizes, sizes_of
from engine.packs.library import PackLibrary
from engine.packs.pack import MANIFEST, Pack
from engine.packs.prompt_room import PromptRoom, room_of
from engine.runs.launcher import LocalRuns
from engine.runs.run_folder import PLAN
from engine.worker.jobs import Event, Job, News
from partcraft_desktop.app.add_on_control import AddOnControl
from partcraft_desktop.app.arrangement_control import ArrangementControl
from partcraft_desktop.app.autosave import Autosave, Saved
from partcraft_desktop.app.background import BackgroundReader
from partcraft_desktop.app.check_control import CheckControl
from partcraft_desktop.app.collage_control import CollageControl
from partcraft_desktop.app.creation_list import CreationList
from partcraft_desktop.app.creation_stars import CreationStars
from partcraft_desktop.app.dropped_paths import DroppedPaths
from partcraft_desktop.app.engine_client import EngineClient, EngineLike
from partcraft_desktop.app.evaluation_work import EvaluationWork
from partcraft_desktop.app.learning.controller import LearningController
from partcraft_desktop.app.learning.state import LearningState, RunsApi
from partcraft_desktop.app.live_control import LiveControl
from partcraft_desktop.app.model_shelf import ModelShelf
from partcraft_desktop.app.open_pictures import OWN_LIMIT, OpenPictures, differ_in_pictures, find_again
from partcraft_desktop.app.pack_list import PackList, PackListing
from partcraft_desktop.app.recently_deleted import RecentlyDeleted
from partcraft_desktop.app.recipe_control import RecipeControl
from partcraft_desktop.app.reference_painter import ReferencePainter
from partcraft_desktop.app.render_control import RenderControl
from partcraft_desktop.app.render_queue import RenderQueue
from partcraft_desktop.app.save_control import SaveControl
from partcraft_desktop.app.settings import Settings
from partcraft_desktop.app.sheet_work import SheetWork
from partcraft_desktop.app.start_control import StartControl
from partcraft_desktop.app.store import Store
from partcraft_desktop.app.undo_control import UndoControl
from partcraft_desktop.app.vocabulary_control import VocabularyControl

SAVED: Final = "session.json"


class Session(Store):
    """The state of the window and everything that can be done in it.

    ``make_engine(outlet)`` builds the engine; it is called by :meth:`start_engine`, after the first paint.
    ``learning`` has the verbs of the wizard, ``arrangement`` those of the creature's parts, ``starts`` those of what
    renders begin with, ``add_ons`` those of LoRAs and embeddings beside the pack, ``check`` has the collage looked at,
    ``saves`` has the verbs of saving for other programs, ``stars`` those of the gallery's stars, ``deleted`` those of
    "Recently deleted", ``models`` those of the models, ``vocabularies`` those of the published ones, ``painter`` those
    of reference pictures that a pack paints.
    """

    preview = Signal(int, object)
    """index of the creation, uint8 (H, W, 3) array"""
    creation_added = Signal(object)

    def __init__(
        self,
        packs: PackLibrary,
        settings: Settings,
        readers: BackgroundReader,
        make_engine: Callable[[Callable[[Event], None]], EngineLike],
        parent: QObject | None = None,
        runs: RunsApi | None = None,
    ) -> None:
        super().__init__(readers, parent)
        self.settings = settings
        self._saved_pack = self._saved_reference = ""
        self._autosave = Autosave(settings.home / SAVED, self._to_save, self)
        self._autosave.failed.connect(self._tell_unsaved)
        settings.failed.connect(self._tell_unsaved)
        self._client = EngineClient(make_engine, self)
        self._renders = RenderControl(self, self._client, lambda: settings.values.mark_renders)
        self._renders.preview.connect(self.preview)
        self._renders.creation_added.connect(self.creation_added)
        self._renders.creation_added.connect(self._save_soon)
        self._renders.measured.connect(self._save_soon)
        self._recipes = RecipeControl(self, self._show_pack, self._save_soon)
        self._undo = UndoControl(self, self._recipes.history, self._recipes.show)
        self._queue = RenderQueue(self, self._renders, lambda: settings.out, self._save_soon, self._undo)
        self._saved_queue: tuple[Recipe, ...] = ()
        self._pictures = OpenPictures(self, self._renders.submit, self._save_soon, self._undo)
        self.arrangement = ArrangementControl(self, self._recipes.change)
        self.starts = StartControl(self, self._recipes.change, self._queue.add)
        self.add_ons = AddOnControl(self, self._recipes.change)
        self._collages = CollageControl(self)
        self.check = CheckControl(self, self._collages.contents, self._renders.submit, self._client.cancel)
        self.live = LiveControl(self, self._client, self._collages.contents, lambda on: settings.set(live=on))
        self.saves = SaveControl(self, settings.home, self._collages.maker, self._renders.submit)
        again = self._recipes.begin_with
        self._packs = PackList(self, packs, self._undo, self._packs_listed, self._switch_pack, again)
        self._creations = CreationList(self, settings, self._undo)
        self.stars = CreationStars(self, settings.home, self._undo)
        files = (self._creations, self._packs, self._pictures)
        self.deleted = RecentlyDeleted(self, self._undo, *files, lambda: self.learning.find_runs())
        settings.changed.connect(self._creations.settings_changed)
        self.models = ModelShelf(self, self.submit_job)
        self.models.arrived.connect(self._model_arrived)
        self.vocabularies = VocabularyControl(self, self.models, self.submit_job, self._show_imported)
        self.painter = ReferencePainter(self, self._client, self.list_packs)
        self.learning = LearningController(self, readers, settings.home, runs or LocalRuns(), self)
        self._dropped = DroppedPaths(self, self._pictures, lambda: self.learning, self.add_ons, self.use_recipe)

    # Opening

    def begin(self) -> None:
        """Bring back what was there last time. Packs, pictures and creations are looked for off the Qt thread."""
        saved = self._autosave.read()
        self._saved_pack, self._saved_reference = saved.pack, saved.reference
        self._recipes.bring_back(saved.recipes)
        self._saved_queue = saved.queue
        self._pictures.closed = dict(saved.closed)
        self.update_state(timings=saved.timings, seed_locked=saved.seed_locked, hint=not self.settings.values.hint_seen)
        self.live.set_on(self.settings.values.live)
        self.learning.begin(saved.learning, self.state.packs)
        self._packs.read(lambda: find_again(saved.own[:OWN_LIMIT]), self._pictures.bring_back)
        self._creations.read()
        self.stars.begin()
        home = self.settings.home

        def sweep() -> None:
            sweep_home(home)
            sweep_trash((MANIFEST, PLAN))

        self.ask(sweep, lambda _: None, "What killed writes left, or was deleted long ago, cannot be removed.")
        self.saves.begin()

    def start_engine(self) -> None:
        """Start the engine and load what the pack needs; called once the window is on screen."""
        self._renders.start_engine()
        self._collages.warm_up()

    def open_path(self, path: str | Path) -> None:
        """Open whatever was dropped or named, as :meth:`open_paths`."""
        self.open_paths([path])

    def open_paths(self, paths: Sequence[str | Path]) -> None:
        """Open several: see :meth:`DroppedPaths.open`."""
        self._dropped.open(paths)

    def offer_pack(self, path: str | Path) -> None:
        """Say what is in a pack, and ask whether to add it."""
        self._dropped.offer_pack(path)

    # Pictures

    def open_reference(self, reference_id: str) -> None:
        """Show one of the pack's references; its parts come from the pack, without the engine."""
        self._pictures.open_reference(reference_id)

    def open_image(self, path: str | Path) -> None:
        """Open a person's own picture and find its parts. One that cannot be read changes nothing."""
        self._pictures.open_image(path)

    def show_parts_anyway(self, path: str) -> None:
        """Have the parts found of a person's picture that the pack's eyes cannot see well."""
        self._pictures.show_parts_anyway(path)

    def close_image(self, path: str) -> None:
        """Take a person's own picture off the wall: one step of undo. The file stays where it is."""
        self._pictures.close_image(path)

    # Packs

    def open_pack(self, pack_id: str) -> None:
        """Switch to another pack, its last recipe and its first picture."""
        self._packs.requests.begin()
        self._switch_pack(pack_id)

    def _switch_pack(self, pack_id: str) -> None:
        pack = next((p for p in self.state.packs if p.id == pack_id), None)
        if pack is not None and pack != self.state.pack:
            self._recipes.switch_to(pack)

    def _show_pack(self, pack: Pack) -> None:
        # Other eyes, other parts: what was found in a person's own pictures was found with the pack before.
        own = tuple(
            replace(picture, segmentation=None, note="", busy=False, unseen=False) for picture in self.state.own
        )
        picture_id = self.state.reference.id if self.state.reference else self._saved_reference
        self._saved_reference = ""
        self.update_state(pack=pack, reference=None, own=own, sizes=BaseSizes(), prompt_room=None)
        self._find_sizes(pack)
        self._renders.prepare()
        self._pictures.open_first(picture_id)

    def _find_sizes(self, pack: Pack) -> None:
        def found(told: tuple[BaseSizes, PromptRoom | None]) -> None:
            if self.state.pack == pack:
                self.update_state(sizes=told[0], prompt_room=told[1])

        base = pack.base_model
        self.ask(lambda: (sizes_of(base), room_of(base)), found, "The base model’s size cannot be read.")

    def import_pack(self, path: str | Path) -> None:
        """Take a .partpack into the library and show it."""
        self._packs.import_file(path)

    def is_own_pack(self, pack: Pack) -> bool:
        """Whether a pack is the person's own, so that it can be removed."""
        return self._packs.is_own(pack)

    def remove_pack(self, pack: Pack) -> None:
        """Take one of a person's own packs out of the library: one step of undo."""
        self._packs.remove(pack)

    def list_packs(self) -> None:
        """See which packs there are now."""
        self._packs.read()

    def _model_arrived(self, _id: str) -> None:
        self.learning.packs_changed(self.state.packs)
        if self.state.engine == "failed":
            self._renders.prepare()
        if self.state.painting is not None and self.state.painting.model:
            self.painter.go_on()

    def _show_imported(self, folder: str) -> None:
        """Open the pack that a checkpoint became."""
        self.list_packs()
        self.open_pack_at(folder)

    def open_pack_at(self, folder: str) -> None:
        """Switch to the pack in a folder, if it is in the library."""
        self._packs.open_at(folder)

    def _packs_listed(self, listing: PackListing) -> None:
        packs, is_first = listing.packs, not self.state.packs_listed
        listed_ids = {pack.id for pack in packs}
        removed_packs = [pack for pack in self.state.packs if pack.id not in listed_ids]
        self.update_state(packs=packs, packs_listed=True)
        self._recipes.forget(removed_packs)
        self.learning.packs_changed(packs)
        shown_pack = self.state.pack
        same = next((pack for pack in packs if shown_pack is not None and pack.id == shown_pack.id), None)
        if same is not None and shown_pack is not None and differ_in_pictures(same, shown_pack):
            self._pictures.show_repainted(same)
        elif same is not None and same != shown_pack:  # written anew: a training went on
            self._show_pack(same)
        elif same is None and packs:
            # There is no way back to no pack, nor to one that is gone.
            self._recipes.begin_with(next((p for p in packs if is_first and p.id == self._saved_pack), packs[0]))
        elif same is None:
            self.update_state(pack=None, reference=None)
        if is_first:
            self._queue.bring_back(self._saved_queue, packs)
        for error in listing.errors if is_first else ():
            self.say(error.message, error.hint, "warning")

    # Learning

    def show_learning(self, learning: LearningState) -> None:
        """Take the wizard's new state into the store."""
        self.update_state(learning=learning)
        self._save_soon()

    def submit_job(self, job: Job, listener: Callable[[News], None]) -> int | None:
        """Hand a job of the wizard to the engine."""
        return self._renders.submit(job, listener)

    def cancel_job(self, job_id: int) -> None:
        """Ask a job of the wizard to end."""
        self._client.cancel(job_id)

    # The recipe

    def choose(self, part: int, code: int, source: str = "") -> None:
        """Put a part into the recipe, at strength 1."""
        if self._recipes.choose(part, code, source) and self.state.hint:
            self.settings.set(hint_seen=True)
            self.update_state(hint=False)

    def toggle(self, part: int, code: int, source: str = "") -> None:
        """Take a part, or put it back if its code is in the recipe already."""
        choice = self.state.recipe.choice_of(part)
        if choice is not None and choice.code == code:
            self.remove(part)
        else:
            self.choose(part, code, source)

    def try_choice(self, choice: Choice | None) -> None:
        """Show a choice in the creature without taking it; None: no longer. Any change of the recipe ends it."""
        if choice != self.state.tried:
            self.update_state(tried=choice)

    def remove(self, part: int) -> None:
        """Take a part out of the recipe."""
        self._recipes.remove(part)

    def set_strength(self, part: int, value: float) -> None:
        """How strongly a chosen part is meant: 0..2, 1 as learned. One drag is one step of undo."""
        self._recipes.set_strength(part, value)

    def random_mix(self) -> None:
        """Fill every slot with a part of a random reference (or a random code, in a pack without references)."""
        self._recipes.random_mix()

    def set_prompt_text(self, text: str) -> str | None:
        """Replace the prompt by a line of text. Returns what is wrong with it, in words, or None; a wrong
        line changes nothing. Choices that were there before keep their source."""
        return self._recipes.set_prompt_text(text)

    def set_setting(self, name: str, value: str | float) -> None:
        """Set ``negative`` (text) or one of :data:`engine.core.recipe.LIMITS` (a number).

        Setting the seed locks it."""
        self._recipes.set_setting(name, value)

    def lock_seed(self, locked: bool) -> None:
        """Keep the seed for the next renders, or take a new one each time."""
        self._recipes.lock_seed(locked)

    def use_recipe(self, creation: Creation) -> None:
        """Take a creation's recipe, its pack and its seed, so that Render makes it again."""
        self._recipes.use(creation)

    def undo(self) -> None:
        """Take back the newest step: a change of the recipe, or something that was deleted or taken off the queue."""
        self._undo.undo()

    def redo(self) -> None:
        """Do again what was undone last."""
        self._undo.redo()

    # Rendering, and what came of it

    def render(self) -> None:
        """Render the recipe into the output folder, or add it to the queue while something else is rendered."""
        pack = self.state.pack
        if pack is not None:
            self._recipes.draw_seed()
            self._queue.add(pack, self.starts.settled(self.state.recipe))

    def render_all(self, recipes: Iterable[Recipe]) -> None:
        """Add recipes of the pack on show to the queue."""
        if self.state.pack is not None:
            self._queue.add_all(self.state.pack, (self.starts.settled(recipe) for recipe in recipes))

    def cancel(self) -> None:
        """Stop the running render; creations that are whole stay, and the next in the queue begins."""
        self._renders.cancel()

    def cancel_queued(self, id: int) -> None:
        """Take a render off the queue, or stop it if it is the running one."""
        self._queue.cancel(id)

    def cancel_all(self) -> None:
        """Stop the running render and empty the queue; what waited can be brought back."""
        self._queue.cancel_all()

    def move_queued(self, id: int, index: int) -> None:
        """Put a waiting render at another place of the queue, 0 for the first."""
        self._queue.move(id, index)

    def retry(self, id: int) -> None:
        """Render once more what failed."""
        self._queue.retry(id)

    def go_on(self) -> None:
        """Render what still waited when the app ended last time."""
        self._queue.go_on()

    def clear_held(self) -> None:
        """Take off the queue what still waited when the app ended last time."""
        self._queue.clear_held()

    def delete_creations(self, creations: Iterable[Creation]) -> None:
        """Put creations aside: one step of undo."""
        self._creations.delete(creations)

    def receive(self, event: Event) -> None:
        """Take one event of the engine, on the Qt thread."""
        self._client.receive(event)

    def collage_maker(self) -> Callable[[], Collage] | None:
        """What makes the collage on show in full, for a thread; None where there is none."""
        return self._collages.maker_of_shown()

    def new_sheet(self, parent: QObject) -> SheetWork:
        """Contact sheets of the recipe, for as long as ``parent`` is there."""
        return SheetWork(self, self._collages.maker_of_variants(), self.saves, parent)

    def new_evaluation(self, pack: Pack, parent: QObject) -> EvaluationWork:
        """Evaluations of a pack, for as long as ``parent`` is there."""
        return EvaluationWork(self, pack, self.settings.home, self.submit_job, self.cancel_job, parent)

    # Keeping

    def _save_soon(self) -> None:
        # Until the packs are there, what was kept last time is not all back, and nothing is written over it.
        if self.state.packs_listed:
            self._autosave.soon()

    def _to_save(self) -> Saved:
        return Saved(
            self.state.pack.id if self.state.pack else "",
            self.state.reference.id if self.state.reference else "",
            tuple(picture.id for picture in self.state.own),
            self.state.seed_locked,
            dict(self._recipes.last_recipes),
            self.state.learning.draft.to_document(),
            self._queue.kept(),
            self.state.timings,
            self._pictures.closed,
        )

    def _tell_unsaved(self, error: UserError) -> None:
        self.say(error.message, error.hint, "error")

    def keep(self) -> None:
        """Write at once what would be written soon, so that another copy of the app can take over."""
        self._autosave.flush()
        self.settings.flush()

    def shutdown(self) -> None:
        """Save and stop the engine. Nothing is emitted afterwards."""
        if self._closed:
            return
        self._closed = True
        self.learning.close()
        self.models.close()
        self.painter.close()
        self._autosave.close()
        self.settings.flush()
        self._collages.close()
        self._readers.close()
        self._client.close()
