"""Session: the only mutable state of the app, and the only one who talks to the engine.

A widget calls a verb; the verb replaces ``state`` and emits ``changed``; widgets repaint from ``state``.
All verbs return at once: files are read and written on other threads, models live in the engine's process.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QObject, Signal

from engine.core import image_files as pictures
from engine.core import prompt
from engine.core.errors import UserError
from engine.core.image_files import read_label_map
from engine.core.png_metadata import read_creation
from engine.core.recipe import Creation, Recipe
from engine.core.segmentation import Segmentation
from engine.core.vocabulary import ABSENT, Choice
from engine.packs.library import PackLibrary
from engine.packs.pack import Pack
from engine.runs.launcher import LocalRuns
from engine.worker.jobs import (
    Cancelled,
    Event,
    Failed,
    Finished,
    Job,
    News,
    Prepare,
    Preview,
    Progress,
    Render,
    Rendered,
    Segment,
    Segmented,
)
from partcraft_desktop.app import creation_files as shelf
from partcraft_desktop.app import recipe_edits as recipes
from partcraft_desktop.app.autosave import Autosave, Saved, existing
from partcraft_desktop.app.background import BackgroundReader
from partcraft_desktop.app.engine_client import EngineClient, EngineLike
from partcraft_desktop.app.history import History
from partcraft_desktop.app.learning.controller import LearningController
from partcraft_desktop.app.learning.state import LearningState, RunsApi
from partcraft_desktop.app.messages import Action, Message, reason
from partcraft_desktop.app.settings import Settings
from partcraft_desktop.app.state import OpenPicture, RenderStatus
from partcraft_desktop.app.store import Store

SAVED: Final = "session.json"
OWN_LIMIT: Final = 12
"""How many of a person's own pictures stay on the wall."""


