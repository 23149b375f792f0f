"""How sure Q is: against permuted labels, and over the nodes and repeats at hand.

The graph of a layer stays as it is. Permuted labels say what Q is by chance on it; nodes drawn
again say how far Q would move with other samples (`graphs.resampling`).
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from graphs.errors import GraphError
from graphs.modularity import check_nodes
from graphs.neighbors.knn_graph import KnnGraph
from graphs.permuted_pairs import Links, compare_all, compare_linked, pair_shares
from graphs.resampling import bootstrap_curves

MANY_CLASSES = 100  # beyond, only pairs of classes that are linked are looked at
PERMUTATIONS = 200
DRAWS = 200  # of the bootstrap
LEVEL = 0.95
# what rounding makes of a spread or a difference that is 0
_ROUNDING = 1e-12


@dataclass(frozen=True, kw_only=True, eq=False)
class PermutationNull:
    """Q and the weight between classes, beside what permuted labels give on the same graph.

    Attributes
    ----------
    classes : ndarray, shape (c,)
        The distinct labels, sorted; rows and columns follow this order.
    observed : ndarray of float64, shape (c, c)
        Share of the weight between two classes, both directions together: symmetric, with e_cc on
        the diagonal. Diagonal and upper triangle sum to 1.
    expected : ndarray of float64, shape (c, c)
        The same for links that ignore classes but keep strengths: 2·a_a·a_b, and a_c² on the
        diagonal.
    z : ndarray of float64, shape (c, c)
        observed − expected, in standard deviations from its mean over the permutations; NaN where
        all permutations give the same, and of more than 100 classes where two are not linked.
    permuted : ndarray of float64, shape (permutations,)
        Q of the permuted labels.

    Examples
    --------
    >>> null = permutation_null([[1], [0], [3], [2]], [[1.0]] * 4, ["cat", "cat", "dog", "dog"])
    >>> null.value, null.excess.tolist()
    (0.5, [[2.0, 0.0], [0.0, 2.0]])
    >>> sorted(set(null.permuted.tolist()))
    [-0.5, 0.5]
    """

    classes: NDArray[np.generic]
    observed: NDArray[np.float64] = field(repr=False)
    expected: NDArray[np.float64] = field(repr=False)
    z: NDArray[np.float64] = field(repr=False)
    permuted: NDArray[np.float64] = field(repr=False)

    @property
    def value(self) -> float:
        """Q of the true labels."""
        return float(np.trace(self.observed - self.expected))

    @property
    def mean(self) -> float:
        """Mean of Q over the permutations."""
        return float(self.permuted.mean())

    @property
    def sd(self) -> float:
        """Sample standard deviation of Q over the permutations; NaN for one permutation."""
        return float(self.permuted.std(ddof=1)) if len(self.permuted) > 1 else float("nan")

    @cached_property
    def score(self) -> float:
        """How many sd Q lies above the mean; NaN where all permutations give the same."""
        return (self.value - self.mean) / self.sd if self.sd > _ROUNDING else float("nan")

    @cached_property
    def p(self) -> float:
        """One-sided p: (1 + permutations whose Q is at least that of the labels) / (1 + all).

        Notes
        -----
        Phipson & Smyth 2010, "Permutation p-values should never be zero".
        """
        reached = np.count_nonzero(self.permuted >= self.value - _ROUNDING)
        return (1 + int(reached)) / (1 + len(self.permuted))

    @cached_property
    def excess(self) -> NDArray[np.float64]:
        """Observed over expected: 1 is what links that ignore classes give; NaN for 0 over 0."""
        blank = np.full_like(self.expected, np.nan)
        return np.divide(self.observed, self.expected, out=blank, where=self.expected > 0)


def permutation_null(
    indices: ArrayLike,
    weights: ArrayLike,
    labels: ArrayLike,
    *,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> PermutationNull:
    """Compare the classes on a graph with permuted labels on the same graph.

    Layers of one node set that are given one seed get the same permutations.

    Parameters
    ----------
    indices : array of int, shape (n, k)
        Neighbours of each node.
    weights : array of float, shape (n, k)
        Their similarities; negative ones count as 0.
    labels : array, shape (n,)
        Class of each node.
    permutations : int
        How often labels are permuted.
    seed : int
        Of the permutations.

    Returns
    -------
    PermutationNull
        Q, its null distribution, and observed and expected weight of all pairs of classes.

    Raises
    ------
    GraphError
        For fewer than one permutation, labels of other nodes, a neighbour that does not exist, a
        weight that is not finite, or a graph without weight.

    Notes
    -----
    Nothing but a weighted count over the directed list: with D the list, the weight from class a
    to class b is Σ d_ij [c_i = a][c_j = b], and all else follows from these c × c numbers. The mean
    of Q over all permutations is −(1 − Σ n_c(n_c − 1)/(n(n − 1))) Σ s_i², with s_i the share of the
    strength that node i holds: it lies below 0, the more so the more links lead to few nodes.
    """
    if permutations < 1:
        raise GraphError(f"permutations={permutations} gives no null", "permute at least once")
    links = _links(indices, weights)
    classes, codes = np.unique(np.asarray(labels), return_inverse=True)
    if len(codes) != len(links[0]):
        raise GraphError(
            f"{len(links[0])} nodes, but {len(codes)} labels", "give a label for each of the nodes"
        )
    observed, expected = pair_shares(codes[None, :], links, classes=len(classes))[0]
    compare = compare_linked if len(classes) > MANY_CLASSES else compare_all
    permuted, z = compare(links, codes, observed - expected, permutations=permutations, seed=seed)
    return PermutationNull(
        classes=classes,
        observed=_both_ways(observed),
        expected=_both_ways(expected),
        z=z,
        permuted=permuted,
    )


def _links(indices: ArrayLike, weights: ArrayLike) -> Links:
    """Check a directed list, and take negative weights as 0."""
    neighbours, given = np.asarray(indices), np.asarray(weights, dtype=np.float64)
    if neighbours.ndim != 2 or neighbours.shape != given.shape:
        raise GraphError(
            f"neighbours of the shape {neighbours.shape} and weights {given.shape} do not fit "
            "together",
            "pass the two arrays of one KnnGraph",
        )
    check_nodes(neighbours, len(neighbours))
    if not np.isfinite(given).all():
        raise GraphError("a weight is not finite", "look at the activations of this layer")
    if not (given > 0).any():
        raise GraphError(
            "no link has a positive weight, and a graph without weight has no classes apart",
            "leave the layer out, or look at its activations",
        )
    return neighbours, np.maximum(given, 0.0)


def _both_ways(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ordered pairs together: all but the diagonal twice."""
    return shares * (2.0 - np.eye(len(shares)))


