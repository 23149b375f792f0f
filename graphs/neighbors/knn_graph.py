"""What every neighbour engine returns."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from graphs.cards import card

Metric = Literal["cosine", "pearson"]
Device = Literal["auto", "cpu", "cuda"]
IndexName = Literal["hnsw", "ivf"]

# Up to so many features a product takes less time than choosing candidates from it.
NARROW = 512
# how the engine `certified` settled a row; over several bases the most costly way counts
CERTIFIED, REPAIRED, RECOMPUTED = range(3)


@dataclass(frozen=True, kw_only=True)
class KnnGraph:
    """The k most similar other nodes of every node: a directed list.

    Attributes
    ----------
    indices : ndarray of int32, shape (n, k)
        Neighbours of each row, most similar first, ties by lower index. Never the row itself.
    weights : ndarray of float32, shape (n, k)
        Their similarities, in [-1, 1].
    metric : {"cosine", "pearson"}
        What was measured.
    engine : str
        Which engine found them.
    exact : bool
        Whether the neighbour sets are the exact ones (see `graphs.neighbors`).
    zero_rows : int
        Rows without a direction (all zero, or constant under Pearson): similarity 0 to everything.
    certified, repaired, recomputed : int
        Engine `certified`: rows that the first candidates settled, rows that took more of them,
        rows measured against whole blocks. The last two depend on the blocks, so on the memory.
    product : str
        Engine `certified`: the type in which rows were multiplied, `bfloat16` or `float32`;
        `mixed` where machines of a cluster differ.
    recall, recall_error : float
        Share of the exact neighbours that were found, among the features that were searched, and
        the standard error of its measurement (`graphs.neighbors.recall`); 1 and 0 where the search
        was exact.
    setting : str
        How an index was built and searched: ``nlist=200 nprobe=12``; empty for exact engines.
    project : int
        Values a row after random projection (`graphs.neighbors.projection`); 0 without.
    project_q_shift : float or None
        What the projection did to Q, on some samples (`graphs.projection_effect`); None where that
        was not measured.
    """

    indices: NDArray[np.int32]
    weights: NDArray[np.float32]
    metric: Metric
    engine: str
    exact: bool
    zero_rows: int = 0
    certified: int = 0
    repaired: int = 0
    recomputed: int = 0
    product: str = ""
    recall: float = 1.0
    recall_error: float = 0.0
    setting: str = ""
    project: int = 0
    project_q_shift: float | None = None

    @property
    def n_nodes(self) -> int:
        """Number of nodes, n."""
        return int(self.indices.shape[0])

    @property
    def k(self) -> int:
        """Neighbours of each node."""
        return int(self.indices.shape[1])

    def _repr_html_(self) -> str:
        similar = self.weights if self.weights.size else np.zeros(1, np.float32)
        found = "exact" if self.exact else f"recall {self.recall:.3f} ± {self.recall_error:.3f}"
        rows: list[list[object]] = [
            ["nodes", self.n_nodes],
            ["neighbours of each", self.k],
            ["similarity", f"{self.metric}, {similar.min():.3f} to {similar.max():.3f}"],
            ["neighbours", " ".join(filter(None, (found, f"({self.engine})", self.setting)))],
        ]
        if self.project:
            rows.append(["values after projection", self.project])
        if self.zero_rows:
            rows.append(["rows without direction", self.zero_rows])
        return card("k-NN graph", rows)


def count_efforts(effort: NDArray[np.uint8]) -> tuple[int, int, int]:
    """Return how many rows were certified at once, repaired and recomputed.

    Examples
    --------
    >>> count_efforts(np.array([0, 2, 0], np.uint8))
    (2, 0, 1)
    """
    certified, repaired, recomputed = np.bincount(effort, minlength=3).tolist()
    return certified, repaired, recomputed
