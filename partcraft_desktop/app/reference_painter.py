"""The reference pictures of a pack that came without: painted one by one while the engine has nothing else to do."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, QTimer

from engine.packs.pack import Pack
from engine.packs.painting_wish import is_stopped, set_stopped
from engine.packs.stand_ins import codes_to_paint, is_painted
from engine.worker.jobs import Cancelled, Failed, Finished, News, PaintReference, Progress
from partcraft_desktop.app.engine_client import EngineClient
from partcraft_desktop.app.painting_state import PaintingStatus
from partcraft_desktop.app.store import Store

REST_MS: Final = 1500
"""So long the engine must have had nothing else to do before it paints."""


class ReferencePainter(QObject):
    """Owns ``state.painting``: how far the pack on show is. What is painted is on disk, so a restart goes on from
    there; any other job makes a picture that is under way give way, and it begins anew when the engine rests.

    ``painted`` is called when there is another picture: the packs are to be read again.
    """

    def __init__(self, store: Store, client: EngineClient, painted: Callable[[], None], rest_ms: int = REST_MS) -> None:
        super().__init__(store)
        self._store = store
        self._client = client
        self._painted = painted
        self._rest = QTimer(self, singleShot=True, interval=rest_ms)
        self._rest.timeout.connect(self._begin)
        self._folder: Path | None = None
        self._wish_known = False
        self._job: int | None = None
        self._began = 0.0
        self._pace = 0.0
        store.changed.connect(self._consider)

    @property
    def rest_ms(self) -> int:
        """For how long the engine must rest."""
        return self._rest.interval()

    @rest_ms.setter
    def rest_ms(self, interval: int) -> None:
        self._rest.setInterval(interval)

    def stop(self) -> None:
        """Paint no more, until somebody says so: also after a restart."""
        self._wish(True)
        self._let_go()

    def go_on(self) -> None:
        """Paint what is left."""
        self._wish(False)

    def close(self) -> None:
        """Begin no more."""
        self._rest.stop()

    def _wish(self, stopped: bool) -> None:
        status, pack = self._store.state.painting, self._store.state.pack
        if status is None or pack is None:
            return
        folder = pack.path
        self._change(stopped=stopped, fault="", model="")
        self._store.ask(lambda: set_stopped(folder, stopped), lambda _: None, "That cannot be kept for the next start.")

    def _consider(self) -> None:
        """Follow the pack on show; begin, once the engine rests."""
        pack, status = self._store.state.pack, self._store.state.painting
        if pack is None or not is_painted(pack):
            self._forget()
            return
        if status is None or self._folder != pack.path:
            self._let_go()
            self._folder, self._wish_known, self._pace = pack.path, False, 0.0
            self._store.update_state(painting=_status_of(pack))
            folder = pack.path
            self._store.ask(lambda: is_stopped(folder), lambda stopped: self._know(folder, stopped), "")
            return
        left = len(codes_to_paint(pack))
        if status.total - status.painted != left or status.total != len(pack.references):
            self._change(painted=len(pack.references) - left, total=len(pack.references), share=0.0)
            return
        if self._may_begin() and not self._rest.isActive():
            self._rest.start()

    def _know(self, folder: Path, stopped: bool) -> None:
        if folder == self._folder:
            self._wish_known = True
            self._change(stopped=stopped)

    def _may_begin(self) -> bool:
        state = self._store.state
        status = state.painting
        return (
            status is not None
            and self._wish_known
            and self._job is None
            and not (status.stopped or status.fault)
            and status.painted < status.total
            and state.engine == "ready"
            and state.render is None
            and state.learning.alive is None  # a training has the computer to itself
        )

    def _begin(self) -> None:
        pack = self._store.state.pack
        if pack is None or not self._may_begin():
            return
        if self._client.busy:
            self._rest.start()
            return
        code = next(iter(codes_to_paint(pack)), None)
        if code is None:
            return
        self._began = time.monotonic()
        job = PaintReference(str(pack.path), code)
        self._job = self._client.submit(job, lambda news: self._hear(pack, news), gives_way=True)
        if self._job is not None:
            self._change(active=True)

    def _hear(self, pack: Pack, news: News) -> None:
        shown = self._folder == pack.path
        match news:
            case Progress() if shown and news.total and news.stage == "Painting":
                self._change(share=news.done / news.total)
            case Finished():
                self._job = None
                seconds = time.monotonic() - self._began
                self._pace = 0.7 * self._pace + 0.3 * seconds if self._pace else seconds
                if shown:
                    self._change(active=False, left=self._left())
                self._painted()
            case Failed():
                self._job = None
                if shown:
                    self._change(active=False, share=0.0, fault=f"{news.message} {news.hint}".strip(), model=news.model)
            case Cancelled():
                self._job = None
                if shown:
                    self._change(active=False, share=0.0)
            case _:
                pass

    def _left(self) -> float | None:
        status = self._store.state.painting
        return self._pace * (status.total - status.painted - 1) if status is not None and self._pace else None

    def _change(self, **changes: object) -> None:
        status = self._store.state.painting
        if status is not None and not self._store.closed:
            self._store.update_state(painting=replace(status, **changes))  # type: ignore[arg-type]

    def _forget(self) -> None:
        self._rest.stop()
        self._let_go()
        self._folder = None
        if self._store.state.painting is not None:
            self._store.update_state(painting=None)

    def _let_go(self) -> None:
        if self._job is not None:
            self._client.cancel(self._job)


def _status_of(pack: Pack) -> PaintingStatus:
    total = len(pack.references)
    return PaintingStatus(pack.id, total - len(codes_to_paint(pack)), total)
