"""Rank correlation of paired values."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from graphs.errors import GraphError

FEWEST = 3  # pairs
# below this, pairs that have nothing to do with each other reach 0.8 too often: in 1 of 6 orders of
# 3 or 4, in 1 of 15 of 5, in 1 of 34 of 6
FEW = 6


def rank_correlation(
    left: ArrayLike, right: ArrayLike, *, kind: Literal["spearman", "kendall"] = "spearman"
) -> float:
    """Correlate two columns by rank, over the pairs of which both values are known.

    Parameters
    ----------
    left, right : array_like of float, shape (n,)
        Paired values; NaN and infinite values are unknown.
    kind : {'spearman', 'kendall'}
        Spearman's rho, or Kendall's tau-b, by SciPy.

    Returns
    -------
    float
        From −1 to 1; NaN for fewer than three known pairs, and where one side is constant.

    Raises
    ------
    GraphError
        When the two are no columns of the same length.

    Examples
    --------
    >>> rank_correlation([1, 2, 3, np.nan], [0.1, 0.4, 0.5, 0])
    1.0
    >>> rank_correlation([1, 2, 3], [5, 5, 5])
    nan
    """
    first, second = np.asarray(left, np.float64), np.asarray(right, np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        raise GraphError(
            f"values of shapes {first.shape} and {second.shape} are no pairs",
            "give two columns of the same length",
        )
    known = np.isfinite(first) & np.isfinite(second)
    first, second = first[known], second[known]
    if len(first) < FEWEST or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    found = stats.spearmanr if kind == "spearman" else stats.kendalltau
    # SciPy leaves 0.9999999999999999 where ranks are the same
    return round(float(found(first, second).statistic), 12)


def caution(count: int) -> str:
    """Return what to add to a rank correlation over few pairs; nothing where they are enough.

    Examples
    --------
    >>> caution(4), caution(6)
    (', too few to rule out chance', '')
    """
    return ", too few to rule out chance" if count < FEW else ""


def correlation_interval(
    left: ArrayLike, right: ArrayLike, *, level: float = 0.95, draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Interval of Spearman's rho by the bootstrap over pairs.

    Parameters
    ----------
    left, right : array_like of float, shape (n,)
        Paired values; NaN is unknown.
    level : float
        Share of the draws between the two ends.
    draws : int
        How often the pairs are drawn again, with replacement.
    seed : int
        Of the draws.

    Returns
    -------
    tuple of float
        Percentiles over the draws that have a rho; NaN where the pairs have none.

    Notes
    -----
    Efron 1979. With few pairs it is too narrow.

    Examples
    --------
    >>> correlation_interval([1, 2, 3, 4, 5, 6], [2, 4, 6, 8, 10, 12])
    (1.0, 1.0)
    """
    if np.isnan(rank_correlation(left, right)):
        return float("nan"), float("nan")
    pairs = np.column_stack([np.asarray(left, np.float64), np.asarray(right, np.float64)])
    generator = np.random.default_rng(seed)
    found = [
        rank_correlation(*pairs[generator.integers(len(pairs), size=len(pairs))].T)
        for _ in range(draws)
    ]
    tail = (1 - level) / 2
    low, high = np.nanquantile(found, [tail, 1 - tail])
    return float(low), float(high)
