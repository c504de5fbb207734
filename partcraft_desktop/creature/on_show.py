"""What of the creature is on show: the collage, the running render or a creation; what came meanwhile, and what was on
show before."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum

from PySide6.QtCore import QObject, Signal

from engine.core.recipe import Creation, Recipe
from partcraft_desktop.app.session import Session
from partcraft_desktop.app.state import Creature, RenderStatus, State


class Here(Enum):
    """What can be on show and is no creation."""

    COLLAGE = "collage"
    RENDER = "render"


Item = Here | Creation


class OnShow(QObject):
    """Keeps what is on show. ``changed()``: it is something else, or what came unseen did. ``front_wanted()``: a person
    asked for it, and it should be in sight.

    A render is on show from its beginning to its result, unless a person has moved on meanwhile: then its result is
    ``unseen``.
    """

    changed = Signal()
    front_wanted = Signal()

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.item: Item = Here.COLLAGE
        self.before: Item = Here.COLLAGE
        """What was on show before, no running render."""
        self.unseen: frozenset[str] = frozenset()
        """Paths of results that came while a person looked at something else."""
        self._follows = False
        self._rendered: Recipe | None = None  # the recipe when the render began, or that it is followed with
        self._pack = ""
        self._row = 0  # of the creation on show, among the creations of the pack
        self._creations: tuple[Creation, ...] = ()
        self._listed: tuple[tuple[Creation, ...], str] | None = None
        self._render: RenderStatus | None = None
        self._creature: Creature | None = None
        session.changed.connect(self._refresh)
        session.preview.connect(self._preview)
        session.creation_added.connect(self._arrive)
        self._refresh()

    @property
    def creation(self) -> Creation | None:
        """The creation on show, if it is one."""
        return self.item if isinstance(self.item, Creation) else None

    @property
    def creations(self) -> tuple[Creation, ...]:
        """The creations of the pack on show, newest first."""
        return self._creations

    @property
    def items(self) -> list[Item]:
        """What is a flick apart, in order."""
        return [Here.COLLAGE, *([Here.RENDER] if self._render is not None else []), *self._creations]

    def show(self, item: Item) -> None:
        """Show what a person asked for."""
        self._follows = item is Here.RENDER
        if self._follows:
            self._rendered = self._session.state.recipe
        self._put(item)
        self.front_wanted.emit()

    def step(self, by: int) -> None:
        """Show the next one (1) or the one before (-1), as far as there is one."""
        items = self.items
        at = next((place for place, item in enumerate(items) if same(item, self.item)), 0)
        self.show(items[min(max(at + by, 0), len(items) - 1)])

    def _put(self, item: Item) -> None:
        if not same(item, self.item) and self.item is not Here.RENDER:
            self.before = self.item
        self.item = item
        if isinstance(item, Creation):
            self.unseen -= {item.path}
            self._row = next((row for row, known in enumerate(self._creations) if same(known, item)), 0)
        self.changed.emit()

    def _refresh(self) -> None:
        state = self._session.state
        pack = state.pack.id if state.pack is not None else ""
        began = state.render is not None and self._render is None
        ended = state.render is None and self._render is not None
        queued = _next_of_queue(self._render, state.render)
        self._render = state.render
        changed = began or ended or self._list(state, pack)
        if pack != self._pack:
            self._pack, self._follows, self.item, self.before = pack, False, Here.COLLAGE, Here.COLLAGE
            changed = True
        if state.creature is not self._creature:
            before, self._creature = self._creature, state.creature
            is_other = before is None or (before.number, before.note) != (state.creature.number, state.creature.note)
            # The collage of what is rendered may come after the render has begun.
            if is_other and not (self._follows and state.recipe == self._rendered and state.tried is None):
                self._follows = False
                self._put(Here.COLLAGE)
        # The next of the queue is shown to whom still looks at what it was rendered from.
        if queued is not None and self.item is Here.COLLAGE and _is_of(queued, state.recipe):
            began = True
        if began:
            self._follows, self._rendered = True, state.recipe
            self._put(Here.RENDER)
            self.front_wanted.emit()
        elif self._render is None and self.item is Here.RENDER:  # it came to nothing
            self._put(Here.COLLAGE)
        elif changed:
            self.changed.emit()
        if ended:
            self._follows = False

    def _list(self, state: State, pack: str) -> bool:
        """Take the pack's creations anew if they are others; whether they are."""
        listed = state.creations, pack
        if self._listed is not None and listed[0] is self._listed[0] and pack == self._listed[1]:
            return False
        self._listed = listed
        self._creations = tuple(creation for creation in state.creations if creation.recipe.pack == pack)
        paths = {creation.path for creation in state.creations}
        self.unseen &= paths
        if isinstance(self.before, Creation) and self.before.path not in paths:
            self.before = Here.COLLAGE
        if isinstance(self.item, Creation) and self.item.path not in paths:
            # What was deleted gives way to the one that takes its place.
            self.item = Here.COLLAGE
            if self._creations:
                self.item = self._creations[min(self._row, len(self._creations) - 1)]
        elif isinstance(self.item, Creation):
            shown = self.item
            self._row = next((row for row, known in enumerate(self._creations) if same(known, shown)), self._row)
        return True

    def _preview(self) -> None:
        if self._follows and self._render is not None and self.item is not Here.RENDER:
            self._put(Here.RENDER)  # the next picture of the same job

    def _arrive(self, creation: Creation) -> None:
        if self._follows:
            self._put(creation)
        else:
            self.unseen |= {creation.path}
            self.changed.emit()


def same(one: Item, other: Item) -> bool:
    """Whether two are the same thing to show."""
    if isinstance(one, Creation) and isinstance(other, Creation):
        return one.path == other.path
    return one is other


def _next_of_queue(before: RenderStatus | None, now: RenderStatus | None) -> Recipe | None:
    """The recipe of a render that began right after another."""
    if before is None or now is None or now.item is None or now.item is before.item:
        return None
    return now.item.recipe


def _is_of(rendered: Recipe, recipe: Recipe) -> bool:
    """Whether a render is of a recipe, whatever its seed and however it starts."""
    return replace(rendered, seed=0, start=None) == replace(recipe, seed=0, start=None)
