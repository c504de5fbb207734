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
    cache = MemoryCache(10**6, lambda: 150 - 40 * sum(Sample(number) in cache for number in range(3)))
    for number in range(3):
        cache.get(Sample(number), lambda: None, 40 if number < 2 else 20)
    cache.get(Split(0), lambda: None, 80)  # needs 104 with headroom; 30 are free
    assert [Sample(number) in cache for number in range(3)] == [False, False, True]
    with pytest.raises(UserError, match="needs .* of memory and .* are free") as caught:
        cache.get(Split(1), lambda: pytest.fail("it was made though there is no room"), 1000)
    assert caught.value.hint and Sample(2) not in cache and Split(0) not in cache


def test_what_is_kept_for_later_use_is_given_back_before_anything_is_dropped_or_refused() -> None:
    free, given_back = [50], []

    def give_back() -> None:
        given_back.append(1)
        free[0] = 200

    cache = MemoryCache(1000, lambda: free[0], give_back)
    cache.get(Sample(1), lambda: "kept", 30)
    free[0] = 50
    cache.get(Sample(2), lambda: "made", 100)
    assert given_back == [1] and Sample(1) in cache and Sample(2) in cache
    assert cache.within_reach() == 200 + 130
    cache.clear()
    assert len(given_back) == 3 and Sample(1) not in cache
