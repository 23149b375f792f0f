"""What an engine reads: rows of features, from memory or from disk, as unit vectors."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from graphs.errors import ActivationError
from graphs.neighbors.knn_graph import Metric
from graphs.neighbors.threads import in_threads, thread_count

NORM_FLOOR = 1e-8
CHUNK_BYTES = 1 << 20  # float64 numbers that stay in a core's cache


class Rows(Protocol):
    """A matrix of which a range of rows can be had: an ndarray, or shards on disk."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns, (n, D)."""
        ...

    def __getitem__(self, rows: slice, /) -> NDArray[np.floating]: ...


class JoinedRows:
    """Two blocks of rows, one after the other, without copying them.

    Examples
    --------
    >>> JoinedRows(np.zeros((2, 3)), np.ones((1, 3)))[1:3].tolist()
    [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]
    """

    def __init__(self, first: Rows, second: Rows) -> None:
        self._first, self._second = first, second
        self.shape = (first.shape[0] + second.shape[0], first.shape[1])

    def __getitem__(self, rows: slice) -> NDArray[np.floating]:
        start, stop, _ = rows.indices(self.shape[0])
        cut = self._first.shape[0]
        if stop <= cut:
            return self._first[start:stop]
        if start >= cut:
            return self._second[start - cut : stop - cut]
        return np.concatenate((self._first[start:cut], self._second[: stop - cut]))


class RowRange:
    """Some of the rows, without copying or reading them.

    Examples
    --------
    >>> RowRange(np.arange(8.0).reshape(4, 2), range(1, 3))[0:1].tolist()
    [[2.0, 3.0]]
    """

    def __init__(self, rows: Rows, which: range) -> None:
        self._rows, self._start = rows, which.start
        self.shape = (len(which), rows.shape[1])

    def __getitem__(self, rows: slice) -> NDArray[np.floating]:
        start, stop, _ = rows.indices(self.shape[0])
        return self._rows[self._start + start : self._start + stop]


def unit_rows(
    rows: Rows,
    start: int,
    stop: int,
    *,
    metric: Metric,
    first: int = 0,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Read rows `start` to `stop` and scale each to length 1.

    The sums are taken in float64 and the result is rounded to float32 once: every engine sees
    the same unit vectors, so that similarity means the same number everywhere. Norms are floored
    at 1e-8 (method of Lu et al. 2022); a row of zeros stays zero.

    Parameters
    ----------
    rows : Rows
        Features, shape (n, D).
    start, stop : int
        Which rows.
    metric : {"cosine", "pearson"}
        Pearson takes the mean over its D features out of every row first.
    first : int
        What row 0 is called in errors.
    out : ndarray of float32, shape (stop - start, D), optional
        Where to write them.

    Returns
    -------
    ndarray of float32, shape (stop - start, D)

    Raises
    ------
    ActivationError
        When a row holds NaN or infinity.
    """
    block = np.asarray(rows[start:stop])
    unit = np.empty(block.shape, np.float32) if out is None else out
    step = max(1, CHUNK_BYTES // (8 * max(1, block.shape[1])))
    share = max(step, -(-len(block) // thread_count()))

    def scale(begin: int) -> None:
        # room that is used again and again: fresh memory would cost more than what is done with it
        room = np.empty((step, block.shape[1]))
        for at in range(begin, min(begin + share, len(block)), step):
            some = slice(at, min(at + step, begin + share, len(block)))
            wide = room[: some.stop - at]
            wide[:] = block[some]
            part, norms = _directions(wide, metric)
            if not np.isfinite(norms).all():
                row = first + start + at + int(np.flatnonzero(~np.isfinite(norms))[0])
                raise ActivationError(
                    f"row {row} of the features holds NaN or infinity",
                    "similarity needs finite numbers: look at the layer and the sample",
                )
            part *= (1 / np.maximum(norms, NORM_FLOOR))[:, None]  # a division takes far longer
            unit[some] = part

    in_threads(scale, range(0, len(block), share))
    return unit


def _directions(
    part: NDArray[np.float64], metric: Metric
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what is scaled, and the lengths; infinite where a number is not finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        centred, norms = _centre(part, metric)
    wrong = ~np.isfinite(norms)
    if wrong.any() and np.isfinite(part[wrong]).all():
        # squares of float64 numbers beyond 1e154 overflow: the direction is that of smaller ones
        part = part.copy()
        part[wrong] /= np.abs(part[wrong]).max(axis=1, keepdims=True)
        centred, norms = _centre(part, metric)
    return centred, norms


def _centre(
    part: NDArray[np.float64], metric: Metric
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if metric == "pearson":
        # A constant row has no direction; rounding of its mean must not invent one.
        constant = part.min(axis=1) == part.max(axis=1)
        part = part - part.mean(axis=1, keepdims=True)
        part[constant] = 0.0
    return part, np.sqrt(np.einsum("ij,ij->i", part, part))
