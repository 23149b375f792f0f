"""Spectral clustering of a weighted graph and its normalised cut (Shi and Malik 2000)."""

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components
from scipy.sparse.linalg import ArpackNoConvergence, eigsh
from threadpoolctl import ThreadpoolController

from graphs.errors import GraphError
from graphs.kmeans import kmeans

RESTARTS, RESTARTS_OF_MANY, MANY = 25, 100, 2000
"""k-means is begun again so often (Filan et al. 2021): for up to `MANY` nodes, and for more."""

# Up to this size dense eigenvectors are cheaper than a search for some of them.
_DENSE = 1000
_SMALL = 200
# Below this share of the largest one, an eigenvalue of a product has lost too many digits.
_PRECISE = 1e-6


def spectral_partition(
    adjacency: ArrayLike | csr_array, clusters: int, *, seed: int, restarts: int | None = None
) -> NDArray[np.int32]:
    """Divide a graph into clusters of a low normalised cut.

    The eigenvectors of the `clusters` largest eigenvalues of D^-1/2 A D^-1/2, divided by the roots
    of the degrees, are clustered by k-means++ (Shi and Malik 2000; scikit-learn's
    ``SpectralClustering``, without its scaling).

    Parameters
    ----------
    adjacency : array or sparse array, shape (n, n)
        Symmetric weights >= 0.
    clusters : int
        How many to look for. Some may stay empty.
    seed : int
        Of k-means and of the start vector: the same seed gives the same labels.
    restarts : int, optional
        Attempts of k-means, of which the best counts: 25, or 100 for more than 2,000 nodes.

    Returns
    -------
    ndarray of int32, shape (n,)
        Clusters numbered as they appear, from 0; -1 for nodes without edges.

    Raises
    ------
    GraphError
        When `clusters` is less than 1 or more than the nodes with edges, or the matrix is no graph.

    Notes
    -----
    Runs on one thread, so that their number changes nothing. A bipartite graph (layers without
    skip connections) needs only the singular vectors of half its matrix.

    Examples
    --------
    >>> pairs = np.kron(np.eye(2), np.ones((2, 2))) - np.eye(4)
    >>> spectral_partition(pairs, 2, seed=0).tolist()
    [0, 0, 1, 1]
    """
    matrix = checked_adjacency(adjacency)
    degree = np.asarray(matrix.sum(axis=0))
    linked = degree > 0
    check_clusters(clusters, int(linked.sum()))
    if not linked.all():
        matrix, degree = matrix[linked][:, linked], degree[linked]
    root = np.sqrt(degree)
    with _threads().limit(limits=1):
        vectors = _leading_vectors(_scaled(matrix, 1 / root), clusters, seed=seed)
        # divided by its largest value: k-means stops by absolute distances
        points = vectors / root[:, None]
        points /= np.abs(points[:, 0]).max()
        often = RESTARTS if len(points) <= MANY else RESTARTS_OF_MANY
        found = kmeans(points, clusters, seed=seed, restarts=restarts or often)
    labels = np.full(len(linked), -1, dtype=np.int32)
    labels[linked] = _in_order(found)
    return labels


def normalized_cut(adjacency: ArrayLike | csr_array, labels: ArrayLike) -> float:
    """Return Σ_k cut(k) / vol(k), the normalised cut of a partition.

    Parameters
    ----------
    adjacency : array or sparse array, shape (n, n)
        Symmetric weights >= 0.
    labels : array of int, shape (n,)
        Cluster of each node; nodes with a negative one are left out, with their edges.

    Returns
    -------
    float
        From 0 (no weight between clusters) to the number of clusters; K - 1 for a random partition
        of a graph without structure into K equal parts. Partitions of different K do not compare.

    Raises
    ------
    GraphError
        When lengths differ, no node has a label, or a cluster has no edges.

    Examples
    --------
    >>> path = [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
    >>> normalized_cut(path, [0, 0, 1])  # 1/3 + 1/1
    1.3333333333333333
    """
    volume, inside = cluster_volumes(adjacency, labels)
    return float(((volume - inside) / volume).sum())


