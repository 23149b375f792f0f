"""Exact similarities of many pairs of rows that do not all fit into memory."""

import numpy as np
from numpy.typing import NDArray

from graphs.neighbors.reading import UnitBlocks
from graphs.neighbors.select import exact_similarities

Pairs = tuple[NDArray[np.integer], NDArray[np.integer]]


def measure_pairs(
    pairs: Pairs,
    blocks: UnitBlocks,
    *,
    held_rows: int,
    whole: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Measure pairs of rows; one that is asked for from both sides is measured once.

    Parameters
    ----------
    pairs : two ndarrays of int, shape (p,)
        The rows of every pair.
    blocks : UnitBlocks
        Where rows are read from.
    held_rows : int
        Rows that may be held at a time; those after them are read past them, block by block.
    whole : ndarray of float32, shape (n, D), optional
        All unit rows, where they are in memory.

    Returns
    -------
    ndarray of float32, shape (p,)
    """
    n = blocks.shape[0]
    left, right = pairs[0].astype(np.int64), pairs[1].astype(np.int64)
    keys, where = np.unique(
        np.minimum(left, right) * n + np.maximum(left, right), return_inverse=True
    )
    low, high = np.divmod(keys, n)
    if whole is not None:
        return exact_similarities(whole, whole, (low, high))[where]
    found = np.empty(len(keys), np.float32)
    for first in range(0, n, held_rows):
        last = min(first + held_rows, n)
        mine = slice(*np.searchsorted(low, (first, last)))
        if mine.start == mine.stop:
            continue
        held = blocks.hold(first, last)
        near = mine.start + np.flatnonzero(high[mine] < last)
        found[near] = exact_similarities(held, held, (low[near] - first, high[near] - first))
        furthest = int(high[mine].max()) + 1
        for at, unit in blocks.read(last, furthest):
            inside = (high[mine] >= at) & (high[mine] < at + len(unit))
            some = mine.start + np.flatnonzero(inside)
            pair = (low[some] - first, high[some] - at)
            found[some] = exact_similarities(held, unit, pair)
        del held
    return found[where]
