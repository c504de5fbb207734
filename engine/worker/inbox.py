"""A box between two threads in which new news replace old ones that nobody has seen yet."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Inbox(Generic[T]):
    """Items put by one thread and taken by another, in order.

    An item put with a ``key`` replaces the waiting item of the same key, so that a slow taker sees the latest
    preview instead of every one. ``wake`` is called (on the putting thread) when the box stops being empty: once per
    take, however much arrives meanwhile.
    """

    def __init__(self, wake: Callable[[], None] | None = None) -> None:
        self._wake = wake
        self._items: list[tuple[object, T]] = []
        self._filled = threading.Condition()

    def put(self, item: T, key: object = None) -> None:
        """Add an item at the end; the waiting item of the same key, unless that is None, is dropped."""
        with self._filled:
            was_empty = not self._items
            if key is not None:
                self._items = [entry for entry in self._items if entry[0] != key]
            self._items.append((key, item))
            self._filled.notify()
        if was_empty and self._wake:
            self._wake()

    def take(self) -> list[T]:
        """Everything that waits, in order; empty if nothing does."""
        with self._filled:
            items, self._items = self._items, []
        return [item for _, item in items]

    def wait(self, timeout: float | None = None) -> list[T]:
        """Like :meth:`take`, but waits until there is something, or for ``timeout`` seconds."""
        with self._filled:
            self._filled.wait_for(lambda: bool(self._items), timeout)
            items, self._items = self._items, []
        return [item for _, item in items]
