"""What takes long to load or to work out, kept while memory allows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar

from engine.core.errors import UserError

HEADROOM: Final = 1.3
"""Memory asked for before a value is made: its size times this, for what is needed beside it."""

_T = TypeVar("_T")


class MemoryCache:
    """Values by key, of which those used longest ago are dropped for the sake of new ones.

    All together they take at most ``budget`` bytes. ``free_bytes`` says how much memory is free; ``give_back`` lets
    go of what is kept of it for later use. A key is of a class of its own (a frozen dataclass), so that the keys of
    two callers never meet.
    """

    def __init__(
        self, budget: int, free_bytes: Callable[[], int], give_back: Callable[[], None] = lambda: None
    ) -> None:
        self.budget = budget
        self._free_bytes = free_bytes
        self._give_back = give_back
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._values

    def get(self, key: Hashable, make: Callable[[], _T], size: int = 0) -> _T:
        """The value of ``key``; if it is not here it is made, of ``size`` bytes, when there is room. Raises
        :class:`UserError` when there cannot be."""
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key][0]
        self.make_room(size)
        value = make()
        self._values[key] = (value, size)
        return value

    def make_room(self, size: int) -> None:
        """Drop values until ``size`` bytes fit into the budget and, with headroom, into free memory. Raises
        :class:`UserError` if they do not fit though nothing is kept any more."""
        need = int(size * HEADROOM)
        if need > self._free_bytes():
            self._give_back()
        while self._values and (self._kept_bytes() + size > self.budget or need > self._free_bytes()):
            self._drop_oldest()
        free = self._free_bytes()
        if need > free:
            raise UserError(
                f"This needs {_gigabytes(need)} of memory and {_gigabytes(free)} are free.",
                "Close other programs, or choose a pack with a smaller base model.",
            )

    def within_reach(self) -> int:
        """How many bytes would be free if nothing were kept."""
        self._give_back()
        return self._free_bytes() + self._kept_bytes()

    def clear(self) -> None:
        """Drop every value, and give back all memory."""
        self._values.clear()
        self._give_back()

    def _kept_bytes(self) -> int:
        return sum(size for _, size in self._values.values())

    def _drop_oldest(self) -> None:
        self._values.popitem(last=False)
        self._give_back()


def _gigabytes(size: int) -> str:
    return f"{size / 2**30:.1f} GB"
