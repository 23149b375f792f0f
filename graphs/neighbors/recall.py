"""Recall of an approximate search: which share of the exact neighbours it finds.

Measured on some rows, whose exact neighbours are looked up by comparing them with everything. A
neighbour counts as found when it is as similar as the exact k-th best: which of several rows that
tie is chosen makes no difference.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphs.neighbors.faiss_engine import Search, error_bound
from graphs.neighbors.select import exact_similarities, to_similarity

ROWS = 500  # about 0.5 % of standard error at a recall of 0.95
SPARE = 12
TILE_BYTES = 64 << 20
CONFIDENCE = 1.96  # standard errors: 95 % of a normal distribution
FINENESS = 16  # a setting is looked for to within 1 / FINENESS of itself


@dataclass(frozen=True)
class Recall:
    """A measured recall.

    Attributes
    ----------
    value : float
        Mean over the sampled rows of the share of their k neighbours that were found.
    error : float
        Standard error of that mean. Rows are independent, the k hits within a row are not: this
        is the spread over rows. Not less than one missed neighbour would make it, as a sample
        without a miss does not prove that there is none; 0 when all rows were looked at.
    """

    value: float
    error: float

    @property
    def low(self) -> float:
        """Lower end of the 95 % interval."""
        return self.value - CONFIDENCE * self.error

    @classmethod
    def of(cls, shares: NDArray[np.float64], *, k: int, population: int) -> "Recall":
        """Estimate the recall over `population` rows from the shares of k found in some of them.

        Examples
        --------
        >>> Recall.of(np.array([1.0, 0.5]), k=2, population=2)
        Recall(value=0.75, error=0.0)
        """
        count = len(shares)
        if count == 0:
            return cls(1.0, 0.0)
        # a sample without replacement says more the closer it comes to everything (Cochran 1977)
        left = (population - count) / population
        spread = float(shares.var(ddof=1)) if count > 1 else 0.0
        error = max(np.sqrt(spread / count), 1 / (k * count)) * np.sqrt(left)
        return cls(float(shares.mean()), float(error))


@dataclass(frozen=True, eq=False)
class RecallSample:
    """Rows whose exact neighbours are known.

    Attributes
    ----------
    rows : ndarray of int, shape (q,)
        Which rows, in rising order.
    worst : ndarray of float32, shape (q,)
        Similarity of the exact k-th best neighbour of each.
    population : int
        How many rows the sample was drawn from.
    """

    rows: NDArray[np.intp]
    worst: NDArray[np.float32]
    population: int

    @classmethod
    def draw(
        cls, unit: NDArray[np.float32], k: int, *, seed: int, zero_rows: int = 0
    ) -> "RecallSample":
        """Draw up to 500 rows and look up their exact neighbours.

        Parameters
        ----------
        unit : ndarray of float32, shape (n, D)
            Unit rows, none of them zero.
        k : int
            Neighbours a row.
        seed : int
            Of the drawing.
        zero_rows : int
            Rows without a direction that are neighbours too, of similarity 0.
        """
        n = len(unit)
        rng = np.random.default_rng(seed)
        rows = np.sort(rng.choice(n, min(ROWS, n), replace=False))
        return cls(rows, kth_similarity(unit, rows, k, zero_rows=zero_rows), n)

    def measure(self, weights: NDArray[np.float32]) -> Recall:
        """Measure the recall of the neighbours that were found for these rows.

        Parameters
        ----------
        weights : ndarray of float32, shape (q, k)
            Exact similarities of the neighbours found; ``-inf`` for none.
        """
        shares = (weights >= self.worst[:, None]).mean(axis=1)
        return Recall.of(shares, k=weights.shape[1], population=self.population)


def kth_similarity(
    unit: NDArray[np.float32], rows: NDArray[np.intp], k: int, *, zero_rows: int = 0
) -> NDArray[np.float32]:
    """Return the similarity of the exact k-th best other row of some rows.

    A float32 search names candidates and the bound on its error says whether they are all
    (`graphs.neighbors.faiss_engine`); where they are not, the row is measured against everything.

    Parameters
    ----------
    unit : ndarray of float32, shape (n, D)
        Unit rows.
    rows : ndarray of int, shape (q,)
        Which rows.
    k : int
        Which neighbour.
    zero_rows : int
        Further rows, of similarity 0 to all; with them there are at least k others.

    Returns
    -------
    ndarray of float32, shape (q,)
    """
    n, width = unit.shape
    m = min(k + 1 + SPARE, n)
    approximate, candidates = Search("cpu")(unit[rows], unit, m)
    approximate[candidates == rows[:, None]] = -np.inf
    kth = -np.sort(-approximate, axis=1)[:, min(k, m) - 1]
    possible = approximate >= (kth - 2 * error_bound(width))[:, None]
    possible[~np.isfinite(kth)] = True
    possible &= np.isfinite(approximate)
    similarities = np.full(approximate.shape, -np.inf, np.float32)
    left, column = np.nonzero(possible)
    pairs = (rows[left], candidates[left, column])
    similarities[left, column] = exact_similarities(unit, unit, pairs)
    zeros = np.zeros((len(rows), min(k, zero_rows)), np.float32)
    worst = _kth(np.concatenate((similarities, zeros), axis=1), k)
    # all candidates within reach: there may be more among the rows that are none
    open_rows = np.flatnonzero((possible == np.isfinite(approximate)).all(axis=1) & (m < n))
    for at in open_rows:
        everything = np.append(similarities_to_all(unit, int(rows[at])), zeros[at])
        worst[at] = _kth(everything[None, :], k)[0]
    return worst


def similarities_to_all(unit: NDArray[np.float32], row: int) -> NDArray[np.float32]:
    """Return the exact similarities of one unit row to all, shape (n,); ``-inf`` to itself."""
    own = unit[row].astype(np.float64)
    step = max(1, TILE_BYTES // (8 * unit.shape[1]))
    parts = [to_similarity(unit[at : at + step] @ own) for at in range(0, len(unit), step)]
    similarities = np.concatenate(parts)
    similarities[row] = -np.inf
    return similarities


def cheapest(
    measure: Callable[[int], Recall], target: float, *, first: int, widest: int
) -> tuple[int, Recall]:
    """Find the least effort whose recall surely reaches a target: doubling, then bisecting.

    Parameters
    ----------
    measure : callable
        Gives the recall of an effort.
    target : float
        What the lower end of its interval should reach.
    first, widest : int
        The least that is tried, and the most.

    Returns
    -------
    tuple of int and Recall
        The effort and its recall; those of the widest when none reaches the target.

    Examples
    --------
    >>> cheapest(lambda effort: Recall(min(1.0, effort / 40), 0.0), 0.95, first=1, widest=100)
    (38, Recall(value=0.95, error=0.0))
    """
    effort = min(first, widest)
    failing = effort - 1
    found = measure(effort)
    while found.low < target:
        if effort == widest:
            return effort, found
        failing, effort = effort, min(2 * effort, widest)
        found = measure(effort)
    while effort - failing > max(1, effort // FINENESS):
        middle = (effort + failing) // 2
        recall = measure(middle)
        if recall.low >= target:
            effort, found = middle, recall
        else:
            failing = middle
    return effort, found


def _kth(similarities: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    return -np.partition(-similarities, k - 1, axis=1)[:, k - 1]
