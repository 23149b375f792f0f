"""Graphs in the forms that other libraries expect."""

import numpy as np
from scipy.sparse import csr_matrix

from graphs.neighbors.knn_graph import KnnGraph


def cleanlab_graph(graph: KnnGraph) -> csr_matrix:
    """Turn a directed list into the ``knn_graph`` of cleanlab's ``Datalab.find_issues``.

    Parameters
    ----------
    graph : KnnGraph
        The neighbours of one layer.

    Returns
    -------
    scipy.sparse.csr_matrix, shape (n, n)
        Distances 1 − similarity; k entries a row, the nearest first, zeros stored. scikit-learn's
        ``kneighbors_graph(mode="distance")`` returns the same.

    Examples
    --------
    >>> graph = KnnGraph(
    ...     indices=np.array([[2, 1], [0, 2], [0, 1]], dtype=np.int32),
    ...     weights=np.array([[1.0, 0.5], [0.5, 0.25], [1.0, 0.25]], np.float32),
    ...     metric="cosine", engine="reference", exact=True,
    ... )
    >>> found = cleanlab_graph(graph)
    >>> found.indices.tolist(), found.data.tolist()
    ([2, 1, 0, 2, 0, 1], [0.0, 0.5, 0.5, 0.75, 0.0, 0.75])
    """
    distances = np.maximum(1.0 - graph.weights.astype(np.float64).ravel(), 0.0)
    starts = np.arange(graph.n_nodes + 1) * graph.k
    # not through coordinates: that would sort each row by column
    return csr_matrix(
        (distances, graph.indices.ravel(), starts), shape=(graph.n_nodes, graph.n_nodes)
    )
