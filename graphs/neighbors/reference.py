"""Engine `reference`: every similarity in float64 with NumPy. The gold standard."""

import numpy as np

from graphs.neighbors.knn_graph import KnnGraph, Metric
from graphs.neighbors.rows import Rows, unit_rows
from graphs.neighbors.select import best, to_similarity

BLOCK_BYTES = 256 << 20


def reference_knn(rows: Rows, k: int, *, metric: Metric) -> KnnGraph:
    """Find the k most similar other rows by computing all of them.

    Needs about 12 n D bytes: it is for checking and for small inputs.

    Parameters
    ----------
    rows : Rows
        Features, shape (n, D).
    k : int
        Neighbours a row, 1 <= k < n.
    metric : {"cosine", "pearson"}
        Similarity.

    Returns
    -------
    KnnGraph
        Exact: similarities are float64 inner products of float32 unit rows (`to_similarity`);
        ties go to the lower index.
    """
    n = rows.shape[0]
    unit = unit_rows(rows, 0, n, metric=metric)
    zero_rows = int(np.count_nonzero(~unit.any(axis=1)))
    base = unit.astype(np.float64)
    indices = np.empty((n, k), np.int32)
    weights = np.empty((n, k), np.float32)
    columns = np.arange(n, dtype=np.int32)
    step = max(1, BLOCK_BYTES // (24 * n))
    for at in range(0, n, step):
        stop = min(at + step, n)
        block = to_similarity(base[at:stop] @ base.T)
        block[np.arange(stop - at), np.arange(at, stop)] = -np.inf
        everyone = np.broadcast_to(columns, block.shape)
        indices[at:stop], weights[at:stop] = best(block, everyone, k)
    return KnnGraph(
        indices=indices,
        weights=weights,
        metric=metric,
        engine="reference",
        exact=True,
        zero_rows=zero_rows,
    )
