"""How sure Q is: against permuted labels, and over the nodes and repeats at hand.

The graph of a layer stays as it is. Permuted labels say what Q is by chance on it; nodes drawn
again say how far Q would move with other samples (`graphs.resampling`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from graphs.errors import GraphError
from graphs.neighbors.knn_graph import KnnGraph
from graphs.resampling import bootstrap_curves

PERMUTATIONS = 200
DRAWS = 200  # of the bootstrap
LEVEL = 0.95
# links, or cells of tables of classes, that are in memory at once
_BLOCK = 1 << 16
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
        all permutations give the same.
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
        For fewer than one permutation, labels of other nodes, or a graph without weight.

    Notes
    -----
    Nothing but a weighted count over the directed list: with D the list, the weight from class a
    to class b is Σ d_ij [c_i = a][c_j = b], and all else follows from these c × c numbers. The mean
    of Q over all permutations is −(1 − Σ n_c(n_c − 1)/(n(n − 1))) Σ s_i², with s_i the share of the
    strength that node i holds: it lies below 0, the more so the more links lead to few nodes.
    """
    if permutations < 1:
        raise GraphError(f"permutations={permutations} gives no null", "permute at least once")
    neighbours = np.asarray(indices)
    values = np.maximum(np.asarray(weights, dtype=np.float64), 0.0)
    classes, codes = np.unique(np.asarray(labels), return_inverse=True)
    if neighbours.ndim != 2 or neighbours.shape != values.shape or len(codes) != len(values):
        raise GraphError(
            f"neighbours of the shape {neighbours.shape}, weights {values.shape} and {len(codes)} "
            "labels do not fit together",
            "pass one KnnGraph and a label for each of its nodes",
        )
    if not values.sum() > 0:
        raise GraphError(
            "no link has a positive weight, and a graph without weight has no classes apart",
            "leave the layer out, or look at its activations",
        )
    shape = (len(classes), len(classes))
    own = _differences(codes[None, :], neighbours, values, classes=shape[0])[0]
    observed, expected = own
    actual = observed - expected
    total, squares = np.zeros(shape), np.zeros(shape)
    found = []
    for block in _permuted(codes, permutations, seed, rows=_rows_at_once(values.size, shape[0])):
        shares, chance = np.moveaxis(
            _differences(block, neighbours, values, classes=shape[0]), 1, 0
        )
        found.append(np.trace(shares - chance, axis1=1, axis2=2))
        # measured from the actual value: a difference that never changes is then exactly 0
        shift = shares - chance - actual
        total += shift.sum(axis=0)
        squares += (shift**2).sum(axis=0)
    return PermutationNull(
        classes=classes,
        observed=_both_ways(observed),
        expected=_both_ways(expected),
        z=_standardise(total, squares, permutations),
        permuted=np.concatenate(found),
    )


def _rows_at_once(links: int, classes: int) -> int:
    return max(1, _BLOCK // max(links, classes**2))


def _permuted(
    codes: NDArray[np.intp], permutations: int, seed: int, *, rows: int
) -> Iterator[NDArray[np.intp]]:
    """Blocks of permuted codes: one after the other, whatever the size of a block."""
    generator = np.random.default_rng(seed)
    for start in range(0, permutations, rows):
        count = min(rows, permutations - start)
        yield np.stack([generator.permutation(codes) for _ in range(count)])


def _differences(
    codes: NDArray[np.intp],
    indices: NDArray[np.integer],
    weights: NDArray[np.float64],
    *,
    classes: int,
) -> NDArray[np.float64]:
    """Observed and expected share of weight of ordered pairs, shape (rows of codes, 2, c, c)."""
    rows = np.arange(len(codes))[:, None, None]
    cells = (rows * classes + codes[:, :, None]) * classes + codes[:, indices]
    spread = np.broadcast_to(weights, cells.shape)
    counted = np.bincount(cells.ravel(), spread.ravel(), minlength=len(codes) * classes**2)
    shares = counted.reshape(len(codes), classes, classes)
    shares = (shares + shares.transpose(0, 2, 1)) / (2 * weights.sum())
    held = shares.sum(axis=2)
    return np.stack([shares, held[:, :, None] * held[:, None, :]], axis=1)


def _both_ways(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ordered pairs together: all but the diagonal twice."""
    return shares * (2.0 - np.eye(len(shares)))


def _standardise(
    total: NDArray[np.float64], squares: NDArray[np.float64], count: int
) -> NDArray[np.float64]:
    """Standardise the actual value, from sums of what lies between the permuted values and it."""
    if count < 2:
        return np.full_like(total, np.nan)
    variance = np.maximum(squares - total**2 / count, 0.0) / (count - 1)
    sd = np.sqrt(variance)
    return np.divide(-total / count, sd, out=np.full_like(sd, np.nan), where=sd > _ROUNDING)


def bootstrap_interval(
    graph: KnnGraph, labels: ArrayLike, *, draws: int = DRAWS, level: float = LEVEL, seed: int = 0
) -> tuple[float, float]:
    """Say between which values Q lies when the nodes are drawn again.

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
