"""Live painting: while it is on, the collage is painted anew after each change, in few steps, as a render would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from PySide6.QtCore import QObject, QTimer

from engine.core.recipe import Recipe
from engine.core.start import Start, default_freedom
from engine.packs.pack import Pack
from engine.packs.stand_ins import uses_stand_ins
from engine.worker.collage_jobs import Sketch, Sketched
from engine.worker.jobs import Cancelled, Failed, Finished, News
from partcraft_desktop.app.engine_client import EngineClient
from partcraft_desktop.app.state import LivePainting
from partcraft_desktop.app.store import Store

REST_MS: Final = 120
"""So long nothing else may be wished for before the engine is asked."""
AGAIN_MS: Final = 500
"""After another job had its turn."""
MOST: Final = 16
"""So many paintings are remembered: what comes back (undo) is seen at once."""
STEPS: Final = 4
"""Steps on bases that were measured with so few (docs/starter.md), and on those that were made for it."""
OTHER_STEPS: Final = 8


@dataclass(frozen=True)
class _Wish:
    """A recipe as it is painted, and what is seen of its collage; equal ones are the same painting."""

    recipe: Recipe
    contents: tuple[object, ...]


class LiveControl(QObject):
    """Owns ``state.live``. ``contents()`` says what is seen of the recipe's collage, None where there is none;
    ``keep_on(on)`` is told what a person chose. The newest wish wins; any other job goes first."""

    def __init__(
        self,
        store: Store,
        client: EngineClient,
        contents: Callable[[], tuple[object, ...] | None],
        keep_on: Callable[[bool], None],
    ) -> None:
        super().__init__(store)
        self._store = store
        self._client = client
        self._contents = contents
        self._keep_on = keep_on
        self._job: int | None = None
        self._asked: _Wish | None = None
        self._shown: _Wish | None = None
        self._paintings: list[tuple[_Wish, Sketched]] = []
        self._rest = QTimer(self, singleShot=True, interval=REST_MS)
        self._rest.timeout.connect(self._ask)
        store.changed.connect(self._refresh)

    def set_on(self, on: bool) -> None:
        """Paint live from now on, or no longer."""
        if on != self._store.state.live.on:
            self._keep_on(on)
            self._store.update_state(live=LivePainting(on))

    def _refresh(self) -> None:
        state, wish = self._store.state, self._wish()
        if wish == self._shown and wish is not None:
            return
        if wish != self._asked:
            self._let_go()
        known = next((painting for seen, painting in self._paintings if seen == wish), None)
        if known is not None:
            self._show(wish, known)
        elif state.live.painting is not None:
            self._show(None, None)
        if known is None and wish is not None and self._job is None and not self._rest.isActive():
            self._rest.start(REST_MS)

    def _wish(self) -> _Wish | None:
        """What is to be painted now; None where nothing can be, or something is only tried."""
        state = self._store.state
        if not state.live.on or state.pack is None or state.tried is not None:
            return None
        contents = self._contents()
        if contents is None or not state.creature.is_whole or not can_be_live(state.pack, state.recipe):
            return None
        return _Wish(live_recipe(state.recipe, state.pack), contents)

    def _ask(self) -> None:
        state, wish = self._store.state, self._wish()
        if wish is None or state.pack is None or wish == self._shown:
            return
        if state.engine != "ready" or state.render is not None or state.learning.alive is not None:
            return  # the state tells when that is over
        if self._client.busy:
            self._rest.start(AGAIN_MS)
            return
        self._asked = wish
        job = Sketch(str(state.pack.path), wish.recipe)
        self._job = self._client.submit(job, lambda news: self._hear(wish, news), gives_way=True)
        if self._job is not None:
            self._store.update_state(live=replace(state.live, busy=True))

    def _hear(self, wish: _Wish, news: News) -> None:
        if not isinstance(news, Finished | Failed | Cancelled):
            return
        current = wish is self._asked
        if current:
            self._job = self._asked = None
        match news:
            case Finished(Sketched() as painting):
                self._paintings = [(wish, painting), *self._paintings][:MOST]
            case Failed() if current:
                self._store.update_state(live=LivePainting())
                self._store.message.emit(self._store.message_of(news))
            case _:
                pass
        if current and self._store.state.live.on:
            self._store.update_state(live=replace(self._store.state.live, busy=False))
        if isinstance(news, Cancelled) and self._job is None:
            self._rest.start(AGAIN_MS)
        else:
            self._refresh()

    def _let_go(self) -> None:
        if self._job is not None:
            self._client.cancel(self._job)
        self._job = self._asked = None

    def _show(self, wish: _Wish | None, painting: Sketched | None) -> None:
        self._shown = wish
        live = replace(self._store.state.live, painting=painting, busy=self._job is not None)
        self._store.update_state(live=live)


def can_be_live(pack: Pack, recipe: Recipe) -> bool:
    """Whether a recipe's collage can be painted: the pack has tokens, and pictures of the parts."""
    return pack.trained and not uses_stand_ins(pack, recipe)


def live_recipe(recipe: Recipe, pack: Pack) -> Recipe:
    """What is painted of a recipe: its collage, as freely as its render would, in few steps, once."""
    base = pack.base_model
    start = recipe.start
    if start is None or start.is_ignored or start.creation:
        start = Start(default_freedom(base.id))
    most = STEPS if base.steps else OTHER_STEPS
    few = min(recipe.steps, most)
    return replace(recipe, start=replace(start, only=()), steps=few, count=1, tries=1, size=0)
