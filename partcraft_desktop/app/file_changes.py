"""Changes of files off the Qt thread, one after another in the order they were asked for."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from partcraft_desktop.app.messages import Message
from partcraft_desktop.app.store import Store


class FileChanges:
    """Deleting, bringing back, deleting again: each begins when the one before has ended and lands in the same order,
    and all are finished even if the window closes. ``now_idle`` is called when none is left."""

    def __init__(self, store: Store, now_idle: Callable[[], None]) -> None:
        self._store = store
        self._now_idle = now_idle
        self._last = threading.Event()
        self._last.set()
        self._under_way: deque[_Landing] = deque()

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
        before, done, landing = self._last, threading.Event(), _Landing()
        self._last = done
        self._under_way.append(landing)

        def in_turn() -> Any:
            before.wait()
            try:
                return work()
            finally:
                done.set()

        def landed(result: Any) -> None:
            self._land(landing, lambda: then(result))

        def lost(message: Message) -> None:
            self._land(landing, lambda: failed(message) if failed is not None else None)

        self._store.ask(in_turn, landed, otherwise, lost, must_finish=True)

    def _land(self, landing: _Landing, run: Callable[[], None]) -> None:
        # Two threads work in turn, but their news may overtake each other.
        landing.run = run
        while self._under_way and (next_run := self._under_way[0].run) is not None:
            self._under_way.popleft()
            next_run()
        if not self._under_way:
            self._now_idle()


class _Landing:
    """What is done on the Qt thread when a change has ended; None until then."""

    run: Callable[[], None] | None = None
