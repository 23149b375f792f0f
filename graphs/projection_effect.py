"""What random projection does to the modularity of the classes, measured on some samples."""

import numpy as np
from numpy.typing import ArrayLike

from graphs.errors import GraphError
from graphs.modularity import modularity
from graphs.neighbors import Metric, knn
from graphs.neighbors.projection import Projection, draw_sample, gather
from graphs.neighbors.rows import Rows


def projection_q_shift(
    rows: Rows,
    labels: ArrayLike,
    k: int,
    *,
    dim: int,
    metric: Metric,
    seed: int,
    memory: int | None = None,
) -> float | None:
    """Measure Q of up to 1,000 samples with their rows projected, less Q with their own rows.

    Both graphs are exact, over the same samples and with the same k. Q depends on the number of
    samples: the shift of a larger graph is of this size, not this number.

    Parameters
    ----------
    rows : Rows
        Features, shape (n, D).
    labels : array of int, shape (n,)
        Class of every row.
    k : int
        Neighbours a row.
    dim, metric, seed, memory
        As in `graphs.neighbors.projection.project_rows`, whose projection is measured.

    Returns
    -------
    float or None
        The shift; None where Q has no meaning: one class, or a graph without weight.

    Raises
    ------
    ActivationError
        When a feature is NaN or infinite.

    Examples
    --------
    >>> rows = np.repeat(np.eye(4), 5, axis=0)
    >>> labels = np.repeat([0, 0, 1, 1], 5)
    >>> abs(projection_q_shift(rows, labels, 2, dim=3, metric="cosine", seed=0)) < 1e-9
    True
    """
    which = draw_sample(rows, seed=seed, memory=memory)
    unit = gather(rows, which, metric=metric, memory=memory)
    classes = np.asarray(labels)[which]
    found = []
    for values in (unit, Projection.fit(unit, dim, seed=seed).apply(unit)):
        graph = knn(values, min(k, len(which) - 1), engine="faiss", device="cpu")
        try:
            found.append(float(modularity(graph.indices, graph.weights, classes)))
        except GraphError:
            return None
    return found[1] - found[0]