def newman_modularity(adjacency: ArrayLike | csr_array, labels: ArrayLike) -> float:
    """Return Newman's Q of a partition, Σ_k [(1 - r_k) v_k - v_k²].

    v_k is the cluster's share of the degrees and r_k = cut(k) / vol(k), whose sum is the normalised
    cut: of equal volumes, Q = (K - 1 - ncut) / K.

    Parameters
    ----------
    adjacency, labels
        As for `normalized_cut`.

    Raises
    ------
    GraphError
        As `normalized_cut`.

    Examples
    --------
    >>> pairs = np.kron(np.eye(2), np.ones((2, 2))) - np.eye(4)
    >>> newman_modularity(pairs, [0, 0, 1, 1]), normalized_cut(pairs, [0, 0, 1, 1])
    (0.5, 0.0)
    """
    volume, inside = cluster_volumes(adjacency, labels)
    share = volume / volume.sum()
    return float((inside / volume.sum() - share**2).sum())


def cluster_volumes(
    adjacency: ArrayLike | csr_array, labels: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the volume of each cluster and how much of it lies inside.

    Parameters
    ----------
    adjacency, labels
        As for `normalized_cut`.

    Returns
    -------
    tuple of two ndarrays of float64, shape (K,)
        Sums of degrees, and of the weights of edges that stay inside, counted from both ends; in
        the order of the labels that occur. The difference is the cut.
    """
    matrix, label = checked_adjacency(adjacency), np.asarray(labels)
    if label.shape != (matrix.shape[0],):
        raise GraphError(
            f"{label.shape} labels for a graph of {matrix.shape[0]} nodes", "give one label a node"
        )
    chosen = label >= 0
    if not chosen.any():
        raise GraphError("no node has a label of 0 or more", "give every node a cluster")
    if not chosen.all():
        matrix, label = matrix[chosen][:, chosen], label[chosen]
    _, number = np.unique(label, return_inverse=True)
    degree = np.asarray(matrix.sum(axis=1))
    source = np.repeat(number, np.diff(matrix.indptr))
    same = source == number[matrix.indices]
    volume = np.bincount(number, weights=degree).astype(np.float64)
    inside = np.bincount(source[same], weights=matrix.data[same], minlength=len(volume))
    if not volume.all():
        raise GraphError(
            f"cluster {np.unique(label)[int(np.argmin(volume))]} has no edges, so that its cut has "
            "no share",
            "leave nodes without edges out, with the label -1",
        )
    return volume, inside.astype(np.float64)


def count_components(adjacency: csr_array) -> int:
    """Return the number of connected parts, nodes without edges left out.

    Examples
    --------
    >>> count_components(csr_array(np.kron(np.diag([1, 1, 0]), np.ones((2, 2)) - np.eye(2))))
    2
    """
    count, _ = connected_components(adjacency, directed=False)
    return int(count) - int((np.diff(adjacency.indptr) == 0).sum())


def checked_adjacency(adjacency: ArrayLike | csr_array) -> csr_array:
    """Return a matrix in compressed rows, after checking that it is an undirected graph.

    Raises
    ------
    GraphError
        When it is not square, not finite, negative or not symmetric.
    """
    matrix = csr_array(adjacency, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise GraphError(f"an adjacency matrix of shape {matrix.shape}", "give a square one")
    if not np.isfinite(matrix.data).all():
        raise GraphError("the adjacency matrix holds NaN or infinite values", "look at the weights")
    if (matrix.data < 0).any():
        raise GraphError(
            f"the adjacency matrix holds a negative weight ({matrix.data.min():g})",
            "take absolute values",
        )
    # A and its transpose give one vector the same only by chance where they differ
    probe = np.random.default_rng(0).random(matrix.shape[0])
    if not np.allclose(matrix @ probe, matrix.T @ probe, rtol=1e-9, atol=0):
        raise GraphError("the adjacency matrix is not symmetric", "take (A + A.T) / 2")
    return matrix


def check_clusters(clusters: int, n_nodes: int) -> None:
    """Refuse a number of clusters that a graph cannot have.

    Raises
    ------
    GraphError
        When it is less than 1, or more than the nodes with edges.
    """
    if clusters < 1:
        raise GraphError(f"clusters={clusters} divide nothing", "give at least 1")
    if clusters > n_nodes:
        raise GraphError(
            f"clusters={clusters} need at least {clusters} nodes with edges, this graph has "
            f"{n_nodes}",
            "lower --clusters",
        )


@cache
def _threads() -> ThreadpoolController:
    return ThreadpoolController()


def _scaled(matrix: csr_array, factor: NDArray[np.float64]) -> csr_array:
    """Multiply rows and columns."""
    data = matrix.data * np.repeat(factor, np.diff(matrix.indptr))
    data *= factor[matrix.indices]
    return csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def _leading_vectors(scaled: csr_array, count: int, *, seed: int) -> NDArray[np.float64]:
    """Return eigenvectors of the largest eigenvalues, largest first, of determined signs."""
    n = scaled.shape[0]
    vectors = None
    if n > _SMALL and count < n:
        vectors = _bipartite_vectors(scaled, count)
        if vectors is None:
            vectors = _searched_vectors(scaled, count, seed=seed)
    if vectors is None:
        vectors = eigh(scaled.toarray(), subset_by_index=(n - count, n - 1))[1][:, ::-1]
    signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(count)])
    return np.asarray(vectors * signs)


def _searched_vectors(scaled: csr_array, count: int, *, seed: int) -> NDArray[np.float64] | None:
    start = np.random.default_rng(seed).normal(size=scaled.shape[0])
    try:
        return np.asarray(eigsh(scaled, k=count, which="LA", v0=start)[1][:, ::-1])
    except ArpackNoConvergence as error:
        if scaled.shape[0] <= 4 * _DENSE:
            return None
        raise GraphError(
            f"the eigenvectors of this graph of {scaled.shape[0]} nodes were not found "
            f"({len(error.eigenvalues)} of {count} after {10 * scaled.shape[0]} steps)",
            "take another number of clusters or another seed",
        ) from error


def _bipartite_vectors(scaled: csr_array, count: int) -> NDArray[np.float64] | None:
    """Return the eigenvectors from the singular vectors of one side; None where that is no gain.

    With S = [[0, B], [Bᵀ, 0]] they are (u, v) / √2 of B's singular vectors.
    """
    side = _sides(scaled)
    if side is None:
        return None
    few = side if side.sum() * 2 <= len(side) else ~side
    size = int(few.sum())
    if not count <= size <= _DENSE:
        return None
    half = scaled[few][:, ~few]
    dense = half.nnz * 20 > half.shape[0] * half.shape[1]
    if dense:
        half = half.toarray()
        product = half @ half.T
    else:
        product = (half @ half.T).toarray()
    squares, small = eigh(product, subset_by_index=(size - count, size - 1))
    if squares[0] < _PRECISE:
        return None
    vectors = np.zeros((len(side), count))
    vectors[few] = small
    vectors[~few] = half.T @ small / np.sqrt(squares)
    return np.asarray(vectors[:, ::-1] / np.sqrt(2))


def _sides(matrix: csr_array) -> NDArray[np.bool_] | None:
    """Return the side of each node in a bipartite graph; None where there is an odd cycle."""
    side = np.zeros(matrix.shape[0], dtype=bool)
    seen = np.zeros(matrix.shape[0], dtype=bool)
    while not seen.all():
        order, before = breadth_first_order(matrix, int(np.argmin(seen)), directed=False)
        found = side.tolist()
        for node, parent in zip(order[1:].tolist(), before[order[1:]].tolist(), strict=True):
            found[node] = not found[parent]
        side = np.array(found)
        seen[order] = True
    source = np.repeat(side, np.diff(matrix.indptr))
    return side if (source != side[matrix.indices]).all() else None


def _in_order(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Give clusters numbers in the order in which they appear."""
    _, first, number = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int32)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[number]
