"""The same work on many pictures: in order, whatever takes longest, and ended when nobody wants more."""

from __future__ import annotations

import threading
import time
from itertools import islice

import pytest
import torch
from threadpoolctl import threadpool_info

from engine.segmentation.side_by_side import side_by_side


@pytest.fixture(params=[1, 3])
def threads(request: pytest.FixtureRequest) -> int:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    request.addfinalizer(lambda: torch.set_num_threads(before))
    return request.param


def test_results_come_in_order_whichever_is_first(threads: int) -> None:
    def work(index: int) -> int:
        time.sleep(0.002 * (index % 3 == 0))
        return index * index

    assert list(side_by_side(work, 20)) == [index * index for index in range(20)]
    assert list(side_by_side(work, 0)) == []


def test_no_more_is_begun_than_is_wanted(threads: int) -> None:
    begun: list[int] = []
    before = threading.active_count()
    results = side_by_side(lambda index: begun.append(index) or index, 100)
    assert list(islice(results, 3)) == [0, 1, 2]
    results.close()
    assert len(begun) <= 3 + 2 * threads
    assert threading.active_count() <= before, "its threads have ended"


def test_a_fault_is_raised_where_the_results_are_read(threads: int) -> None:
    def work(index: int) -> int:
        if index == 4:
            raise ValueError("the fifth")
        return index

    results = side_by_side(work, 9)
    assert list(islice(results, 4)) == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="the fifth"):
        next(results)


def test_matrix_products_stay_on_their_thread_and_are_free_again_afterwards(threads: int) -> None:
    def blas() -> list[int]:
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    before = blas()
    assert before and all(set(seen) == {1} for seen in side_by_side(lambda _index: blas(), 3))
    assert blas() == before
