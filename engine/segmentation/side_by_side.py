"""The same work on many pictures, on all the threads that there are."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

import torch
from threadpoolctl import threadpool_limits

_Result = TypeVar("_Result")

_MOST: Final = 4
"""Threads at most: each may hold a decoded picture, hundreds of megabytes in the worst case."""


def side_by_side(work: Callable[[int], _Result], count: int) -> Generator[_Result]:
    """``work(index)`` for each of ``count`` indices, in order; at most twice as many are begun as there are threads
    (those of torch, up to four). The matrix products of each stay on its thread: products this small take longer on
    two, far longer on a busy machine. Leaving off early ends the work; what ``work`` raises is raised here."""
    threads = min(_MOST, max(1, torch.get_num_threads()))
    waiting: deque[Future[_Result]] = deque()
    pool = ThreadPoolExecutor(threads)
    with threadpool_limits(1, user_api="blas"):
        try:
            for index in range(count):
                if len(waiting) == 2 * threads:
                    yield waiting.popleft().result()
                waiting.append(pool.submit(work, index))
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