class Session(Store):
    """The state of the window and everything that can be done in it.

    ``make_engine(outlet)`` builds the engine; it is called by :meth:`start_engine`, after the first paint.
    ``learning`` has the verbs of the wizard.
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
        self._library = packs
        self._out = settings.out
        self._room = EngineClient(make_engine, self)
        self._history = History(self.state.recipe)
        self._last_recipes: dict[str, Recipe] = {}
        self._deleted: list[list[shelf.DeletedCreation]] = []
        self._autosave = Autosave(settings.home / SAVED, self._to_save, self)
        self._autosave.failed.connect(self._tell_unsaved)
        settings.changed.connect(self._settings_changed)
        self.learning = LearningController(self, readers, settings.home, runs or LocalRuns(), self)

    # Opening

    def begin(self) -> None:
        """Bring back what was there last time: packs, recipe, pictures; then, off the Qt thread, the creations."""
        listing = self._library.listing()
        packs = tuple(listed.pack for listed in listing if listed.pack is not None)
        saved = self._autosave.read()
        self._last_recipes = dict(saved.recipes)
        pack = next((p for p in packs if p.id == saved.pack), packs[0] if packs else None)
        self._history = History(self._recipe_for(pack))
        self._replace(
            packs=packs,
            pack=pack,
            recipe=self._history.now,
            seed_locked=saved.seed_locked,
            own=tuple(OpenPicture(path, Path(path).stem, path) for path in existing(saved.own[:OWN_LIMIT])),
            hint=not self.settings.values.hint_seen,
        )
        self.learning.begin(saved.learning, packs)
        self._open_first(saved.reference)
        self._list_creations()
        for listed in listing:
            if listed.error is not None:
                self.say(listed.error.message, listed.error.hint, "warning")

    def start_engine(self) -> None:
        """Start the engine and load what the pack needs; called once the window is on screen."""
        if self._room.start():
            self._prepare()

    def open_pack(self, pack_id: str) -> None:
        """Switch to another pack, its last recipe and its first picture."""
        pack = next((p for p in self.state.packs if p.id == pack_id), None)
        if pack is not None and pack != self.state.pack:
            self._set_recipe(self._recipe_for(pack))

    def _show_pack(self, pack: Pack) -> None:
        # Other eyes, other parts: what was found in a person's own pictures was found with the pack before.
        own = tuple(replace(picture, segmentation=None, note="", busy=False) for picture in self.state.own)
        shown = self.state.reference.id if self.state.reference else ""
        self._replace(pack=pack, reference=None, own=own)
        self._prepare()
        self._open_first(shown)

    def _open_first(self, wanted: str) -> None:
        pack = self.state.pack
        if pack is None:
            return
        if pack.reference(wanted) is not None:
            self.open_reference(wanted)
        elif wanted and Path(wanted).is_file():
            self.open_image(wanted)
        elif pack.references:
            self.open_reference(pack.references[0].id)

    def open_reference(self, reference_id: str) -> None:
        """Show one of the pack's references; its parts come from the pack, without the engine."""
        pack = self.state.pack
        found = pack.reference(reference_id) if pack else None
        if pack is None or found is None:
            return
        self._show(OpenPicture(found.id, found.title, found.image, busy=True))
        self._ask(
            lambda: _read_labels(found.labels, found.codes),
            lambda segmentation: self._picture_changed(pack, found.id, segmentation=segmentation, busy=False),
            f"The parts of “{found.title}” cannot be read.",
            lambda said: self._picture_changed(pack, found.id, busy=False, note=said.text),
        )

    def open_image(self, path: str | Path) -> None:
        """Open a person's own picture and find its parts. One that cannot be read changes nothing."""
        image = str(Path(path).expanduser().absolute())
        pack = self.state.pack
        reference = next((r for r in pack.references if r.image == image), None) if pack else None
        if reference is not None:
            self.open_reference(reference.id)
            return
        self._ask(
            lambda: pictures.open_picture(image),
            lambda _: self._show_own(image),
            f"“{Path(image).name}” cannot be opened.",
        )

    def close_image(self, path: str) -> None:
        """Take a person's own picture off the wall; the file stays where it is."""
        before = self.state.own
        closed = next((picture for picture in before if picture.id == path), None)
        if closed is None:
            return
        self._replace(own=tuple(picture for picture in before if picture.id != path))
        if self.state.reference is not None and self.state.reference.id == path:
            self._open_first("")
        self._autosave.soon()
        action = Action("Undo", lambda: self._show_own(path))
        self.say(f"“{closed.title}” was taken off the wall.", action=action)

    def _show_own(self, image: str) -> None:
        known = next((picture for picture in self.state.own if picture.id == image), None)
        if known is not None and (known.segmentation is not None or known.busy):
            self._show(known)
            return
        picture = OpenPicture(image, Path(image).stem, image, busy=True)
        others = tuple(other for other in self.state.own if other.id != image)
        again = tuple(picture if other.id == image else other for other in self.state.own)
        self._replace(own=again if known else (picture, *others)[:OWN_LIMIT])
        pack = self.state.pack
        if pack is None:
            self._show(replace(picture, busy=False, note="Open a pack to find the parts of this picture."))
            return
        self._show(picture)
        self._submit(Segment(str(pack.path), image), lambda news: self._segmenting(pack, image, news))

    def _show(self, picture: OpenPicture) -> None:
        self._replace(reference=picture)
        self._autosave.soon()

    def _segmenting(self, pack: Pack, image: str, news: News) -> None:
        match news:
            case Finished(result=Segmented() as found):
                self._picture_changed(pack, image, segmentation=found.segmentation, note=found.note, busy=False)
            case Failed():
                # Said once, below the picture; the strip has the rest for a report, if there is more.
                self._picture_changed(pack, image, busy=False, note=f"{news.message} {news.hint}".strip())
                if news.details:
                    self._tell_failure(news)
            case Finished() | Cancelled():
                self._picture_changed(pack, image, busy=False)
            case _:
                pass

    def _picture_changed(self, pack: Pack, picture_id: str, **changes: Any) -> None:
        """Change a picture where it is shown, on the wall and in the middle: if it still is, and with that pack."""
        if self.state.pack is None or self.state.pack.id != pack.id:
            return
        own = tuple(replace(p, **changes) if p.id == picture_id else p for p in self.state.own)
        shown = self.state.reference
        if shown is not None and shown.id == picture_id:
            shown = replace(shown, **changes)
        self._replace(own=own, reference=shown)

    def open_path(self, path: str | Path) -> None:
        """Open whatever was dropped or named: a picture, a creation (its recipe is offered), a .partpack."""
        file = Path(path)
        if file.is_dir():
            self.learning.open_folder(file)
            return
        self.learning.hide()  # what is opened is shown where it is mixed
        if file.suffix.lower() == ".partpack":
            self.import_pack(file)
        else:
            self.open_image(file)
            self._readers.ask(lambda: read_creation(file), self._offer_recipe, self)

    def _offer_recipe(self, creation: Creation | Exception) -> None:
        # Most pictures remember no recipe, and that is no error; whether they can be shown, open_image tells.
        if isinstance(creation, Creation) and not self._closed:
            action = Action("Use this recipe", lambda: self.use_recipe(creation))
            self.say("This picture remembers its recipe.", action=action)

    def import_pack(self, path: str | Path) -> None:
        """Take a .partpack into the library and show it."""

        def shown(pack: Pack) -> None:
            self.list_packs()
            self.open_pack(pack.id)
            self.say(f"The pack “{pack.title}” is ready.")

        self._ask(lambda: self._library.import_pack(Path(path)), shown, f"“{Path(path).name}” cannot be opened.")

    def is_own_pack(self, pack: Pack) -> bool:
        """Whether a pack is the person's own, so that it can be removed."""
        return pack.path.parent == self._library.own.resolve()

    def remove_pack(self, pack: Pack) -> None:
        """Take one of a person's own packs out of the library; it can be brought back."""

        def removed(trashed: Path) -> None:
            self.list_packs()
            action = Action("Undo", lambda: self._bring_back_pack(trashed))
            self.say(f"The pack “{pack.title}” was removed.", action=action)

        self._ask(lambda: self._library.delete(pack.path), removed, "The pack cannot be removed.")

    def _bring_back_pack(self, trashed: Path) -> None:
        self._ask(lambda: self._library.restore(trashed), lambda _: self.list_packs(), "The pack cannot come back.")

    def list_packs(self) -> None:
        """See which packs there are now."""
        packs = tuple(self._library.packs())
        for gone in {pack.id for pack in self.state.packs} - {pack.id for pack in packs}:
            self._history.forget(gone)
        self._replace(packs=packs, can_undo=self._history.can_undo, can_redo=self._history.can_redo)
        self.learning.packs_changed(packs)
        shown = self.state.pack
        same = next((pack for pack in packs if shown is not None and pack.id == shown.id), None)
        if same is not None and same != shown:  # written anew: a training went on
            self._show_pack(same)
        elif same is None:
            if packs:
                self.open_pack(packs[0].id)
            else:
                self._replace(pack=None, reference=None)

    def open_pack_at(self, folder: str) -> None:
        """Switch to the pack in a folder, if it is in the library."""
        self.list_packs()
        pack = next((pack for pack in self.state.packs if pack.path == Path(folder).resolve()), None)
        if pack is not None:
            self.open_pack(pack.id)
        else:
            self.say(f"The pack “{Path(folder).name}” is not in the library.", "It was moved or removed.", "warning")

    # Learning

    def show_learning(self, learning: LearningState) -> None:
        """Take the wizard's new state into the circle."""
        self._replace(learning=learning)
        self._autosave.soon()

    def submit_job(self, job: Job, listener: Callable[[News], None]) -> int | None:
        """Hand a job of the wizard to the engine."""
        return self._submit(job, listener)

    def cancel_job(self, job_id: int) -> None:
        """Ask a job of the wizard to end."""
        self._room.cancel(job_id)

    # The recipe

    def choose(self, part: int, code: int, source: str = "") -> None:
        """Put a part into the recipe, at strength 1."""
        pack = self.state.pack
        if pack is None or code == ABSENT:
            return
        choice = Choice(part, code, 1.0, source)
        self._set_recipe(self.state.recipe.with_choice(choice, pack.vocabulary.noun))
        if self.state.hint:
            self.settings.set(hint_seen=True)
            self._replace(hint=False)

    def toggle(self, part: int, code: int, source: str = "") -> None:
        """Take a part, or put it back if its code is in the recipe already."""
        taken = self.state.recipe.choice_of(part)
        if taken is not None and taken.code == code:
            self.remove(part)
        else:
            self.choose(part, code, source)

    def remove(self, part: int) -> None:
        """Take a part out of the recipe."""
        self._set_recipe(self.state.recipe.without(part))

    def set_strength(self, part: int, value: float) -> None:
        """How strongly a chosen part is meant: 0..2, 1 as learned. One drag is one step of undo."""
        choice = self.state.recipe.choice_of(part)
        if choice is not None:
            changed = replace(choice, strength=min(max(float(value), 0.0), 2.0))
            self._set_recipe(self.state.recipe.with_choice(changed), f"strength {part}")

    def random_mix(self) -> None:
        """Fill every slot with a part of a random reference (or a random code, in a pack without references)."""
        pack = self.state.pack
        if pack is None:
            return
        self._set_recipe(recipes.random_recipe(self.state.recipe, pack))

    def set_prompt_text(self, text: str) -> str | None:
        """Replace the prompt by a line of text. Returns what is wrong with it, in words, or None; a wrong
        line changes nothing. Choices that were there before keep their source."""
        pack = self.state.pack
        if pack is None:
            return "Open a pack first."
        try:
            pieces = prompt.parse(text, pack.vocabulary, like=self.state.recipe.prompt)
        except UserError as error:
            return str(error)
        self._set_recipe(replace(self.state.recipe, prompt=pieces), "prompt")
        return None

    def set_setting(self, name: str, value: str | float) -> None:
        """Set ``negative`` (text) or one of ``recipes.LIMITS`` (a number, moved into its range).

        Setting the seed locks it."""
        self._set_recipe(recipes.with_setting(self.state.recipe, name, value), name)
        if name == "seed":
            self.lock_seed(True)

    def lock_seed(self, locked: bool) -> None:
        """Keep the seed for the next renders, or take a new one each time."""
        if locked != self.state.seed_locked:
            self._replace(seed_locked=locked)
            self._autosave.soon()

    def use_recipe(self, creation: Creation) -> None:
        """Take a creation's recipe, its pack and its seed, so that Render makes it again."""
        if not any(pack.id == creation.recipe.pack for pack in self.state.packs):
            self.say(
                f"This was made with the pack “{creation.recipe.pack}”, which is not here.",
                "Import that pack, then try again.",
                "warning",
            )
            return
        self._set_recipe(creation.recipe)
        self.lock_seed(True)

    def undo(self) -> None:
        """Go back one step."""
        if self._history.undo():
            self._show_recipe()

    def redo(self) -> None:
        """Go forward one step again."""
        if self._history.redo():
            self._show_recipe()

    def _set_recipe(self, recipe: Recipe, gesture: str = "") -> None:
        if self._history.go_on(recipe, gesture):
            self._show_recipe()

    def _show_recipe(self) -> None:
        recipe = self._history.now
        self._last_recipes[recipe.pack] = recipe
        self._replace(recipe=recipe, can_undo=self._history.can_undo, can_redo=self._history.can_redo)
        pack = next((p for p in self.state.packs if p.id == recipe.pack), None)
        if pack is not None and self.state.pack is not None and pack.id != self.state.pack.id:
            self._show_pack(pack)
        self._autosave.soon()

    def _recipe_for(self, pack: Pack | None) -> Recipe:
        known = self._last_recipes.get(pack.id) if pack else None
        return known or recipes.empty_recipe(pack)

    # Rendering

    def render(self) -> None:
        """Render the recipe into the output folder; one render at a time."""
        pack = self.state.pack
        if pack is None or self.state.render is not None:
            return
        out = self.settings.out
        unusable = _why_unusable(out)
        if unusable:
            self.say(
                f"Creations cannot be kept in {out}: {unusable}", "Choose another folder in the settings.", "error"
            )
            return
        if not self.state.seed_locked:
            self._history.amend(replace(self.state.recipe, seed=recipes.random_seed()))
            self._show_recipe()
        recipe = self.state.recipe
        job = self._submit(Render(str(pack.path), recipe, str(out)), self._rendering)
        if job is not None:
            self._replace(render=RenderStatus(job, started=time.monotonic(), count=recipe.count))

    def cancel(self) -> None:
        """Stop the running render; creations that are whole stay."""
        render = self.state.render
        if render is not None and not render.cancelling:
            self._replace(render=replace(render, cancelling=True))
            self._room.cancel(render.job)

    def _rendering(self, news: News) -> None:
        render = self.state.render
        if render is None:
            return
        match news:
            case Progress():
                # Each stage has its own pace: the time that is left is told from when the stage began.
                started = render.started if news.stage == render.stage else time.monotonic()
                render = replace(render, stage=news.stage, done=news.done, total=news.total, started=started)
                self._replace(render=render)
            case Preview():
                self.preview.emit(news.index, news.image)
            case Rendered():
                creations = (news.creation, *self.state.creations)
                self._replace(render=replace(render, whole=render.whole + 1), creations=creations)
                self.creation_added.emit(news.creation)
            case Failed():
                self._replace(render=None)
                self._tell_failure(news)
            case Finished() | Cancelled():
                self._replace(render=None)
            case _:
                pass

    # Creations

    def _list_creations(self) -> None:
        folder = self.settings.out

        def listed(found: tuple[Creation, ...]) -> None:
            if folder != self.settings.out:
                return
            known = {creation.path for creation in self.state.creations}
            self._replace(creations=self.state.creations + tuple(c for c in found if c.path not in known))

        self._ask(lambda: shelf.creations_in(folder), listed, "The folder for creations cannot be read.")

    def _settings_changed(self) -> None:
        if self.settings.out != self._out:
            self._out = self.settings.out
            self._replace(creations=())
            self._list_creations()

    def delete_creations(self, creations: Iterable[Creation]) -> None:
        """Put creations aside; they can be brought back."""
        wanted = list(creations)
        if not wanted:
            return
        gone = {creation.path for creation in wanted}
        self._replace(creations=tuple(c for c in self.state.creations if c.path not in gone))

        def moved(asides: list[shelf.DeletedCreation]) -> None:
            self._deleted.append(asides)
            said = "Deleted." if len(wanted) == 1 else f"{len(wanted)} creations deleted."
            self.say(said, action=Action("Undo", self.restore_deleted))

        self._ask(
            lambda: shelf.move_to_trash(wanted),
            moved,
            "The creation cannot be deleted.",
            lambda _: self._add_back(wanted),
        )

    def restore_deleted(self) -> None:
        """Bring back what was deleted last."""
        if self._deleted:
            asides = self._deleted.pop()
            self._ask(lambda: shelf.restore_from_trash(asides), self._add_back, "The creation cannot be brought back.")

    def _add_back(self, creations: list[Creation]) -> None:
        together = {creation.path: creation for creation in (*self.state.creations, *creations)}
        self._replace(creations=shelf.newest_first(together.values()))

    # The engine

    def _prepare(self) -> None:
        if self.state.pack is not None and self._room.running:
            self._replace(engine="waking", engine_stage="")
            pack = self.state.pack
            self._submit(Prepare(str(pack.path)), lambda news: self._preparing(pack, news))

    def _preparing(self, pack: Pack, news: News) -> None:
        if self.state.pack is None or self.state.pack.id != pack.id:
            return
        match news:
            case Progress():
                self._replace(engine_stage=news.stage)
            case Finished():
                self._replace(engine="ready", engine_stage="")
            case Failed():
                self._replace(engine="failed", engine_stage="")
                self._tell_failure(news)
            case _:
                pass

    def _submit(self, job: Job, listener: Callable[[News], None]) -> int | None:
        self.start_engine()
        return self._room.submit(job, listener)

    def receive(self, event: Event) -> None:
        """Take one event of the engine, on the Qt thread."""
        self._room.receive(event)

    def _tell_failure(self, news: Failed) -> None:
        self.message.emit(Message(news.message, news.hint, "error", None, news.details))

    # Keeping

    def _to_save(self) -> Saved:
        return Saved(
            self.state.pack.id if self.state.pack else "",
            self.state.reference.id if self.state.reference else "",
            tuple(picture.id for picture in self.state.own),
            self.state.seed_locked,
            dict(self._last_recipes),
            self.state.learning.draft.to_document(),
        )

    def _tell_unsaved(self, error: OSError) -> None:
        self.say("Your work cannot be saved.", reason(error), "error")

    def keep(self) -> None:
        """Write at once what would be written soon, so that another copy of the app can take over."""
        self._autosave.flush()

    def shutdown(self) -> None:
        """Save and stop the engine. Nothing is emitted afterwards."""
        if self._closed:
            return
        self._closed = True
        self.learning.close()
        self._autosave.close()
        self._readers.close()
        self._room.close()


def _why_unusable(folder: Path) -> str:
    """Why nothing can be written into a folder, empty if it can be; one that is not there is made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return reason(error)
    return "" if os.access(folder, os.W_OK | os.X_OK) else "It is read-only."


def _read_labels(path: str, codes: tuple[int, ...]) -> Segmentation:
    return Segmentation(read_label_map(path), codes)
