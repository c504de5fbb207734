"""Session: the only mutable state of the app, and the only one who talks to the engine.

A widget calls a verb; the verb replaces ``state`` and emits ``changed``; widgets repaint from ``state``.
All verbs return at once: files are read and written on other threads, models live in the engine's process.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import numpy as np
from PIL import Image
from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

from engine import pictures, prompt
from engine.jobs import (
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
    UserError,
)
from engine.packs import Pack, PackLibrary
from engine.png import read_creation
from engine.recipe import Creation, Recipe
from engine.segmentation import Segmentation
from engine.vocabulary import ABSENT, Choice
from engine.worker import Inbox, newest_key
from partcraft_desktop import shelf
from partcraft_desktop.history import History
from partcraft_desktop.images import Readers
from partcraft_desktop.settings import Settings, read_json, write_whole
from partcraft_desktop.state import Action, Message, OpenPicture, RenderStatus, State

__all__ = ["Action", "Message", "OpenPicture", "RenderStatus", "Session", "State"]

SAVED: Final = "session.json"
SAVE_AFTER_MS: Final = 250
OWN_LIMIT: Final = 12
"""How many of a person's own pictures stay on the wall."""

LIMITS: Final[dict[str, tuple[float, float]]] = {
    "steps": (1, 1000),
    "guidance": (0.0, 30.0),
    "seed": (0, 2**31 - 1),
    "count": (1, 64),
    "size": (0, 8192),
}
"""What a setting can be; a value outside is moved to the nearest end."""


class EngineLike(Protocol):
    """What Session needs of an engine."""

    def submit(self, job: Job) -> int: ...
    def cancel(self, job_id: int) -> None: ...
    def close(self) -> None: ...


