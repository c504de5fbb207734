"""The creature: the collage of the recipe, made anew with every change of it, on one thread of its own: at once as a
draft at about the size of the screen, in full when nothing else is wished for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, RLock
from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import QObject, QTimer

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


DRAFT_SIDE: Final = 1280
"""Pixels of a draft's longer side, at most; what is not larger is made in full at once."""
REST_MS: Final = 200
"""After a draft nothing else may be wished for so long, then the full collage is made."""
_STEP_SIDE: Final = 2560
"""While a part is arranged, a full collage up to this size stays one: a step of it is cheap enough."""


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

    @property
    def unmoved(self) -> tuple[object, ...]:
        """The same, wherever a person has put the parts."""
        arrangement = replace(arrangement_of(self.recipe), adjustments=(), order=())
        return (*self.contents[:2], arrangement, self.contents[3])


class CollageControl(QObject):
    """Keeps ``state.creature``: the collage of ``state.recipe``, with ``state.tried`` in it. The newest wish wins: what
    was wished for meanwhile is never made. While nothing is wished for, pictures that are looked at are made ready for
    a click, and a draft is made in full; a wish interrupts that."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._store = store
        # A thread of its own: a click does not wait for pictures that are read.
        self._thread = BackgroundReader(self, threads=1)
        self._bench = _Bench()
        self._under_way = False
        self._shown: tuple[object, ...] | None = None
        self._shown_own: tuple[OpenPicture, ...] = ()  # held, so that the ids in what is shown stay theirs
        self._unmoved: tuple[object, ...] | None = None
        self._number = 0
        self._wished = Event()  # heard on the thread, where what is made ahead then stops
        self._warm = False  # before the window is on screen nothing is made ready
        self._prepared: tuple[object, ...] = ()
        self._made_in_full = 0  # the number of the creature of which that was tried
        self._rest = QTimer(self, singleShot=True, interval=REST_MS)
        self._rest.timeout.connect(self._end_rest)
        store.changed.connect(self._refresh)

    def warm_up(self) -> None:
        """Make ready for the first click: once the window is on screen."""
        pack = self._store.state.pack
        if pack is not None:
            self._thread.ask(lambda: self._bench.open(pack), lambda _: self._be_warm(), self)

    def close(self) -> None:
        """Make no more."""
        self._wished.set()
        self._thread.close()

    def contents(self) -> tuple[object, ...] | None:
        """What can be seen of the collage of the recipe, without what is only tried: equal ones are the same picture.
        None where nothing is chosen."""
        wanted = self._wanted(tries=False)
        return None if wanted is None else wanted.contents

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

    def maker_of_shown(self) -> Callable[[], Collage] | None:
        """What makes the collage on show, with what is only tried, in full, on any thread but Qt's."""
        wanted, bench = self._wanted(), self._bench
        return None if wanted is None else lambda: bench.make(wanted)

    def _refresh(self) -> None:
        wanted = self._wanted()
        contents = wanted.contents if wanted is not None else None
        if contents != self._shown:
            self._wished.set()
        if self._under_way:
            return
        if contents == self._shown:
            self._keep_up(wanted)
            self._work_ahead(wanted)
            return
        before, self._shown = self._unmoved, contents
        self._shown_own = wanted.own if wanted is not None else ()
        self._unmoved = wanted.unmoved if wanted is not None else None
        self._number += 1
        self._rest.stop()
        if wanted is None:
            self._store.update_state(creature=Creature(number=self._number))
            return
        longest = None if before == self._unmoved and self._steps_in_full() else DRAFT_SIDE
        self._ask(lambda: self._bench.make(wanted, longest), lambda result: self._land(wanted, result))

    def _steps_in_full(self) -> bool:
        collage = self._store.state.creature.collage
        return collage is not None and collage.shrink == 1 and max(collage.width, collage.height) <= _STEP_SIDE

    def _ask(self, work: Callable[[], Any], landed: Callable[[Any], None]) -> None:
        def land(result: Any) -> None:
            self._under_way = False
            landed(result)
            self._refresh()

        self._under_way = True
        self._wished.clear()
        self._thread.ask(work, land, self)

    def _keep_up(self, wanted: _Wanted | None) -> None:
        """The same picture of another recipe: strengths and words are not seen."""
        creature = self._store.state.creature
        if wanted is not None and creature.choices != wanted.recipe.choices:
            self._store.update_state(creature=replace(creature, choices=wanted.recipe.choices))

    def _land(self, wanted: _Wanted, result: Collage | Exception) -> None:
        choices = wanted.recipe.choices
        if isinstance(result, Exception):
            sentence = sentence_of(result, "The creature cannot be put together.")
            creature = Creature(None, choices, (), sentence.text, sentence.hint, number=self._number)
        else:
            missing = tuple(missing.message for missing in result.missing)
            arranged = arrangement_of(wanted.recipe)
            creature = Creature(result, choices, missing, arrangement=arranged, number=self._number)
            if result.shrink > 1:
                self._rest.start()
        self._warm = True
        self._store.update_state(creature=creature)  # which looks for the next wish

    # Ahead of the next wish

    def _be_warm(self) -> None:
        self._warm = True

    def _work_ahead(self, wanted: _Wanted | None) -> None:
        """Begin with what is worth doing while nothing is wished for; each thing that lands asks for the next."""
        pack = self._store.state.pack
        if self._under_way or not self._warm or pack is None:
            return
        for picture_id, own in self._looked_at():
            key = pack, picture_id, tuple(id(picture.segmentation) for picture in own)
            if key not in self._prepared:
                self._prepare(key, pack, picture_id, own)
                return
        collage = self._store.state.creature.collage
        if wanted is None or collage is None or collage.shrink == 1 or self._rest.isActive():
            return
        if self._made_in_full != self._number:
            self._made_in_full = self._number
            self._ask(
                lambda: self._bench.make(wanted, go_on=self._may_go_on),
                lambda result: self._land_full(wanted, result),
            )

    def _end_rest(self) -> None:
        self._work_ahead(self._wanted())

    def _may_go_on(self) -> bool:
        return not self._wished.is_set()

    def _prepare(self, key: object, pack: Pack, picture_id: str, own: tuple[OpenPicture, ...]) -> None:
        def landed(result: Any) -> None:
            if self._wished.is_set():  # interrupted
                self._prepared = tuple(known for known in self._prepared if known != key)

        self._prepared = (key, *self._prepared[:1])
        self._ask(lambda: self._bench.prepare(pack, picture_id, own, self._may_go_on), landed)

    def _land_full(self, wanted: _Wanted, result: Collage | Exception) -> None:
        """The same creature, sharp; where that fails the draft stays, and saving says why."""
        if isinstance(result, Collage) and wanted.contents == self._shown:
            missing = tuple(missing.message for missing in result.missing)
            self._store.update_state(creature=replace(self._store.state.creature, collage=result, missing=missing))
        elif self._wished.is_set():  # interrupted
            self._made_in_full = 0

    def _looked_at(self) -> list[tuple[str, tuple[OpenPicture, ...]]]:
        """What the next click may take from: ids of pictures, a person's own one with its parts."""
        state = self._store.state
        ids = [state.reference.id if state.reference is not None else "", state.tried.source if state.tried else ""]
        known = {picture.id: picture for picture in state.own if picture.segmentation is not None}
        pack = state.pack
        return [
            (picture_id, (known[picture_id],) if picture_id in known else ())
            for picture_id in dict.fromkeys(ids)
            if picture_id in known or (pack is not None and pack.reference(picture_id) is not None)
        ]

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

    def make(self, wanted: _Wanted, longest: int | None = None, go_on: Callable[[], bool] | None = None) -> Collage:
        """The collage, see :meth:`CollageMaker.make`; slow, not on the Qt thread."""
        return self._maker_with(wanted.pack, wanted.own).make(wanted.recipe, longest=longest, go_on=go_on)

    def prepare(self, pack: Pack, picture_id: str, own: tuple[OpenPicture, ...], go_on: Callable[[], bool]) -> None:
        """Make a picture ready for drafts; slow, not on the Qt thread. Raises ``Interrupted``."""
        self._maker_with(pack, own).prepare(picture_id, DRAFT_SIDE, go_on)

    def _maker_with(self, pack: Pack, own: tuple[OpenPicture, ...]) -> CollageMaker:
        """The maker, once it knows a person's own pictures."""
        with self._lock:
            maker = self.open(pack)
            for picture in own:
                segmentation = picture.segmentation
                if segmentation is not None and self._own.get(picture.id) is not segmentation:
                    maker.add_picture(picture.id, Path(picture.image), segmentation)
                    self._own[picture.id] = segmentation
            return maker
