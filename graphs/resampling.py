"""How sure a curve is: the same nodes drawn again, in all layers alike."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from graphs.errors import GraphError
from graphs.neighbors.knn_graph import KnnGraph

_BLOCK = 1 << 22  # drawn nodes that are in memory at once


def bootstrap_curves(
    graphs: Sequence[KnnGraph], labels: ArrayLike, *, draws: int = 200, seed: int = 0
) -> NDArray[np.float64]:
    """Draw the nodes again, with replacement, and compute the curve of each draw.

    A node that is drawn m times counts m times with its k links; the graphs keep their k and
    their links. The same draw is used in all layers, so that differences of layers are paired.

    Parameters
    ----------
    graphs : sequence of KnnGraph
        One a layer, over the same n nodes.
    labels : array, shape (n,)
        Class of each node.
    draws : int
        How many curves.
    seed : int
        Of the draws.

    Returns
    -------
    ndarray of float64, shape (draws, L)
        Q of every layer. Negative weights count as 0, as in `graphs.modularity`.

    Raises
    ------
    GraphError
        When the layers have other nodes than labels, or `draws` is below 1.

    Notes
    -----
    Bootstrap over nodes (Snijders & Borgatti 1999) in the form that keeps the directed list: it
    shows the spread over samples, not what a new k-NN graph of other samples would add.
    """
    classes, codes = np.unique(np.asarray(labels), return_inverse=True)
    n = len(codes)
    if draws < 1:
        raise GraphError(f"draws={draws} gives no curve", "draw at least once")
    for graph in graphs:
        if len(graph.indices) != n:
            raise GraphError(
                f"a layer links {len(graph.indices)} nodes, there are {n} labels",
                "give the labels of these nodes",
            )
    generator = np.random.default_rng(seed)
    sums = [_node_sums(graph, codes, len(classes)) for graph in graphs]
    curves = np.empty((draws, len(sums)))
    step = max(1, _BLOCK // n)
    for start in range(0, draws, step):
        chosen = generator.integers(n, size=(min(step, draws - start), n))
        counts = np.stack([np.bincount(row, minlength=n) for row in chosen]).astype(np.float64)
        for layer, brought in enumerate(sums):
            curves[start : start + step, layer] = _modularity(brought @ counts.T)
    return curves


def _node_sums(graph: KnnGraph, codes: NDArray[np.intp], classes: int) -> csr_array:
    """Sum what each node brings along with its k links, shape (c + 2, n).

    The strength that it gives to each class (its own, and those of its neighbours), the weight that
    stays inside its class, and all of its weight. Sparse, and so summed in one order everywhere.
    """
    n = len(codes)
    weights = np.maximum(graph.weights.astype(np.float64), 0)
    reached, nodes = codes[graph.indices], np.arange(n)
    total = weights.sum(axis=1)
    inner = np.einsum("ij,ij->i", weights, reached == codes[:, None])
    rows = np.concatenate([reached.ravel(), codes, np.full(n, classes), np.full(n, classes + 1)])
    columns = np.concatenate([np.repeat(nodes, graph.k), nodes, nodes, nodes])
    values = np.concatenate([weights.ravel() / 2, total / 2, inner, total])
    return csr_array((values, (rows, columns)), shape=(classes + 2, n))


def _modularity(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Q of every draw, one a column; NaN where no node with weight was drawn."""
    *strength, inner, total = sums
    with np.errstate(invalid="ignore", divide="ignore"):
        found: NDArray[np.float64] = inner / total - ((np.stack(strength) / total) ** 2).sum(axis=0)
    return found


def removal_rates(
    curves: ArrayLike, rule: Callable[[NDArray[np.float64]], NDArray[np.intp]]
) -> NDArray[np.float64]:
    """Say how often a rule removes each layer.

    Parameters
    ----------
    curves : array of float, shape (m, L)
        Curves of repeats, or of draws.
    rule : callable
        A curve in, the kept layers out: `graphs.curves.increment`.

    Returns
    -------
    ndarray of float64, shape (L,)
        Share of the curves in which the layer is removed.

    Examples
    --------
    >>> from graphs.curves import increment
    >>> removal_rates([[0, 0.5, 0.51], [0, 0.5, 0.6]], increment).tolist()
    [0.0, 0.0, 0.5]
    """
    rows = np.asarray(curves, dtype=np.float64)
    removed = np.ones(rows.shape)
    for place, row in enumerate(rows):
        removed[place, rule(row)] = 0
    rates: NDArray[np.float64] = removed.mean(axis=0)
    return rates