class Session(QObject):
    """The state of the window and everything that can be done in it.

    ``make_engine(outlet)`` builds the engine; it is called by :meth:`start_engine`, after the first paint.
    """

    changed = Signal()
    preview = Signal(int, object)
    """index of the creation, uint8 (H, W, 3) array"""
    creation_added = Signal(object)
    message = Signal(object)

    _news = Signal()

    def __init__(
        self,
        packs: PackLibrary,
        settings: Settings,
        readers: Readers,
        make_engine: Callable[[Callable[[Event], None]], EngineLike],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.state = State()
        self.settings = settings
        self._library = packs
        self._readers = readers
        self._make_engine = make_engine
        self._engine: EngineLike | None = None
        self._closed = False
        self._listeners: dict[int, Callable[[News], None]] = {}
        self._inbox: Inbox[Event] = Inbox(self._news.emit)
        self._news.connect(self._take_news, Qt.ConnectionType.QueuedConnection)
        self._history = History(self.state.recipe)
        self._last_recipes: dict[str, Recipe] = {}
        self._deleted: list[list[shelf.Aside]] = []
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="autosave")
        self._save_timer = QTimer(self, singleShot=True, interval=SAVE_AFTER_MS)
        self._save_timer.timeout.connect(self._save)

    def _replace(self, **changes: Any) -> None:
        self.state = replace(self.state, **changes)
        self.changed.emit()

    def say(
        self,
        text: str,
        hint: str = "",
        kind: Literal["info", "warning", "error"] = "info",
        action: Action | None = None,
    ) -> None:
        """Show one sentence in the status strip."""
        self.message.emit(Message(text, hint, kind, action))

    def _ask(
        self,
        work: Callable[[], Any],
        then: Callable[[Any], None],
        otherwise: str,
        failed: Callable[[Message], None] | None = None,
    ) -> None:
        """Run ``work`` off the Qt thread and ``then(result)`` on it. An error becomes one sentence
        (``otherwise`` with the system's reason, if it has none of its own) after ``failed``."""

        def landed(result: Any) -> None:
            if self._closed:
                return
            if not isinstance(result, Exception):
                then(result)
                return
            said = _sentence(result, otherwise)
            if failed is not None:
                failed(said)
            self.message.emit(said)

        self._readers.ask(work, landed)

    # Opening

    def begin(self) -> None:
        """Bring back what was there last time: packs, recipe, pictures; then, off the Qt thread, the creations."""
        listing = self._library.listing()
        packs = tuple(listed.pack for listed in listing if listed.pack is not None)
        saved = read_json(self.settings.home / SAVED)
        recipes = saved.get("recipes")
        for text in recipes.values() if isinstance(recipes, dict) else ():
            try:
                recipe = Recipe.from_json(text)
            except (TypeError, ValueError):
                continue  # A recipe that cannot be read is none to bring back.
            self._last_recipes[recipe.pack] = recipe
        pack = next((p for p in packs if p.id == saved.get("pack")), packs[0] if packs else None)
        own = saved.get("own")
        paths = [path for path in own if isinstance(path, str)] if isinstance(own, list) else []
        self._history = History(self._recipe_for(pack))
        self._replace(
            packs=packs,
            pack=pack,
            recipe=self._history.now,
            seed_locked=saved.get("seed_locked") is True,
            own=tuple(OpenPicture(path, Path(path).stem, path) for path in paths[:OWN_LIMIT] if Path(path).is_file()),
            hint=not self.settings.values.hint_seen,
        )
        self._open_first(str(saved.get("reference", "")))
        self._list_creations()
        for listed in listing:
            if listed.error is not None:
                self.say(listed.error.message, listed.error.hint, "warning")

    def start_engine(self) -> None:
        """Start the engine and load what the pack needs; called once the window is on screen."""
        if self._engine is None and not self._closed:
            self._engine = self._make_engine(lambda event: self._inbox.put(event, _newest(event)))
            self._prepare()

    def open_pack(self, pack_id: str) -> None:
        """Switch to another pack, its last recipe and its first picture."""
        pack = next((p for p in self.state.packs if p.id == pack_id), None)
        if pack is not None and pack != self.state.pack:
            self._set_recipe(self._recipe_for(pack))

    def _show_pack(self, pack: Pack) -> None:
        # Other eyes, other parts: what was found in a person's own pictures was found with the pack before.
        own = tuple(replace(picture, segmentation=None, note="") for picture in self.state.own)
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
        found = self.state.pack.reference(reference_id) if self.state.pack else None
        if found is None:
            return
        self._show(OpenPicture(found.id, found.title, found.image, busy=True))
        self._ask(
            lambda: _read_labels(found.labels, found.codes),
            lambda segmentation: self._picture_changed(found.id, segmentation=segmentation, busy=False),
            f"The parts of “{found.title}” cannot be read.",
            lambda said: self._picture_changed(found.id, busy=False, note=said.text),
        )

    def open_image(self, path: str | Path) -> None:
        """Open a person's own picture and find its parts. One that cannot be read changes nothing."""
        image = str(Path(path).expanduser().absolute())
        self._ask(
            lambda: pictures.open_picture(image),
            lambda _: self._show_own(image),
            f"“{Path(image).name}” cannot be opened.",
        )

    def _show_own(self, image: str) -> None:
        known = next((picture for picture in self.state.own if picture.id == image), None)
        if known is not None and known.segmentation is not None:
            self._show(known)
            return
        picture = OpenPicture(image, Path(image).stem, image, busy=True)
        others = tuple(other for other in self.state.own if other.id != image)
        self._replace(own=self.state.own if known else (picture, *others)[:OWN_LIMIT])
        if self.state.pack is None:
            self._show(replace(picture, busy=False, note="Open a pack to find the parts of this picture."))
            return
        self._show(picture)
        self._submit(Segment(str(self.state.pack.path), image), lambda news: self._segmenting(image, news))

    def _show(self, picture: OpenPicture) -> None:
        self._replace(reference=picture)
        self._save_timer.start()

    def _segmenting(self, image: str, news: News) -> None:
        match news:
            case Finished(result=Segmented() as found):
                self._picture_changed(image, segmentation=found.segmentation, note=found.note, busy=False)
            case Failed():
                # Said once, below the picture; the strip has the rest for a report, if there is more.
                self._picture_changed(image, busy=False, note=f"{news.message} {news.hint}".strip())
                if news.details:
                    self._tell_failure(news)
            case Finished() | Cancelled():
                self._picture_changed(image, busy=False)
            case _:
                pass

    def _picture_changed(self, picture_id: str, **changes: Any) -> None:
        """Change a picture where it is shown: on the wall, and in the middle if it is still there."""
        own = tuple(replace(p, **changes) if p.id == picture_id else p for p in self.state.own)
        shown = self.state.reference
        if shown is not None and shown.id == picture_id:
            shown = replace(shown, **changes)
        self._replace(own=own, reference=shown)

    def open_path(self, path: str | Path) -> None:
        """Open whatever was dropped or named: a picture, a creation (its recipe is offered), a .partpack."""
        file = Path(path)
        if file.is_dir():
            self.say(
                "A folder of pictures can become a pack of its own.",
                f"In a terminal: partcraft discover “{file.name}” --parts 5 --codes 20 --out my-pack",
            )
        elif file.suffix.lower() == ".partpack":
            self.import_pack(file)
        else:
            self.open_image(file)
            self._readers.ask(lambda: read_creation(file), self._offer_recipe)

    def _offer_recipe(self, creation: Creation | Exception) -> None:
        # Most pictures remember no recipe, and that is no error; whether they can be shown, open_image tells.
        if isinstance(creation, Creation) and not self._closed:
            action = Action("Use this recipe", lambda: self.use_recipe(creation))
            self.say("This picture remembers its recipe.", action=action)

    def import_pack(self, path: str | Path) -> None:
        """Take a .partpack into the library and show it."""

        def shown(pack: Pack) -> None:
            self._list_packs()
            self.open_pack(pack.id)
            self.say(f"The pack “{pack.title}” is ready.")

        self._ask(lambda: self._library.import_pack(Path(path)), shown, f"“{Path(path).name}” cannot be opened.")

    def is_own_pack(self, pack: Pack) -> bool:
        """Whether a pack is the person's own, so that it can be removed."""
        return pack.path.parent == self._library.own.resolve()

    def remove_pack(self, pack: Pack) -> None:
        """Take one of a person's own packs out of the library; it can be brought back."""

        def removed(trashed: Path) -> None:
            self._list_packs()
            action = Action("Undo", lambda: self._bring_back_pack(trashed))
            self.say(f"The pack “{pack.title}” was removed.", action=action)

        self._ask(lambda: self._library.delete(pack.path), removed, "The pack cannot be removed.")

    def _bring_back_pack(self, trashed: Path) -> None:
        self._ask(lambda: self._library.restore(trashed), lambda _: self._list_packs(), "The pack cannot come back.")

    def _list_packs(self) -> None:
        packs = tuple(self._library.packs())
        self._replace(packs=packs)
        if self.state.pack not in packs:
            if packs:
                self.open_pack(packs[0].id)
            else:
                self._replace(pack=None, reference=None)

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
        recipe = self.state.recipe
        for part in pack.vocabulary.visible_parts:
            offers = [Choice(part.index, r.codes[part.index], 1.0, r.id) for r in pack.references]
            offers = [offer for offer in offers if offer.code != ABSENT]
            chance = Choice(part.index, random.randrange(pack.vocabulary.codes_per_part))
            recipe = recipe.with_choice(random.choice(offers) if offers else chance, pack.vocabulary.noun)
        self._set_recipe(recipe)

    def prompt_text(self) -> str:
        """The prompt as a line of text, read back by :meth:`set_prompt_text`."""
        pack = self.state.pack
        return prompt.to_text(self.state.recipe.prompt, pack.vocabulary) if pack else ""

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
        """Set ``negative`` (text) or one of ``LIMITS`` (a number, moved into its range). Setting the seed locks it."""
        if name == "negative":
            self._set_recipe(replace(self.state.recipe, negative=str(value)), name)
            return
        low, high = LIMITS[name]
        number = min(max(float(value), low), high)
        self._set_recipe(replace(self.state.recipe, **{name: number if name == "guidance" else int(number)}), name)
        if name == "seed":
            self.lock_seed(True)

    def lock_seed(self, locked: bool) -> None:
        """Keep the seed for the next renders, or take a new one each time."""
        if locked != self.state.seed_locked:
            self._replace(seed_locked=locked)
            self._save_timer.start()

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
        self._save_timer.start()

    def _recipe_for(self, pack: Pack | None) -> Recipe:
        if pack is None:
            return Recipe(pack="")
        plain = Recipe(pack.id, (f"a photo of a {pack.vocabulary.noun}",), seed=random.randrange(2**31))
        return self._last_recipes.get(pack.id, plain)

    # Rendering

    def render(self) -> None:
        """Render the recipe into the output folder; one render at a time."""
        pack = self.state.pack
        if pack is None or self.state.render is not None:
            return
        out = self.settings.out
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self.say(
                f"Creations cannot be kept in {out}: {_reason(error)}",
                "Choose another folder in the settings.",
                "error",
            )
            return
        if not self.state.seed_locked:
            self._history.amend(replace(self.state.recipe, seed=random.randrange(2**31)))
            self._show_recipe()
        recipe = self.state.recipe
        job = self._submit(Render(str(pack.path), recipe, str(out)), self._rendering)
        if job is not None:
            self._replace(render=RenderStatus(job, started=time.monotonic(), count=recipe.count))

    def cancel(self) -> None:
        """Stop the running render; creations that are whole stay."""
        render = self.state.render
        if render is not None and self._engine is not None and not render.cancelling:
            self._replace(render=replace(render, cancelling=True))
            self._engine.cancel(render.job)

    def _rendering(self, news: News) -> None:
        render = self.state.render
        if render is None:
            return
        match news:
            case Progress():
                self._replace(render=replace(render, stage=news.stage, done=news.done, total=news.total))
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
            known = {creation.path for creation in self.state.creations}
            self._replace(creations=self.state.creations + tuple(c for c in found if c.path not in known))

        self._ask(lambda: shelf.creations_in(folder), listed, "The folder for creations cannot be read.")

    def delete_creations(self, creations: Iterable[Creation]) -> None:
        """Put creations aside; they can be brought back."""
        wanted = list(creations)
        if not wanted:
            return
        gone = {creation.path for creation in wanted}
        self._replace(creations=tuple(c for c in self.state.creations if c.path not in gone))

        def moved(asides: list[shelf.Aside]) -> None:
            self._deleted.append(asides)
            said = "Deleted." if len(wanted) == 1 else f"{len(wanted)} creations deleted."
            self.say(said, action=Action("Undo", self.restore_deleted))

        self._ask(
            lambda: shelf.put_aside(wanted),
            moved,
            "The creation cannot be deleted.",
            lambda _: self._add_back(wanted),
        )

    def restore_deleted(self) -> None:
        """Bring back what was deleted last."""
        if self._deleted:
            asides = self._deleted.pop()
            self._ask(lambda: shelf.bring_back(asides), self._add_back, "The creation cannot be brought back.")

    def _add_back(self, creations: list[Creation]) -> None:
        together = {creation.path: creation for creation in (*self.state.creations, *creations)}
        self._replace(creations=shelf.newest_first(together.values()))

    # The engine

    def _prepare(self) -> None:
        if self.state.pack is not None and self._engine is not None:
            self._replace(engine="waking", engine_stage="")
            self._submit(Prepare(str(self.state.pack.path)), self._preparing)

    def _preparing(self, news: News) -> None:
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
        if self._engine is None:
            return None
        number = self._engine.submit(job)
        self._listeners[number] = listener
        return number

    @Slot()
    def _take_news(self) -> None:
        for event in self._inbox.take():
            self.receive(event)

    def receive(self, event: Event) -> None:
        """Take one event of the engine, on the Qt thread."""
        if self._closed:
            return
        ended = isinstance(event.news, Finished | Failed | Cancelled)
        listener = self._listeners.pop(event.job, None) if ended else self._listeners.get(event.job)
        if listener is not None:
            listener(event.news)

    def _tell_failure(self, news: Failed) -> None:
        self.message.emit(Message(news.message, news.hint, "error", None, news.details))

    # Keeping

    def _save(self) -> None:
        document = {
            "version": 1,
            "pack": self.state.pack.id if self.state.pack else "",
            "reference": self.state.reference.id if self.state.reference else "",
            "own": [picture.id for picture in self.state.own],
            "seed_locked": self.state.seed_locked,
            "recipes": {key: recipe.to_json() for key, recipe in self._last_recipes.items()},
        }
        self._writer.submit(self._write, json.dumps(document, ensure_ascii=False))

    def _write(self, text: str) -> None:
        try:
            write_whole(self.settings.home / SAVED, text)
        except OSError as error:
            self.message.emit(Message("Your work cannot be saved.", _reason(error), "error"))

    def shutdown(self) -> None:
        """Save and stop the engine. Nothing is emitted afterwards."""
        if self._closed:
            return
        if self._save_timer.isActive():
            self._save_timer.stop()
            self._save()
        self._closed = True
        self._writer.shutdown(wait=True)
        self._readers.close()
        if self._engine is not None:
            self._engine.close()


def _newest(event: Event) -> object:
    key = newest_key(event.news)
    return None if key is None else (event.job, key)


def _read_labels(path: str, codes: tuple[int, ...]) -> Segmentation:
    with Image.open(path) as picture:
        return Segmentation(np.asarray(picture.convert("L")), codes)


def _reason(error: BaseException) -> str:
    """What the system says, as a sentence."""
    said = (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__
    return said[:1].upper() + said[1:].rstrip(".") + "."


def _sentence(error: Exception, otherwise: str) -> Message:
    if isinstance(error, UserError):
        return Message(error.message, error.hint, "error")
    return Message(otherwise, _reason(error), "error")
