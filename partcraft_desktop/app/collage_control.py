"""The creature: the collage of the recipe, made anew with every change of it, on one thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from engine.collage.arrangement import arrangement_of
from engine.collage.layers import Collage
from engine.core.recipe import Recipe
from engine.core.segmentation import Segmentation
from engine.packs.pack import Pack
from partcraft_desktop.app.background import BackgroundReader
from partcraft_desktop.app.messages import sentence_of
from partcraft_desktop.app.state import Creature, OpenPicture
from partcraft_desktop.app.store import Store

if TYPE_CHECKING:
    from engine.collage.assemble import CollageMaker


@dataclass(frozen=True)
class _Wanted:
    """What a collage is made of; equal ones are the same picture."""

    pack: Pack
    recipe: Recipe
    own: tuple[OpenPicture, ...]

    @property
    def contents(self) -> tuple[object, ...]:
        """What of it can be seen: no words, no strengths, no seed."""
        choices = tuple((choice.part, choice.code, choice.source) for choice in self.recipe.choices)
        return self.pack, choices, arrangement_of(self.recipe), tuple(id(picture.segmentation) for picture in self.own)


class CollageControl(QObject):
    """Keeps ``state.creature``: the collage of ``state.recipe``, with ``state.tried`` in it. The newest wish wins: what
    was wished for meanwhile is never made."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._store = store
        # A thread of its own: a click does not wait for pictures that are read.
        self._thread = BackgroundReader(self, threads=1)
        self._bench = _Bench()
        self._under_way = False
        self._shown: tuple[object, ...] | None = None
        store.changed.connect(self._refresh)

    def warm_up(self) -> None:
        """Make ready for the first click: once the window is on screen."""
        pack = self._store.state.pack
        if pack is not None:
            self._thread.ask(lambda: self._bench.open(pack), lambda _: None, self)

    def close(self) -> None:
        """Make no more."""
        self._thread.close()

    def maker(self) -> Callable[[], Collage] | None:
        """What makes the collage of the recipe as it is now, without what is only tried, on any thread but Qt's; None
        where nothing is chosen."""
        wanted, bench = self._wanted(tries=False), self._bench
        return None if wanted is None else lambda: bench.make(wanted)

    def maker_of_variants(self) -> Callable[[Recipe], Collage] | None:
        """What makes the collage of any recipe of the pack on show, on any thread but Qt's; None without a pack."""
        pack, bench = self._store.state.pack, self._bench
        own = tuple(picture for picture in self._store.state.own if picture.segmentation is not None)
        return None if pack is None else lambda recipe: bench.make(_Wanted(pack, recipe, own))

    def _refresh(self) -> None:
        wanted = self._wanted()
        contents = wanted.contents if wanted is not None else None
        if self._under_way:
            return
        if contents == self._shown:
            self._keep_up(wanted)
            return
        self._shown = contents
        if wanted is None:
            self._store.update_state(creature=Creature())
            return
        self._under_way = True
        self._thread.ask(lambda: self._bench.make(wanted), lambda result: self._land(wanted, result), self)

    def _keep_up(self, wanted: _Wanted | None) -> None:
        """The same picture of another recipe: strengths and words are not seen."""
        creature = self._store.state.creature
        if wanted is not None and creature.choices != wanted.recipe.choices:
            self._store.update_state(creature=replace(creature, choices=wanted.recipe.choices))

    def _land(self, wanted: _Wanted, result: Collage | Exception) -> None:
        self._under_way = False
        choices = wanted.recipe.choices
        if isinstance(result, Exception):
            sentence = sentence_of(result, "The creature cannot be put together.")
            creature = Creature(None, choices, (), sentence.text, sentence.hint)
        else:
            missing = tuple(missing.message for missing in result.missing)
            creature = Creature(result, choices, missing, arrangement=arrangement_of(wanted.recipe))
        self._store.update_state(creature=creature)  # which looks for the next wish
        self._refresh()

    def _wanted(self, tries: bool = True) -> _Wanted | None:
        state = self._store.state
        if state.pack is None or state.recipe.pack != state.pack.id:
            return None
        recipe = state.recipe
        if tries and state.tried is not None:
            recipe = recipe.with_choice(state.tried, state.pack.vocabulary.noun)
        if not recipe.choices:
            return None
        sources = {choice.source for choice in recipe.choices} | {arrangement_of(recipe).pose}
        own = tuple(picture for picture in state.own if picture.id in sources and picture.segmentation is not None)
        return _Wanted(state.pack, recipe, own)


class _Bench:
    """Where collages are made: the maker of the pack on show. Others than the control's own thread may ask as well."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._maker: CollageMaker | None = None
        self._pack: Pack | None = None
        self._own: dict[str, Segmentation] = {}

    def open(self, pack: Pack) -> CollageMaker:
        """The maker for a pack; slow at first, not on the Qt thread."""
        # Imported here, on the thread: it brings scipy, and the first paint does not wait for that.
        from engine.collage.assemble import CollageMaker

        with self._lock:
            if self._maker is None or self._pack != pack:
                self._maker, self._pack, self._own = CollageMaker(pack), pack, {}
                self._maker.anatomy  # noqa: B018 - read now, not at the first click
            return self._maker

    def make(self, wanted: _Wanted) -> Collage:
        """The collage; slow, not on the Qt thread. Raises ``UserError``."""
        with self._lock:
            maker = self.open(wanted.pack)
            for picture in wanted.own:
                segmentation = picture.segmentation
                if segmentation is not None and self._own.get(picture.id) is not segmentation:
                    maker.add_picture(picture.id, Path(picture.image), segmentation)
                    self._own[picture.id] = segmentation
        return maker.make(wanted.recipe)
