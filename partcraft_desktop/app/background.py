"""Work off the Qt thread: files are read on a few threads, and land on the Qt thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, Final

from PySide6.QtCore import QObject, Qt, Signal, Slot
from shiboken6 import isValid

LONGEST_S: Final = 10.0
"""How long a window that is closed waits for what must finish: a drive that hangs keeps no program open."""


class _Errand:
    """Work on its way to a thread and back. A thread that works knows this object only: the closures, which hold
    widgets, are let go of on the Qt thread, so that no widget is ever freed by another."""

    def __init__(self, work: Callable[[], Any], landed: Callable[[Any], None], owner: QObject) -> None:
        self.work: Callable[[], Any] | None = work
        self.landed: Callable[[Any], None] | None = landed
        self.owner: QObject | None = owner
        self.result: Any = None

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
        self.work = self.landed = self.owner = self.result = None
        if landed is not None and owner is not None and isValid(owner):
            landed(result)


class BackgroundReader(QObject):
    """A few threads that read pictures, and a way back to the Qt thread."""

    _landed = Signal(object)

    def __init__(self, parent: QObject | None = None, threads: int = 2) -> None:
        super().__init__(parent)
        self._closed = False
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="readers")
        self._under_way: set[_Errand] = set()
        self._must_finish: set[Future[None]] = set()
        self._may_be_dropped: set[Future[None]] = set()
        self._landed.connect(self._land, Qt.ConnectionType.QueuedConnection)

    def ask(
        self, work: Callable[[], Any], landed: Callable[[Any], None], owner: QObject, must_finish: bool = False
    ) -> None:
        """Run ``work`` on a reader; ``landed`` gets its result, or the exception it raised, on the Qt thread, unless
        ``owner``, whose widgets ``landed`` touches, is gone by then. ``must_finish``: it changes what is on disk as
        somebody asked, and is done even if the window is closed before its turn."""
        if self._closed:  # a last paint of the window may still ask
            return
        errand = _Errand(work, landed, owner)
        self._under_way.add(errand)

        def arrive(done: Future[None]) -> None:
            if done.cancelled():
                return
            try:
                self._landed.emit(errand)
            except RuntimeError:
                return  # The window closed while the picture was read; nobody waits for it.

        future = self._pool.submit(errand.run)
        if must_finish:
            self._must_finish.add(future)
            future.add_done_callback(self._must_finish.discard)
        else:
            self._may_be_dropped.add(future)
            future.add_done_callback(self._may_be_dropped.discard)
        future.add_done_callback(arrive)

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

    @Slot(object)
    def _land(self, errand: _Errand) -> None:
        self._under_way.discard(errand)
        errand.land()
