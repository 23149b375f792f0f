"""Samples in batches, and the rows of a batch from a layer that is read in order."""

import numpy as np
from numpy.typing import NDArray

from graphs.errors import GraphError
from graphs.neighbors.rows import Rows

FEWEST = 4  # samples that the unbiased estimator needs
STEP = 32  # rows read at a time; a shard keeps the row group that they are of


def split_batches(n: int, size: int, *, seed: int = 0) -> list[NDArray[np.int64]]:
    """Deal samples at random into batches of nearly equal size.

    Batches of neighbouring rows would not do: data sets are often sorted by class, and batches of
    one class each know nothing of what sets classes apart.

    Parameters
    ----------
    n : int
        Number of samples.
    size : int
        Samples a batch at most, 4 or more. A few more where fewer than 4 would be left for one.
    seed : int
        Of the dealing.

    Returns
    -------
    list of ndarray of int64
        The samples of each batch, ascending; every sample is in one batch.

    Raises
    ------
    GraphError
        For fewer than 4 samples, or batches of fewer than 4.

    Examples
    --------
    >>> [len(batch) for batch in split_batches(1000, 256)]
    [250, 250, 250, 250]
    """
    if n < FEWEST:
        raise GraphError(
            f"the unbiased estimator of HSIC needs at least {FEWEST} samples, there are {n}",
            "take more samples",
        )
    if size < FEWEST:
        raise GraphError(
            f"batches of {size} are too small: the unbiased estimator of HSIC needs at least "
            f"{FEWEST} samples",
            f"give a batch of {FEWEST} or more",
        )
    count = max(1, min(-(-n // size), n // FEWEST))
    dealt = np.random.default_rng(seed).permutation(n)
    return [np.sort(batch) for batch in np.array_split(dealt, count)]


def gather_rows(rows: Rows, wanted: NDArray[np.integer]) -> NDArray[np.floating]:
    """Read some rows of a layer in one pass over it.

    Parameters
    ----------
    rows : Rows
        Features, shape (n, D): an array, or shards on disk, which are read 32 rows at a time.
    wanted : ndarray of int, shape (m,)
        Which rows, ascending.

    Returns
    -------
    ndarray, shape (m, D)

    Examples
    --------
    >>> gather_rows(np.arange(6.0).reshape(3, 2), np.array([0, 2])).tolist()
    [[0.0, 1.0], [4.0, 5.0]]
    """
    out: NDArray[np.floating] | None = None
    for start in range(0, rows.shape[0], STEP):
        low, high = np.searchsorted(wanted, [start, start + STEP])
        if low == high:
            continue
        block = np.asarray(rows[start : start + STEP])
        if out is None:
            out = np.empty((len(wanted), block.shape[1]), block.dtype)
        out[low:high] = block[wanted[low:high] - start]
    return np.empty((0, rows.shape[1])) if out is None else out
