"""Threads for array code that runs on one core: rows are independent, NumPy lets go of the lock."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def thread_count() -> int:
    """Return how many threads may compute: OMP_NUM_THREADS, or the processors of this process.

    Examples
    --------
    >>> thread_count() >= 1
    True
    """
    said = os.environ.get("OMP_NUM_THREADS", "")
    if said.isdigit() and int(said) > 0:
        return int(said)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_threads(work: Callable[[Item], None], items: Iterable[Item]) -> None:
    """Call `work` for every item; the first error, in the order of the items, is raised.

    Examples
    --------
    >>> done: list[int] = []
    >>> in_threads(done.append, range(3))
    >>> sorted(done)
    [0, 1, 2]
    """
    items = list(items)
    threads = min(thread_count(), len(items))
    if threads <= 1:
        for item in items:
            work(item)
        return
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, items):
            pass
