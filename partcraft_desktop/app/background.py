"""Work off the Qt thread: files are read on a few threads, and land on the Qt thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache, partial
from typing import Any, Final

from PySide6.QtCore import QObject, Qt, Signal, Slot
from shiboken6 import isValid

LONGEST_S: Final = 30.0
"""How long a window that is closed waits for what must finish: a drive that hangs keeps no program open."""


class _Errand:
    """Work on its way to a thread and back. A thread that works knows this object only: the closures, which hold
    widgets, are let go of on the Qt thread, so that no widget is ever freed by another."""

    def __init__(
        self, work: Callable[[], Any], landed: Callable[[Any], None], owner: QObject, under_way: set[_Errand]
    ) -> None:
        self.work: Callable[[], Any] | None = work
        self.landed: Callable[[Any], None] | None = landed
        self.owner: QObject | None = owner
        self.result: Any = None
        self.under_way = under_way
        under_way.add(self)

    def run(self) -> None:
        """Do the work, on a thread."""
        assert self.work is not None
        try:
            self.result = self.work()
        except BaseException as error:  # noqa: BLE001 - whatever it is, whoever asked is told
            self.result = error

    def land(self) -> None:
        """Hand the result over and let go of everything, on the Qt thread."""
        landed, owner, result = self.landed, self.owner, self.result
        self.let_go()
        if landed is not None and owner is not None and isValid(owner):
            landed(result)

    def let_go(self) -> None:
        """Hold nothing any more, on the Qt thread."""
        self.work = self.landed = self.owner = self.result = None
        self.under_way.discard(self)


class _WayBack(QObject):
    """Where errands land on the Qt thread. There is one as long as the program runs, and it keeps errands until they
    have landed: else a window that goes while something is read for it would be freed by the thread that reads."""

    _arrived = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._kept: set[_Errand] = set()
        self._arrived.connect(self._land, Qt.ConnectionType.QueuedConnection)

    def keep(self, errand: _Errand) -> None:
        """Hold an errand until :meth:`arrive`; on the Qt thread."""
        self._kept.add(errand)

    def arrive(self, errand: _Errand, done: Future[None]) -> None:
        """An errand was run, on the thread that ran it, or given up, on the Qt thread."""
        if done.cancelled():
            self._kept.discard(errand)
            errand.let_go()
            return
        try:
            self._arrived.emit(errand)
        except RuntimeError:
            return  # Qt has ended; nobody waits for it.

    @Slot(object)
    def _land(self, errand: _Errand) -> None:
        self._kept.discard(errand)
        errand.land()


@cache
def _way_back() -> _WayBack:
    return _WayBack()


class BackgroundReader(QObject):
    """A few threads that read pictures, and a way back to the Qt thread."""

    def __init__(self, parent: QObject | None = None, threads: int = 2) -> None:
        super().__init__(parent)
        self._closed = False
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="readers")
        self._way_back = _way_back()
        self._under_way: set[_Errand] = set()
        self._must_finish: set[Future[None]] = set()
        self._may_be_dropped: set[Future[None]] = set()

    def ask(
        self, work: Callable[[], Any], landed: Callable[[Any], None], owner: QObject, must_finish: bool = False
    ) -> None:
        """Run ``work`` on a reader; ``landed`` gets its result, or the exception it raised, on the Qt thread, unless
        ``owner``, whose widgets ``landed`` touches, is gone by then. ``must_finish``: it changes what is on disk as
        somebody asked, and is done even if the window is closed before its turn."""
        if self._closed:  # a last paint of the window may still ask
            return
        errand = _Errand(work, landed, owner, self._under_way)
        self._way_back.keep(errand)
        future = self._pool.submit(errand.run)
        which = self._must_finish if must_finish else self._may_be_dropped
        which.add(future)
        future.add_done_callback(which.discard)
        future.add_done_callback(partial(self._way_back.arrive, errand))

    @property
    def idle(self) -> bool:
        """Whether nothing is read, and nothing that was read waits to land."""
        return not self._under_way

    def close(self) -> None:
        """Forget what was not begun, but for what must finish, which is waited for; what is being read ends unheard.
        Nothing more is read."""
        self._closed = True
        for future in tuple(self._may_be_dropped):
            future.cancel()
        wait(tuple(self._must_finish), LONGEST_S)
        self._pool.shutdown(wait=False, cancel_futures=True)
