"""A place for every node in every layer, so that nodes can be seen to move from layer to layer."""

import igraph
import numpy as np
from numpy.typing import NDArray

from graphs.export.layout import MANY_EDGES, MIN_DIST, SMALL
from graphs.seeding import seeded
from graphs.snapshots import DynamicGraph, Snapshot

# A layer begins where the one before has its nodes: that many epochs are enough to take it apart.
EPOCHS = 60
SPRING_STEPS = 60
REACH = 10.0  # of coordinates within igraph, whose UMAP moves nodes by steps of this size


def layer_layouts(
    dynamic: DynamicGraph, joint: NDArray[np.float64], *, seed: int = 0
) -> NDArray[np.float64]:
    """Place the nodes anew in every layer, each layer from the places in the one before.

    Parameters
    ----------
    dynamic : DynamicGraph
        Graphs over one node set.
    joint : ndarray of float64, shape (n, 2)
        Where the first layer begins: `graphs.export.layout.joint_layout`.
    seed : int
        The same seed gives the same layouts.

    Returns
    -------
    ndarray of float64, shape (L, n, 2)
        In [-1, 1]. A layer is turned, mirrored and scaled so that its nodes lie as near as can be
        to where they lay in the layer before: what moves then moves because links changed.

    Notes
    -----
    UMAP (McInnes et al. 2018) with the distance 1 / weight, or for few nodes springs (Fruchterman
    & Reingold 1991); then the orthogonal Procrustes fit (Schönemann 1966).
    """
    places, before = [], _center(joint)
    for snapshot in dynamic.snapshots:
        before = fit(_place(snapshot, before, seed=seed), before)
        places.append(before)
    found = np.stack(places)
    return np.asarray(np.round(found / max(float(np.abs(found).max()), 1e-12), 4) + 0.0)


def fit(points: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn, mirror, shift and scale points to lie as near to others as they can.

    The scale makes both sets equally large, rather than points that cannot be matched small.

    Parameters
    ----------
    points, target : ndarray of float64, shape (n, 2)
        The same nodes twice.

    Returns
    -------
    ndarray of float64, shape (n, 2)
        The points, centred at 0.

    Examples
    --------
    >>> square = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0], [-1.0, 1.0]])
    >>> quarter_turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    >>> np.allclose(fit(3 * square @ quarter_turn + 5, square), square)
    True
    """
    points, target = _center(points), _center(target)
    left, _, right = np.linalg.svd(points.T @ target)
    sizes = [float(np.sqrt((part**2).sum())) for part in (target, points)]
    return np.asarray(points @ left @ right * (sizes[0] / max(sizes[1], 1e-12)))


def _center(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(points - points.mean(axis=0))


def _place(snapshot: Snapshot, begin: NDArray[np.float64], *, seed: int) -> NDArray[np.float64]:
    if not len(snapshot.edges):
        return begin
    graph = igraph.Graph(n=snapshot.n_nodes, edges=snapshot.edges)
    weights = snapshot.weights / snapshot.weights.max()
    start = (begin * (REACH / max(float(np.abs(begin).max()), 1e-12))).tolist()
    with seeded(seed):
        if snapshot.n_nodes < SMALL:
            layout = graph.layout_fruchterman_reingold(
                weights=weights.tolist(), seed=start, niter=SPRING_STEPS
            )
        else:
            epochs = int(EPOCHS * min(1.0, MANY_EDGES / len(snapshot.edges))) + 1
            layout = graph.layout_umap(
                dist=(1 / weights).tolist(), seed=start, min_dist=MIN_DIST, epochs=epochs
            )
    return np.asarray(layout.coords, dtype=np.float64)
