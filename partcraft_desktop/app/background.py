"""Work off the Qt thread: files are read on a few threads, and land on the Qt thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal, Slot
from shiboken6 import isValid


class BackgroundReader(QObject):
    """A few threads that read pictures, and a way back to the Qt thread."""

    _landed = Signal(object)

    def __init__(self, parent: QObject | None = None, threads: int = 2) -> None:
        super().__init__(parent)
        self._closed = False
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="readers")
        self._landed.connect(self._land, Qt.ConnectionType.QueuedConnection)

    def ask(self, work: Callable[[], Any], landed: Callable[[Any], None], owner: QObject) -> None:
        """Run ``work`` on a reader; ``landed`` gets its result, or the exception it raised, on the Qt thread, unless
        ``owner``, whose widgets ``landed`` touches, is gone by then."""

        def arrive(done: Future[Any]) -> None:
            if done.cancelled():
                return
            result = done.exception() or done.result()
            try:
                self._landed.emit(lambda: landed(result) if isValid(owner) else None)
            except RuntimeError:
                return  # The window closed while the picture was read; nobody waits for it.

        # A last paint of the window may still ask.
        if not self._closed:
            self._pool.submit(work).add_done_callback(arrive)

    def close(self) -> None:
        """Forget what was not begun; what is being read ends unheard, and nothing more is read."""
        self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    @Slot(object)
    def _land(self, call: Callable[[], None]) -> None:
        call()
