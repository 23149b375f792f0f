"""Communities followed from layer to layer: what they share, and numbers that stay."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, hstack, identity
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from graphs.communities import number_by_size, pair_partitions

# Jaccard overlap from which communities of neighbouring layers are matched in the metric tables
# (Greene, Doyle & Cunningham 2010)
MATCHED = 0.3


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


def match_series(
    partitions: Sequence[ArrayLike], *, threshold: float = 0.0
) -> list[NDArray[np.int32]]:
    """Match each partition to the one before it, the first numbered by size.

    Parameters
    ----------
    partitions : sequence of arrays of int, each of shape (n,)
        Communities of the same nodes, layer after layer.
    threshold : float
        As in `match_communities`.

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
            match_communities(matched[-1], partition, threshold=threshold)
            if matched
            else number_by_size(partition)
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
