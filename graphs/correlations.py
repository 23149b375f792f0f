"""Rank correlation of paired values."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

FEWEST = 3  # pairs


def rank_correlation(
    left: ArrayLike, right: ArrayLike, *, kind: Literal["spearman", "kendall"] = "spearman"
) -> float:
    """Correlate two columns by rank, over the pairs of which both values are known.

    Parameters
    ----------
    left, right : array_like of float, shape (n,)
        Paired values; NaN is unknown.
    kind : {'spearman', 'kendall'}
        Spearman's rho, or Kendall's tau-b, by SciPy.

    Returns
    -------
    float
        From −1 to 1; NaN for fewer than three known pairs, and where one side is constant.

    Examples
    --------
    >>> rank_correlation([1, 2, 3, np.nan], [0.1, 0.4, 0.5, 0])
    1.0
    >>> rank_correlation([1, 2, 3], [5, 5, 5])
    nan
    """
    pairs = np.column_stack([np.asarray(left, np.float64), np.asarray(right, np.float64)])
    first, second = pairs[~np.isnan(pairs).any(axis=1)].T
    if len(first) < FEWEST or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    found = stats.spearmanr if kind == "spearman" else stats.kendalltau
    # SciPy leaves 0.9999999999999999 where ranks are the same
    return round(float(found(first, second).statistic), 12)
