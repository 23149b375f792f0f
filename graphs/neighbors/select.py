"""From candidates to neighbours: exact similarities, ties by index.

Shared by the engines that look for candidates in low precision.
"""

import numpy as np
from numpy.typing import NDArray

from graphs.neighbors.threads import in_threads, thread_count

# numbers of one side that are gathered at a time: they stay in the cache
PAIR_NUMBERS = 1 << 16
COLUMNS = 2048  # numbers of a row that are summed at a time
TERMS = 8192  # longer sums OpenBLAS splits among threads of its own
GRID = 2.0**30
LOW_31 = 0x7FFFFFFF
LOW_32 = 0xFFFFFFFF


def to_similarity(sums: NDArray[np.float64]) -> NDArray[np.float32]:
    """Round inner products of unit rows to similarities, the same for every order of summation.

    float32 resolves 1e-17 from 0, so noise of a float64 sum would decide ties there: sums are
    rounded to multiples of 2^-30 first, far above that noise and far below what float32 tells
    apart near 1.

    Examples
    --------
    >>> to_similarity(np.array([1e-17, -3e-18, 1.0000001])).tolist()
    [0.0, 0.0, 1.0]
    """
    grid = np.rint(np.clip(sums, -1.0, 1.0) * GRID) / GRID
    return (grid + 0.0).astype(np.float32)  # + 0.0: no negative zero


def row_products(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """Inner products of the rows of two arrays (or of one and a vector), summed in their own type.

    Examples
    --------
    >>> row_products(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, -1.0])).tolist()
    [-1.0, -1.0]
    """
    sums = np.zeros(len(a))
    for first in range(0, a.shape[1], TERMS):
        sums += np.vecdot(a[:, first : first + TERMS], b[..., first : first + TERMS])
    return sums


def exact_similarities(
    queries: NDArray[np.float32],
    base: NDArray[np.float32],
    pairs: tuple[NDArray[np.intp], NDArray[np.intp]],
) -> NDArray[np.float32]:
    """Inner products of chosen pairs of rows, summed in float64 (`to_similarity`).

    Parameters
    ----------
    queries, base : ndarray of float32, shapes (q, D) and (b, D)
        Unit rows.
    pairs : two ndarrays of int, shape (p,)
        Row of `queries` and row of `base` of every pair.

    Returns
    -------
    ndarray of float32, shape (p,)
    """
    left, right = pairs
    count, width = len(left), queries.shape[1]
    sums = np.zeros(count)
    columns = max(1, min(width, COLUMNS))
    step = PAIR_NUMBERS // columns
    share = max(step, -(-count // thread_count()))

    def measure(start: int) -> None:
        stop = min(start + share, count)
        if width > COLUMNS:
            sums[start:stop] = _wide_sums(queries, base, (left[start:stop], right[start:stop]))
            return
        # room that is used again and again: fresh memory would cost more than the products
        near, far = (np.empty((step, width)) for _ in range(2))
        for at in range(start, stop, step):
            part = slice(at, min(at + step, stop))
            a, b = near[: part.stop - at], far[: part.stop - at]
            a[:], b[:] = queries[left[part]], base[right[part]]
            sums[part] = row_products(a, b)

    in_threads(measure, range(0, count, share))
    return to_similarity(sums)


def _wide_sums(
    queries: NDArray[np.float32],
    base: NDArray[np.float32],
    pairs: tuple[NDArray[np.intp], NDArray[np.intp]],
) -> NDArray[np.float64]:
    """Inner products of pairs of long rows: one is widened once for all the pairs it follows in."""
    width = queries.shape[1]
    whole = width - width % COLUMNS
    near, far = np.empty(width), np.empty((max(1, PAIR_NUMBERS // width), width))
    sums = np.zeros(len(pairs[0]))
    starts = np.flatnonzero(np.diff(pairs[0], prepend=-1)).tolist()
    lefts, rights = pairs[0][starts].tolist(), pairs[1].tolist()
    for start, stop, left in zip(starts, [*starts[1:], len(sums)], lefts, strict=True):
        near[:] = queries[left]
        for at in range(start, stop, len(far)):
            some = far[: stop - at]
            for place, right in enumerate(rights[at : at + len(some)]):
                some[place] = base[right]
            # summed piece by piece, in an order that does not depend on how many pairs there are
            pieces = some[:, :whole].reshape(len(some), -1, COLUMNS)
            parts = np.vecdot(pieces, near[:whole].reshape(-1, COLUMNS))
            total = sums[at : at + len(some)]
            for column in parts.T:
                total += column
            total += np.vecdot(some[:, whole:], near[whole:])
    return sums


def best(
    similarities: NDArray[np.float32], indices: NDArray[np.integer], k: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Order every row by falling similarity, ties by lower index, and keep k.

    Parameters
    ----------
    similarities, indices : ndarray, shape (q, m)
        Candidates; ``-inf`` marks what is no candidate.
    k : int
        How many to keep, at most m.

    Returns
    -------
    tuple of ndarray
        Indices int32 and similarities float32, both of shape (q, k).

    Examples
    --------
    >>> import numpy as np
    >>> sims = np.array([[0.5, 0.9, 0.5]], np.float32)
    >>> best(sims, np.array([[7, 4, 2]]), 2)[0].tolist()
    [[4, 2]]
    """
    # One integer a candidate: its similarity in the high half, ordered as integers are, and its
    # index, lower is better, in the low half. Sorting integers is many times faster than lexsort.
    bits = np.ascontiguousarray(similarities, np.float32).view(np.int32).astype(np.int64)
    ordered = np.where(bits >= 0, bits, -(bits & LOW_31))
    keys = (-ordered << 32) + indices + 1  # an index of -1 marks an empty place
    if keys.shape[1] > k:
        keys = np.partition(keys, k - 1, axis=1)[:, :k]
    keys = np.sort(keys, axis=1)
    ordered = -(keys >> 32)
    bits = np.where(ordered >= 0, ordered, -ordered | ~LOW_31).astype(np.int32)
    return ((keys & LOW_32) - 1).astype(np.int32), bits.view(np.float32)
