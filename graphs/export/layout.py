"""One place for every node, common to all layers."""

import math

import igraph
import numpy as np
from numpy.typing import NDArray

from graphs.seeding import seeded
from graphs.snapshots import DynamicGraph

SPRING_STEPS = 300
# Of igraph's layouts UMAP parts classes best at its speed: 5,000 nodes with 50,000 edges take 4 s
# (DrL 12 s; Fruchterman and Reingold 0.1 s, one ball). It lays the ends of a lone edge on one
# point, so few nodes keep the springs' places.
SMALL = 50
UMAP_EPOCHS = 200
# Beyond so many edges fewer epochs keep the time below some 10 s.
MANY_EDGES = 100_000
MIN_DIST = 0.3
GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))


def joint_layout(dynamic: DynamicGraph, *, seed: int = 0) -> NDArray[np.float64]:
    """Place the nodes once for all layers, from the weights summed over the layers.

    Parameters
    ----------
    dynamic : DynamicGraph
        Graphs over one node set; every layer counts alike.
    seed : int
        The same seed gives the same layout.

    Returns
    -------
    ndarray of float64, shape (n, 2)
        Centred coordinates in the unit of Gephi's node sizes: the farthest coordinate is 500 (few
        nodes) to 1,000 (5,000 nodes and more). Nodes without any edge lie on a ring around the
        others.

    Notes
    -----
    Spring layout (Fruchterman and Reingold 1991), then UMAP (McInnes et al. 2018) from there with
    the distance 1 / weight.
    """
    edges, weights = union_weights(dynamic)
    linked = np.zeros(dynamic.n_nodes, dtype=bool)
    linked[edges] = True
    place = np.zeros((dynamic.n_nodes, 2))
    if linked.any():
        place[linked] = _linked_layout(edges, weights, linked, seed=seed)
    place[~linked] = _ring(int((~linked).sum()), around=place[linked])
    extent = 500 + 500 * min(1.0, dynamic.n_nodes / 5000)
    place -= (place.max(axis=0) + place.min(axis=0)) / 2
    place *= extent / max(float(np.abs(place).max()), 1e-12)
    # + 0.0 turns -0.0 into 0.0
    return np.asarray(np.round(place, 3) + 0.0, dtype=np.float64)


def union_weights(dynamic: DynamicGraph) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return every pair that is linked in some layer, and its weight summed over the layers."""
    n = dynamic.n_nodes
    codes = np.concatenate(
        [snapshot.edges.astype(np.int64) @ np.array([n, 1]) for snapshot in dynamic.snapshots]
    )
    pairs, inverse = np.unique(codes, return_inverse=True)
    weights = np.concatenate([snapshot.weights for snapshot in dynamic.snapshots])
    summed = np.zeros(len(pairs))
    np.add.at(summed, inverse, weights)
    return np.column_stack((pairs // n, pairs % n)), summed


def _linked_layout(
    edges: NDArray[np.int64],
    weights: NDArray[np.float64],
    linked: NDArray[np.bool_],
    *,
    seed: int,
) -> NDArray[np.float64]:
    number = np.cumsum(linked) - 1
    graph = igraph.Graph(n=int(linked.sum()), edges=number[edges])
    weights = weights / weights.max()
    with seeded(seed):
        layout = graph.layout_fruchterman_reingold(weights=weights.tolist(), niter=SPRING_STEPS)
        if graph.vcount() >= SMALL:
            # UMAP alone tears classes apart that the springs keep together
            epochs = int(UMAP_EPOCHS * min(1.0, MANY_EDGES / len(edges))) + 1
            layout = graph.layout_umap(
                dist=(1 / weights).tolist(), seed=layout, min_dist=MIN_DIST, epochs=epochs
            )
    return np.asarray(layout.coords, dtype=np.float64)


def _ring(count: int, *, around: NDArray[np.float64]) -> NDArray[np.float64]:
    radius = 1.0
    center = np.zeros(2)
    if len(around):
        center = (around.max(axis=0) + around.min(axis=0)) / 2
        radius = 1.1 * max(float(np.hypot(*(around - center).T).max()), 1e-6)
    angle = np.arange(count) * GOLDEN_ANGLE
    return center + radius * np.column_stack((np.cos(angle), np.sin(angle)))
