"""A layer's modularity as Lu et al. 2022 describe it, step by step: what P1 is measured against."""

import heapq

import networkx as nx
import numpy as np
import torch
from numpy.typing import NDArray

NORM_FLOOR = 1e-8


def paper_modularity(values: NDArray[np.floating], labels: NDArray[np.int64], *, k: int) -> float:
    """Q of the true classes: full similarity matrix, a heap a row, a NetworkX graph.

    Parameters
    ----------
    values : ndarray of float32, shape (n, D)
        Features of one layer.
    labels : ndarray of int64, shape (n,)
        Class of each sample.
    k : int
        Neighbours a sample.

    Returns
    -------
    float

    Notes
    -----
    Lu et al., "Understanding the Dynamics of DNNs Using Graph Modularity", ECCV 2022, section 3.2.
    Like their released code the heap looks entries up in the NumPy row (``key=row.take``); unlike
    it, the similarities are one matrix product and not a call per pair, which is slower still.

    Examples
    --------
    >>> x = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.float32)
    >>> paper_modularity(x, np.array([0, 0, 1, 1]), k=1)  # two pairs: 1 - (1/4 + 1/4)
    0.5
    """
    similarities = _similarities(values)
    graph = nx.Graph()
    graph.add_nodes_from(range(len(values)))
    for node, row in enumerate(similarities):
        row[node] = -2.0  # below every similarity: no node is its own neighbour
        for other in heapq.nlargest(k, range(len(row)), key=row.take):
            # A = (D + D^T) / 2, and no weight below 0
            weight = max(float(row[other]), 0.0) / 2
            if graph.has_edge(node, other):
                graph[node][other]["weight"] += weight
            else:
                graph.add_edge(node, other, weight=weight)
    classes = [set(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)]
    return float(nx.community.modularity(graph, classes, weight="weight"))


def _similarities(values: NDArray[np.floating]) -> NDArray[np.float32]:
    rows = torch.nn.functional.normalize(torch.from_numpy(values), dim=1, eps=NORM_FLOOR)
    product: NDArray[np.float32] = (rows @ rows.T).numpy()
    return product
