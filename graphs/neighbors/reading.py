"""Reading rows block by block within a budget, the next block while one is worked on."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from graphs.neighbors.knn_graph import Metric
from graphs.neighbors.rows import Rows, unit_rows


class UnitBlocks:
    """The rows of a layer as unit vectors, a block at a time.

    Parameters
    ----------
    rows : Rows
        Features, shape (n, D).
    size : int
        Rows a block. Four blocks are held at once: as read and as unit rows, of two.
    metric : {"cosine", "pearson"}
        Similarity.
    """

    def __init__(self, rows: Rows, size: int, metric: Metric) -> None:
        self._rows, self.size, self._metric = rows, size, metric
        self.shape: tuple[int, int] = (rows.shape[0], rows.shape[1])

    def hold(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return unit rows `start` to `stop` as one array, read block by block."""
        held = np.empty((stop - start, self.shape[1]), np.float32)
        for _ in self.read(start, stop, out=held):
            pass
        return held

    def read(
        self, start: int, stop: int, *, out: NDArray[np.float32] | None = None
    ) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield the first row of each block between `start` and `stop`, and the block.

        With `out`, shape (stop - start, D), blocks are parts of it.
        """
        starts = range(start, stop, self.size)

        def fetch(at: int) -> NDArray[np.floating]:
            return np.asarray(self._rows[at : min(at + self.size, stop)])

        with ThreadPoolExecutor(1) as ahead:
            coming = [ahead.submit(fetch, at) for at in starts[:1]]
            for position, at in enumerate(starts):
                block = coming.pop().result()
                coming += [ahead.submit(fetch, at) for at in starts[position + 1 : position + 2]]
                place = None if out is None else out[at - start : at - start + len(block)]
                yield (
                    at,
                    unit_rows(block, 0, len(block), metric=self._metric, first=at, out=place),
                )
