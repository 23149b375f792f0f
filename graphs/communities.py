"""Communities found without labels, and what they have in common with another partition."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score
from sklearn.metrics import normalized_mutual_info_score as nmi_score

from graphs.errors import GraphError
from graphs.seeding import seeded
from graphs.snapshots import Snapshot


class Agreement(NamedTuple):
    """How far two partitions of the same nodes agree: 1 means equal up to names.

    Attributes
    ----------
    nmi : float
        Normalised mutual information (arithmetic mean), from 0; not corrected for chance.
    ami : float
        Adjusted mutual information (Vinh et al. 2010): 0 is expected by chance.
    ari : float
        Adjusted Rand index (Hubert & Arabie 1985): 0 is expected by chance.
    """

    nmi: float
    ami: float
    ari: float


def leiden(snapshot: Snapshot, *, seed: int, resolution: float = 1.0) -> NDArray[np.int32]:
    """Communities of high modularity by the Leiden algorithm, weighted, run until stable.

    Parameters
    ----------
    snapshot : Snapshot
        The graph of one layer.
    seed : int
        Same seed, same communities. Python's own ``random`` state is left alone.
    resolution : float
        1 is modularity as usual; larger values give more, smaller communities.

    Returns
    -------
    ndarray of int32, shape (n,)
        Community of every node, numbered from 0 by size, ties by smallest node. An isolated node
        is a community of its own.

    Raises
    ------
    GraphError
        For a resolution that is not a positive number.

    Notes
    -----
    Traag, Waltman & van Eck 2019, "From Louvain to Leiden: guaranteeing well-connected
    communities", as in igraph. igraph has one random number generator for the process: it is
    Python's ``random`` module again after the call.

    Examples
    --------
    >>> edges = np.array([[0, 1], [2, 3], [2, 4], [3, 4]], dtype=np.int32)
    >>> pair_and_triangle = Snapshot(
    ...     layer_index=0, layer="", n_nodes=5, edges=edges, weights=np.ones(4)
    ... )
    >>> leiden(pair_and_triangle, seed=0)
    array([1, 1, 0, 0, 0], dtype=int32)
    """
    if not (np.isfinite(resolution) and resolution > 0):
        raise GraphError(f"resolution={resolution} is no positive number", "use 1.0")
    with seeded(seed):
        found = snapshot.graph.community_leiden(
            objective_function="modularity",
            weights="weight",
            resolution=resolution,
            n_iterations=-1,
        )
    return number_by_size(found.membership)


def number_by_size(membership: ArrayLike) -> NDArray[np.int32]:
    """Give the parts of a partition numbers from 0: largest first, ties by smallest node.

    Parameters
    ----------
    membership : array, shape (n,)
        Part of every node, under any names.

    Returns
    -------
    ndarray of int32, shape (n,)

    Examples
    --------
    >>> number_by_size([9, 4, 4, 7])
    array([1, 0, 0, 2], dtype=int32)
    """
    _, first, codes, sizes = np.unique(
        np.asarray(membership), return_index=True, return_inverse=True, return_counts=True
    )
    order = np.lexsort((first, -sizes))
    numbers = np.empty(len(order), dtype=np.int32)
    numbers[order] = np.arange(len(order), dtype=np.int32)
    return numbers[codes]


def partition_agreement(a: ArrayLike, b: ArrayLike) -> Agreement:
    """Compare two partitions of the same nodes; names of the parts do not matter.

    Parameters
    ----------
    a, b : array, shape (n,)
        Part of every node.

    Returns
    -------
    Agreement
        ``(nmi, ami, ari)``.

    Raises
    ------
    GraphError
        When the two do not cover the same number of nodes.

    Examples
    --------
    >>> partition_agreement([0, 0, 1, 1], ["b", "b", "a", "a"])
    Agreement(nmi=1.0, ami=1.0, ari=1.0)
    """
    first, second = pair_partitions(a, b)
    # scikit-learn takes many small parts for a regression target and warns; names it leaves be.
    names = [np.char.add("c", number_by_size(part).astype(str)) for part in (first, second)]
    return Agreement(
        nmi=float(nmi_score(*names)),
        ami=float(adjusted_mutual_info_score(*names)),
        ari=float(adjusted_rand_score(*names)),
    )


def pair_partitions(a: ArrayLike, b: ArrayLike) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    """Return two partitions as arrays of the same shape (n,).

    Raises
    ------
    GraphError
        When they do not cover the same number of nodes.
    """
    first, second = np.asarray(a), np.asarray(b)
    if first.ndim != 1 or first.shape != second.shape:
        raise GraphError(
            f"partitions of the shapes {first.shape} and {second.shape} cannot be compared",
            "give two partitions of the same nodes",
        )
    return first, second
