"""Starts: how far renders may go from the collage, which parts they keep, and single parts rendered anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from engine.core.recipe import Creation, Recipe
from engine.core.start import Start
from engine.packs.pack import Pack
from engine.packs.stand_ins import uses_stand_ins
from partcraft_desktop.app.recipe_edits import random_seed
from partcraft_desktop.app.state import State
from partcraft_desktop.app.store import Store

ANEW: Final = 0.8
"""The freedom of what is rendered anew: as much of it is what was asked for as at 1 (docs/rendering.md), and it stays
nearer to its place."""


class StartControl:
    """Changes the start that ``state.recipe`` keeps; ``change(recipe, gesture)`` makes it a step of undo, one for all
    changes of the same gesture. ``add(pack, recipe)`` adds a render to the queue."""

    def __init__(
        self, store: Store, change: Callable[[Recipe, str], None], add: Callable[[Pack, Recipe], None]
    ) -> None:
        self._store = store
        self._change = change
        self._add = add

    # What the recipe's own render begins with

    def set_freedom(self, freedom: float, gesture: str = "freedom") -> None:
        """How far a render may go from its start: 0..1, moved into that; 1 is without the collage."""
        self._put(replace(self._start(), freedom=round(min(max(freedom, 0.0), 1.0), 2)), gesture)

    def keep_part(self, part: int, kept: bool) -> None:
        """Keep a part as the collage has it, or let it be rendered like the others."""
        start = self._start()
        keep = tuple(other for other in start.keep if other != part)
        self._put(replace(start, keep=(*keep, part) if kept else keep))

    def use_collage(self) -> None:
        """Begin with the whole collage instead of a creation or single parts."""
        self._put(replace(self._start(), creation="", only=()))

    def settled(self, recipe: Recipe) -> Recipe:
        """A recipe as it is rendered: parts that are not chosen are not kept, and where there is no collage to start
        from, it is painted freely."""
        start = recipe.start
        if start is not None and not start.creation:
            chosen = {choice.part for choice in recipe.choices}
            keep, only = (tuple(part for part in parts if part in chosen) for parts in (start.keep, start.only))
            start = replace(start, keep=keep, only=only) if has_collage(self._store.state, recipe) else None
        return replace(recipe, start=None if start is not None and start.is_ignored else start)

    # Renders of their own

    def render_anew(self, parts: Sequence[int], creation: Creation | None = None) -> None:
        """Render some parts of the collage, or of a creation, with another seed; the rest stays as it is."""
        self._render(parts, (), creation)

    def render_rest(self, parts: Sequence[int], creation: Creation | None = None) -> None:
        """Render all but some parts of the collage, or of a creation, with another seed; these stay as they are."""
        self._render((), parts, creation)

    def _render(self, only: Iterable[int], keep: Iterable[int], creation: Creation | None) -> None:
        state = self._store.state
        recipe = state.recipe if creation is None else creation.recipe
        pack = next((pack for pack in state.packs if pack.id == recipe.pack), None)
        if pack is not None:
            path = "" if creation is None else str(Path(creation.path).absolute())
            start = Start(ANEW, path, tuple(keep), tuple(only))
            if creation is not None and creation.rest:  # another seed would take the rest from another picture
                recipe = replace(recipe, rest=creation.rest.reference)
            self._add(pack, replace(recipe, seed=random_seed(), count=1, start=start))

    def _start(self) -> Start:
        return self._store.state.recipe.start or Start(1.0)

    def _put(self, start: Start, gesture: str = "") -> None:
        is_free = start.is_ignored and not start.creation
        self._change(replace(self._store.state.recipe, start=None if is_free else start), gesture)


def kept_parts(recipe: Recipe) -> frozenset[int]:
    """The chosen parts that a recipe's render keeps as they are."""
    keep = recipe.start.keep if recipe.start is not None else ()
    return frozenset(choice.part for choice in recipe.choices if choice.part in keep)


def has_collage(state: State, recipe: Recipe) -> bool:
    """Whether there is a whole collage of a recipe of the pack on show to start from, of pictures and not of stand-ins.
    One that is still being put together is foretold from what is known of its pictures."""
    if state.pack is None or not recipe.choices or uses_stand_ins(state.pack, recipe):
        return False
    creature = state.creature
    if recipe.pack == state.pack.id and state.tried is None and creature.choices == recipe.choices:
        return creature.is_whole
    own = {picture.id for picture in state.own if picture.segmentation is not None}
    references = [reference for reference in state.pack.references if reference.labels]
    return all(
        choice.source in own or any(r.codes[choice.part : choice.part + 1] == (choice.code,) for r in references)
        for choice in recipe.choices
    )