def bootstrap_interval(
    graph: KnnGraph, labels: ArrayLike, *, draws: int = DRAWS, level: float = LEVEL, seed: int = 0
) -> tuple[float, float]:
    """Say between which values most draws of the nodes have their Q.

    Parameters
    ----------
    graph : KnnGraph
        The directed list of a layer.
    labels : array, shape (n,)
        Class of each node.
    draws : int
        How often nodes are drawn, with replacement, each with its k links.
    level : float
        Share of the draws between the two ends.
    seed : int
        Of the draws; layers that are given one seed get the same draws.

    Returns
    -------
    tuple of float
        Percentiles of Q over the draws that have weight.

    Raises
    ------
    GraphError
        As in `graphs.resampling.bootstrap_curves`.

    Notes
    -----
    Efron 1979, percentile interval. Links are kept, so this is the spread over the samples at hand
    and not of a k-NN graph built anew: it is too narrow, by about a third on CIFAR-10. Repeats with
    samples of their own say more.
    """
    curves = bootstrap_curves([graph], labels, draws=draws, seed=seed)[:, 0]
    tail = (1 - level) / 2
    low, high = np.nanquantile(curves, [tail, 1 - tail])
    return float(low), float(high)


def mean_interval(
    curves: ArrayLike, *, level: float = LEVEL
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Interval of the mean curve over repeats, by Student's t.

    Parameters
    ----------
    curves : array of float, shape (repeats, L)
        Q of every layer, one row a repeat.
    level : float
        Share of such intervals that hold the true mean.

    Returns
    -------
    tuple of ndarray of float64, shape (L,)
        Lower and upper end; NaN for one repeat.

    Notes
    -----
    Student 1908. Takes repeats for independent, which node sets are that share no sample.

    Examples
    --------
    >>> low, high = mean_interval([[0.1], [0.2], [0.3]])  # 0.2 ± 4.303 · 0.1 / √3
    >>> low.round(3).item(), high.round(3).item()
    (-0.048, 0.448)
    """
    rows = np.asarray(curves, dtype=np.float64)
    count = len(rows)
    mean = rows.mean(axis=0)
    if count < 2:
        return np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    reach = float(stats.t.ppf((1 + level) / 2, count - 1)) * rows.std(axis=0, ddof=1)
    reach = reach / np.sqrt(count)
    return mean - reach, mean + reach
