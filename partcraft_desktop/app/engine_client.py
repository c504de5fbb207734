"""The way to the engine and back: jobs go down, their news come up on the Qt thread to whoever asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from PySide6.QtCore import QObject, Qt, Signal, Slot

from engine.worker.child_process import newest_key
from engine.worker.inbox import Inbox
from engine.worker.jobs import Cancelled, Event, Failed, Finished, Job, News


class EngineLike(Protocol):
    """What is needed of an engine."""

    def submit(self, job: Job) -> int: ...
    def cancel(self, job_id: int) -> None: ...
    def close(self) -> None: ...


class EngineClient(QObject):
    """Owned by Session alone. ``make_engine(outlet)`` builds the engine when :meth:`start` is called."""

    _news = Signal()

    def __init__(self, make_engine: Callable[[Callable[[Event], None]], EngineLike], parent: QObject) -> None:
        super().__init__(parent)
        self._make_engine = make_engine
        self._engine: EngineLike | None = None
        self._closed = False
        self._listeners: dict[int, Callable[[News], None]] = {}
        self._giving_way: set[int] = set()
        # News that nobody has seen yet are replaced by newer ones, so that a busy window sees the latest preview.
        self._inbox: Inbox[Event] = Inbox(self._news.emit)
        self._news.connect(self._take, Qt.ConnectionType.QueuedConnection)

    def start(self) -> bool:
        """Start the engine; False if it runs already, or is closed for good."""
        if self._engine is not None or self._closed:
            return False
        self._engine = self._make_engine(lambda event: self._inbox.put(event, _newest(event)))
        return True

    @property
    def running(self) -> bool:
        """Whether the engine was started."""
        return self._engine is not None

    @property
    def busy(self) -> bool:
        """Whether a job has not ended yet."""
        return bool(self._listeners)

    def submit(self, job: Job, listener: Callable[[News], None], gives_way: bool = False) -> int | None:
        """Hand in a job; its id, or None when closed. ``listener`` hears its news, on the Qt thread. ``gives_way``: it
        is cancelled as soon as another is handed in."""
        if self._engine is None or self._closed:
            return None
        for other in self._giving_way:
            self._engine.cancel(other)
        number = self._engine.submit(job)
        if gives_way:
            self._giving_way.add(number)
        self._listeners[number] = listener
        return number

    def cancel(self, job_id: int) -> None:
        """Ask a job to end."""
        if self._engine is not None and not self._closed:
            self._engine.cancel(job_id)

    def receive(self, event: Event) -> None:
        """Take one event, on the Qt thread."""
        if self._closed:
            return
        ended = isinstance(event.news, Finished | Failed | Cancelled)
        listener = self._listeners.pop(event.job, None) if ended else self._listeners.get(event.job)
        if ended:
            self._giving_way.discard(event.job)
        if listener is not None:
            listener(event.news)

    def close(self) -> None:
        """End the engine. No listener hears anything afterwards."""
        self._closed = True
        if self._engine is not None:
            self._engine.close()

    @Slot()
    def _take(self) -> None:
        for event in self._inbox.take():
            self.receive(event)


def _newest(event: Event) -> object:
    key = newest_key(event.news)
    return None if key is None else (event.job, key)
