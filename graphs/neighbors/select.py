"""From candidates to neighbours: exact similarities, ties by index.

Shared by the engines that look for candidates in low precision.
"""

import numpy as np
from numpy.typing import NDArray

PAIR_BYTES = 32 << 20


def exact_similarities(
    queries: NDArray[np.float32],
    base: NDArray[np.float32],
    pairs: tuple[NDArray[np.intp], NDArray[np.intp]],
) -> NDArray[np.float32]:
    """Inner products of chosen pairs of rows, summed in float64, rounded to float32 once.

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
    out = np.empty(len(left), np.float32)
    step = max(1, PAIR_BYTES // (16 * max(1, queries.shape[1])))
    for at in range(0, len(left), step):
        part = slice(at, at + step)
        a = queries[left[part]].astype(np.float64)
        b = base[right[part]].astype(np.float64)
        out[part] = np.einsum("ij,ij->i", a, b)
    return np.clip(out, -1.0, 1.0)


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
    order = np.lexsort((indices, -similarities), axis=-1)[:, :k]
    return (
        np.take_along_axis(indices, order, axis=1).astype(np.int32),
        np.take_along_axis(similarities, order, axis=1).astype(np.float32),
    )
