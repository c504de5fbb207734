"""What is kept in memory: the last used, within a budget and what is free."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from engine.core.errors import UserError
from engine.models.memory_cache import MemoryCache


@dataclass(frozen=True)
class Sample:
    number: int


@dataclass(frozen=True)
class Split:
    number: int


def test_the_one_used_longest_ago_is_dropped_first() -> None:
    made: list[int] = []
    cache = MemoryCache(100, lambda: 1000)

    def get(number: int) -> int:
        return cache.get(Sample(number), lambda: made.append(number) or number, 40)

    assert [get(1), get(2), get(1), get(3), get(1), get(2)] == [1, 2, 1, 3, 1, 2]
    assert made == [1, 2, 3, 2], "2 was dropped for 3, for 1 had been used since"
    cache.clear()
    get(1)
    assert made == [1, 2, 3, 2, 1]


def test_keys_of_different_classes_never_meet() -> None:
    cache = MemoryCache(100, lambda: 1000)
    assert cache.get(Sample(1), lambda: "sample") == "sample" and cache.get(Split(1), lambda: "split") == "split"


def test_values_are_dropped_until_memory_is_free_and_then_it_is_told() -> None:
    free, dropped = [150], []

    def drop() -> None:
        dropped.append(1)
        free[0] += 40

    cache = MemoryCache(10**6, lambda: free[0], drop)
    for number in range(3):
        cache.get(Sample(number), lambda: None, 40)
        free[0] -= 40
    cache.get(Split(0), lambda: None, 80)  # needs 104 with headroom; 30 are free
    assert len(dropped) == 2
    with pytest.raises(UserError, match="needs .* of memory and .* are free") as caught:
        cache.get(Split(1), lambda: pytest.fail("it was made though there is no room"), 1000)
    assert caught.value.hint and len(dropped) == 4
