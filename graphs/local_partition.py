"""Clusters of each layer, from the layers beside it alone."""

import numpy as np
from numpy.typing import NDArray

from graphs.errors import GraphError
from graphs.neuron_graph import NeuronGraph
from graphs.spectral import spectral_partition

FEWEST_LAYERS = 3


def local_partition(
    graph: NeuronGraph, labels: NDArray[np.integer], *, seed: int
) -> NDArray[np.int32]:
    """Cluster every layer within the graph of itself, the layer before and the layer behind.

    Parameters
    ----------
    graph : NeuronGraph
        At least three layers.
    labels : ndarray of int, shape (n,)
        A partition of the whole graph: each layer gets as many clusters as it has there.
    seed : int
        Of k-means.

    Returns
    -------
    ndarray of int32, shape (n,)
        Clusters numbered within each layer, from 0. The first and the last layer take theirs from
        the graph of the first and the last three layers. -1 for neurons that have no edge there.

    Raises
    ------
    GraphError
        When there are fewer than three layers, or labels of another graph.

    Notes
    -----
    Hod et al. (2021), local partitioning.

    Examples
    --------
    >>> from graphs.neuron_graph import layered_graph
    >>> graph = layered_graph([np.eye(2), np.eye(2)])
    >>> local_partition(graph, np.array([0, 1, 0, 1, 0, 1]), seed=0).tolist()
    [0, 1, 0, 1, 0, 1]
    """
    layers = len(graph.layer_names)
    if layers < FEWEST_LAYERS:
        raise GraphError(
            f"a graph of {layers} layers has no layer between two others",
            "take at least three layers",
        )
    if labels.shape != graph.layer.shape:
        raise GraphError(
            f"{labels.shape} labels for a graph of {graph.n_nodes} nodes", "give one label a node"
        )
    found = np.full(graph.n_nodes, -1, np.int32)
    for layer in range(layers):
        middle = min(max(layer, 1), layers - 2)
        near = np.flatnonzero(np.abs(graph.layer - middle) <= 1)
        clusters = len(np.unique(labels[graph.layer == layer]))
        part = spectral_partition(graph.adjacency[near][:, near], clusters, seed=seed)
        own = graph.layer[near] == layer
        kept = part[own]
        alive = kept >= 0
        _, number = np.unique(kept[alive], return_inverse=True)
        kept[alive] = number
        found[near[own]] = kept
    return found
