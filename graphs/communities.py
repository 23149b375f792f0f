"""Communities found without labels, and what they have in common with another partition."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import igraph
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, hstack, identity
from scipy.sparse.csgraph import min_weight_full_bipartite_matching
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score
from sklearn.metrics import normalized_mutual_info_score as nmi_score

from graphs.errors import GraphError
from graphs.snapshots import Snapshot

# Jaccard overlap from which communities of neighbouring layers are matched in the metric tables
# (Greene, Doyle & Cunningham 2010)
MATCHED = 0.3


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


def match_communities(
    previous: ArrayLike, current: ArrayLike, *, threshold: float = 0.0
) -> NDArray[np.int32]:
    """Renumber communities so that each keeps the number of the one it came from.

    Each community is given to at most one predecessor, so that the sum of the Jaccard overlaps is
    the largest possible (an assignment problem; Hungarian method). A community without a
    predecessor gets the smallest number that neither partition uses.

    Parameters
    ----------
    previous : array of int, shape (n,)
        Communities of the layer before, already matched. Numbers from 0.
    current : array of int, shape (n,)
        Communities to renumber.
    threshold : float
        Jaccard overlap that a community must have with its predecessor.

    Returns
    -------
    ndarray of int32, shape (n,)
        The same partition as ``current``.

    Raises
    ------
    GraphError
        When the two do not cover the same number of nodes.

    Notes
    -----
    Greene, Doyle & Cunningham 2010, "Tracking the evolution of communities in dynamic social
    networks", match by Jaccard overlap. Solved by sparse Jonker-Volgenant (SciPy).

    Examples
    --------
    >>> match_communities([0, 0, 0, 1, 1], [1, 1, 2, 0, 0])
    array([0, 0, 2, 1, 1], dtype=int32)
    """
    first, second = pair_partitions(previous, current)
    old_names, old = np.unique(first, return_inverse=True)
    # Numbered by size, so that the larger of two new communities gets the smaller number.
    new = number_by_size(second)
    n_new = int(new.max()) + 1 if new.size else 0
    numbers = np.full(n_new, -1, dtype=np.int64)
    for row, column in _best_pairs(new, old, shape=(n_new, len(old_names)), least=threshold):
        numbers[row] = old_names[column]
    taken = set(old_names.tolist())
    free = (number for number in range(n_new + len(taken)) if number not in taken)
    for unmatched in np.flatnonzero(numbers < 0):
        numbers[unmatched] = next(free)
    return numbers[new].astype(np.int32)


def match_series(partitions: Sequence[ArrayLike]) -> list[NDArray[np.int32]]:
    """Match each partition to the one before it, the first numbered by size.

    Parameters
    ----------
    partitions : sequence of arrays of int, each of shape (n,)
        Communities of the same nodes, layer after layer.

    Returns
    -------
    list of ndarray of int32
        The same partitions with numbers that stay. A number that died out may be given again.

    Raises
    ------
    GraphError
        When two neighbours do not cover the same number of nodes.

    Examples
    --------
    >>> [part.tolist() for part in match_series([[5, 5, 8], [8, 8, 5]])]
    [[0, 0, 1], [0, 0, 1]]
    """
    matched: list[NDArray[np.int32]] = []
    for partition in partitions:
        matched.append(
            match_communities(matched[-1], partition) if matched else number_by_size(partition)
        )
    return matched


@dataclass(frozen=True, kw_only=True, eq=False)
class Overlap:
    """How many nodes the parts of two partitions share: only the pairs that occur.

    Attributes
    ----------
    first, second : ndarray of int64, shape (p,)
        Part numbers of each pair, sorted by the first, then the second.
    count : ndarray of int64, shape (p,)
        Nodes in both.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    count: NDArray[np.int64]

    @classmethod
    def of(cls, first: NDArray[np.integer], second: NDArray[np.integer]) -> "Overlap":
        """Count the pairs of two partitions of the same nodes, parts numbered from 0.

        Examples
        --------
        >>> overlap = Overlap.of(np.array([0, 0, 0, 1]), np.array([2, 0, 2, 2]))
        >>> overlap.first, overlap.second, overlap.count
        (array([0, 0, 1]), array([0, 2, 2]), array([1, 2, 1]))
        """
        width = int(second.max(initial=0)) + 1
        pairs, count = np.unique(first.astype(np.int64) * width + second, return_counts=True)
        return cls(first=pairs // width, second=pairs % width, count=count.astype(np.int64))

    def largest(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Find, for every first part, the second part it shares most with (ties: the smaller).

        Returns
        -------
        tuple of two ndarrays of int64, shape (number of first parts,)
            The second part, and how many nodes they share.
        """
        order = np.lexsort((self.second, -self.count, self.first))
        best = order[np.unique(self.first[order], return_index=True)[1]]
        return self.second[best], self.count[best]


def _best_pairs(
    new: NDArray[np.int32], old: NDArray[np.intp], *, shape: tuple[int, int], least: float
) -> Iterator[tuple[int, int]]:
    """Pairs (new, old) of the assignment with the largest sum of Jaccard overlaps."""
    if not new.size:
        return
    overlap = Overlap.of(new, old)
    sizes = np.bincount(new)[overlap.first] + np.bincount(old)[overlap.second]
    jaccard = overlap.count / (sizes - overlap.count)
    keep = jaccard >= least
    # A full matching is asked for: a column of its own lets a row stay alone, at the gain 0. All
    # gains are raised by 1, which every full matching pays alike, because 0 means "no edge" here.
    pairs = (overlap.first[keep], overlap.second[keep])
    gain = csr_array((1.0 + jaccard[keep], pairs), shape=shape)
    matching = min_weight_full_bipartite_matching(
        csr_array(hstack([gain, identity(shape[0], format="csr")])), maximize=True
    )
    for new_part, old_part in zip(*matching, strict=True):
        if old_part < shape[1]:
            yield int(new_part), int(old_part)


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


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Give igraph a generator of its own for the time of some calls.

    Parameters
    ----------
    seed : int
        Of that generator. Afterwards igraph draws from Python's ``random`` again.
    """
    igraph.set_random_number_generator(random.Random(int(seed)))  # noqa: S311 - no secret is drawn
    try:
        yield
    finally:
        igraph.set_random_number_generator(random)
