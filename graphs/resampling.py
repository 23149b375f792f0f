"""How sure a curve is: the same nodes drawn again, in all layers alike."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphs.errors import GraphError
from graphs.neighbors.knn_graph import KnnGraph


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
    chosen = np.random.default_rng(seed).integers(n, size=(draws, n))
    counts = np.stack([np.bincount(row, minlength=n) for row in chosen]).astype(np.float64)
    return np.stack([_modularity(graph, codes, len(classes), counts) for graph in graphs], axis=1)


def _modularity(
    graph: KnnGraph, codes: NDArray[np.intp], classes: int, counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Q for every row of counts: everything that a node adds is linear in how often it counts."""
    n = len(codes)
    weights = np.maximum(graph.weights.astype(np.float64), 0)
    # what one node brings along: weight to each class, of which some stays inside its own
    reach = np.zeros((n, classes))
    for rank in range(weights.shape[1]):
        reach[np.arange(n), codes[graph.indices[:, rank]]] += weights[:, rank]
    own = np.zeros((n, classes))
    own[np.arange(n), codes] = weights.sum(axis=1)
    inner = np.where(np.arange(classes) == codes[:, None], reach, 0).sum(axis=1)
    total = counts @ weights.sum(axis=1)
    share = (counts @ own + counts @ reach) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        found: NDArray[np.float64] = (counts @ inner) / total - ((share / total[:, None]) ** 2).sum(
            axis=1
        )
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
