"""Whether curves have the same shape: rank correlation and distance between them."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from graphs.correlations import rank_correlation
from graphs.frames import require_columns


def compare_curves(curves: pd.DataFrame) -> pd.DataFrame:
    """Compare the mean curves of settings, those of the same varied quantity with each other.

    Parameters
    ----------
    curves : DataFrame
        The table `layers` of several settings, with the columns ``varied`` (what was varied) and
        ``setting`` (its value).

    Returns
    -------
    DataFrame
        One row a pair of settings: ``varied, setting_a, setting_b``; ``n_layers`` that both have,
        by name; ``spearman`` and ``kendall`` over these (NaN for fewer than three, or where a
        curve is constant); ``largest_difference`` of Q, |Q_a − Q_b|, and its ``layer``. Pairs of
        which no layer is the same are left out.

    Raises
    ------
    TableError
        When a column is missing or there are no rows.

    Notes
    -----
    Spearman's rho and Kendall's tau-b, by SciPy.

    Examples
    --------
    >>> one = pd.DataFrame({"layer": list("abc"), "layer_index": range(3), "varied": "k"})
    >>> both = [
    ...     one.assign(setting="3", modularity=[0.1, 0.3, 0.2]),
    ...     one.assign(setting="5", modularity=[0.0, 0.3, 0.1]),
    ... ]
    >>> row = compare_curves(pd.concat(both)).iloc[0]
    >>> float(row["spearman"].round(6)), float(row["largest_difference"].round(6)), row["layer"]
    (1.0, 0.1, 'a')
    """
    require_columns(curves, "layers", ["varied", "setting", "layer", "modularity"])
    return pd.DataFrame(list(_pairs(curves)), columns=list(_NAMES)).astype(_NAMES)


_NAMES = {
    "varied": "string",
    "setting_a": "string",
    "setting_b": "string",
    "n_layers": "int32",
    "spearman": "float64",
    "kendall": "float64",
    "largest_difference": "float64",
    "layer": "string",
}


def _pairs(curves: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for varied, rows in curves.groupby("varied", sort=False):
        means = rows.groupby(["setting", "layer"], sort=False)["modularity"].mean()
        for a, b in combinations(rows["setting"].unique(), 2):
            both = pd.concat([means[a], means[b]], axis=1, join="inner").to_numpy()
            if not len(both):
                continue
            left, right = both.T
            names = means[a].index.intersection(means[b].index, sort=False)
            worst = int(np.argmax(np.abs(left - right)))
            yield {
                "varied": varied,
                "setting_a": a,
                "setting_b": b,
                "n_layers": len(both),
                "spearman": rank_correlation(left, right),
                "kendall": rank_correlation(left, right, kind="kendall"),
                "largest_difference": abs(left[worst] - right[worst]),
                "layer": names[worst],
            }
