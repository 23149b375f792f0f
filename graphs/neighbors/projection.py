"""Random projection: rows of D values become rows of far fewer, similarities stay about the same.

Rows are scaled to length 1 first. The direction of their mean is kept as it is: features of a layer
share most of their length with it, and random errors of that part would drown the differences that
neighbours depend on. What is left of each row is multiplied with a very sparse random matrix, whose
entries are 0 but for one in sqrt(D) (Li, Hastie & Church, "Very Sparse Random Projections", KDD
2006): inner products are right in the mean, with a standard deviation of about 1 / sqrt(dim) times
the lengths of what is left.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.random_projection import SparseRandomProjection

from graphs.neighbors.knn_graph import Metric
from graphs.neighbors.reading import UnitBlocks
from graphs.neighbors.rows import Rows

SAMPLE = 1000  # rows that the mean direction is taken from, and the effect on Q
# A block is held as read and as unit rows, with the next one, and once more in the product.
COPIES_PER_BLOCK = 6
BLOCK_BYTES = 64 << 20
SAMPLE_SHARE = 8  # of the memory
HELD_SHARE = 4


@dataclass(frozen=True, eq=False)
class Projection:
    """What makes rows shorter.

    Attributes
    ----------
    mean : ndarray of float32, shape (D,)
        Direction of the mean row, of length 1 (or zeros, where the rows have no mean direction).
    matrix : SparseRandomProjection
        For what is left of a row; one value less than the projected rows have.
    dim : int
        Values of a projected row.
    """

    mean: NDArray[np.float32]
    matrix: SparseRandomProjection | None
    dim: int

    @classmethod
    def fit(cls, sample: NDArray[np.float32], dim: int, *, seed: int) -> "Projection":
        """Draw a projection.

        Parameters
        ----------
        sample : ndarray of float32, shape (q, D)
            Unit rows that the mean direction is taken from.
        dim : int
            Values of a projected row, 1 <= dim < D.
        seed : int
            Of the random matrix.
        """
        mean = sample.sum(axis=0, dtype=np.float64)
        mean /= max(float(np.sqrt(mean @ mean)), np.finfo(np.float64).tiny)
        matrix = None
        if dim > 1:
            matrix = SparseRandomProjection(dim - 1, dense_output=True, random_state=seed)
            matrix.fit(np.zeros((1, sample.shape[1]), np.float32))
        return cls(mean.astype(np.float32), matrix, dim)

    def apply(self, unit: NDArray[np.float32]) -> NDArray[np.float32]:
        """Project unit rows of shape (q, D) to rows of shape (q, dim)."""
        out = np.empty((len(unit), self.dim), np.float32)
        along = np.einsum("ij,j->i", unit, self.mean)
        out[:, 0] = along
        if self.matrix is not None:
            out[:, 1:] = self.matrix.transform(unit - along[:, None] * self.mean)
        return out


class ProjectedRows:
    """Rows that are projected when they are read.

    Parameters
    ----------
    rows : Rows
        Features, shape (n, D).
    projection : Projection
        What makes them shorter.
    metric : {"cosine", "pearson"}
        How they are scaled before.
    memory : int, optional
        Bytes that reading may take.

    Attributes
    ----------
    shape : tuple of int
        (n, dim).
    """

    def __init__(
        self, rows: Rows, projection: Projection, *, metric: Metric, memory: int | None = None
    ) -> None:
        self._blocks = UnitBlocks(rows, _block_rows(rows.shape[1], memory), metric)
        self._projection = projection
        self.shape = (rows.shape[0], projection.dim)

    def __getitem__(self, rows: slice) -> NDArray[np.float32]:
        start, stop, _ = rows.indices(self.shape[0])
        out = np.empty((max(stop - start, 0), self.shape[1]), np.float32)
        for at, unit in self._blocks.read(start, stop):
            out[at - start : at - start + len(unit)] = self._projection.apply(unit)
        return out


def project_rows(
    rows: Rows, dim: int, *, metric: Metric, seed: int, memory: int | None = None
) -> Rows:
    """Make rows shorter by random projection.

    Parameters
    ----------
    rows : Rows
        Features, shape (n, D), from memory or from disk; read block by block.
    dim : int
        Values of a projected row, 1 <= dim < D.
    metric : {"cosine", "pearson"}
        How rows are scaled before. The cosine of projected rows approximates it.
    seed : int
        Of the random matrix, and of the rows that the mean direction is taken from.
    memory : int, optional
        Bytes that may be used. The projected rows stay in memory where they take a quarter of it
        at most; else they are projected anew whenever they are read.

    Returns
    -------
    Rows
        Shape (n, dim).

    Raises
    ------
    ActivationError
        When a feature is NaN or infinite.
    """
    which = draw_sample(rows, seed=seed, memory=memory)
    projection = Projection.fit(gather(rows, which, metric=metric, memory=memory), dim, seed=seed)
    short = ProjectedRows(rows, projection, metric=metric, memory=memory)
    if memory is None or 4 * short.shape[0] * dim <= memory // HELD_SHARE:
        return short[:]
    return short


def draw_sample(rows: Rows, *, seed: int, memory: int | None = None) -> NDArray[np.intp]:
    """Draw up to 1,000 rows, fewer where they would take more than an eighth of the memory."""
    n, width = rows.shape
    fitting = n if memory is None else max(2, memory // (SAMPLE_SHARE * 4 * width))
    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(n, min(SAMPLE, n, fitting), replace=False))


def gather(
    rows: Rows, which: NDArray[np.intp], *, metric: Metric, memory: int | None = None
) -> NDArray[np.float32]:
    """Return some unit rows, in rising order, of rows that are read block by block."""
    n, width = rows.shape
    out = np.empty((len(which), width), np.float32)
    for at, unit in UnitBlocks(rows, _block_rows(width, memory), metric).read(0, n):
        some = slice(*np.searchsorted(which, (at, at + len(unit))))
        out[some] = unit[which[some] - at]
    return out


def _block_rows(width: int, memory: int | None) -> int:
    size = BLOCK_BYTES if memory is None else min(BLOCK_BYTES, memory // COPIES_PER_BLOCK)
    return max(1, size // (4 * width))
