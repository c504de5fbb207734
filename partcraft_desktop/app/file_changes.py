"""Changes of files off the Qt thread, one after another in the order they were asked for."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from partcraft_desktop.app.messages import Message, sentence_of
from partcraft_desktop.app.store import Store

OTHERWISE: Final = "The files cannot be changed."


@dataclass(eq=False)
class _Change:
    work: Callable[[], Any]
    then: Callable[[Any], None]
    otherwise: str
    failed: Callable[[Message], None] | None
    is_done: bool = False
    result: Any = None


class FileChanges:
    """Deleting, bringing back, deleting again: each begins when the one before has ended and lands in the same order,
    and all are finished even if the window closes. ``now_idle`` is called when none is left."""

    def __init__(self, store: Store, now_idle: Callable[[], None]) -> None:
        self._store = store
        self._now_idle = now_idle
        self._under_way: deque[_Change] = deque()
        """The Qt thread's: what has not landed yet."""
        self._lock = threading.Lock()
        self._to_do: deque[_Change] = deque()
        self._at_work = False

    @property
    def idle(self) -> bool:
        """Whether nothing is being changed."""
        return not self._under_way

    def ask(
        self,
        work: Callable[[], Any],
        then: Callable[[Any], None],
        otherwise: str,
        failed: Callable[[Message], None] | None = None,
    ) -> None:
        """As :meth:`Store.ask`, in turn."""
        change = _Change(work, then, otherwise, failed)
        self._under_way.append(change)
        with self._lock:
            self._to_do.append(change)
        self._store.ask(self._work, lambda _: self._land(), OTHERWISE, must_finish=True)

    def _work(self) -> None:
        """Do what is to do, on a thread: one works for all, so that no thread waits for another."""
        with self._lock:
            if self._at_work:
                return
            self._at_work = True
        while True:
            with self._lock:
                if not self._to_do:
                    self._at_work = False
                    return
                change = self._to_do.popleft()
            try:
                change.result = change.work()
            except BaseException as error:  # noqa: BLE001 - whatever it is, whoever asked is told
                change.result = error
            change.is_done = True

    def _land(self) -> None:
        while self._under_way and self._under_way[0].is_done:
            try:
                self._tell(self._under_way.popleft())
            finally:
                if not self._under_way:
                    self._now_idle()  # also where whoever asked stumbled: others wait for it

    def _tell(self, change: _Change) -> None:
        if isinstance(change.result, Exception):
            sentence = sentence_of(change.result, change.otherwise)
            if change.failed is not None:
                change.failed(sentence)
            self._store.message.emit(sentence)
        else:
            change.then(change.result)
