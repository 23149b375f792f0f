"""How Q moves with depth, and with accuracy over the epochs of a training."""

import numpy as np
import pandas as pd
from scipy import stats

from graphs.correlations import rank_correlation
from graphs.frames import require_columns


def describe_curves(layers: pd.DataFrame) -> pd.DataFrame:
    """Put the mean curve of every variant into a few numbers: how far it spans and rises.

    Parameters
    ----------
    layers : DataFrame
        The table `layers` of any number of variants.

    Returns
    -------
    DataFrame
        One row a variant, in the order of the table: ``variant``; ``range``, max − min of the
        mean over the repeats; ``slope``, by least squares, of Q against relative depth (0 is the
        first layer, 1 the last); ``spearman`` with depth; ``first_q`` and ``last_q``. Slope and
        correlation are NaN for fewer than three layers, the correlation also for a constant
        curve.

    Raises
    ------
    TableError
        When a column is missing or the table has no rows.

    Examples
    --------
    >>> curve = {"variant": "a", "layer_index": [0, 1, 2], "modularity": [0.1, 0.3, 0.5]}
    >>> row = describe_curves(pd.DataFrame(curve)).iloc[0]
    >>> [round(float(row[name]), 6) for name in ("range", "slope", "spearman")]
    [0.4, 0.4, 1.0]
    """
    require_columns(layers, "layers", ["variant", "layer_index", "modularity"])
    rows = []
    for variant, curves in layers.groupby("variant", sort=False):
        mean = curves.groupby("layer_index", sort=True)["modularity"].mean().to_numpy()
        depth = np.linspace(0, 1, len(mean))
        rows.append(
            {
                "variant": str(variant),
                "range": float(np.ptp(mean)),
                "slope": float(stats.linregress(depth, mean).slope) if len(mean) > 2 else np.nan,
                "spearman": rank_correlation(depth, mean),
                "first_q": float(mean[0]),
                "last_q": float(mean[-1]),
            }
        )
    return pd.DataFrame(rows)


def follow_accuracy(epochs: pd.DataFrame) -> pd.DataFrame:
    """Say of every layer how its Q moves with accuracy over the epochs.

    Parameters
    ----------
    epochs : DataFrame
        One row an epoch and layer: ``epoch, accuracy, layer_index, layer, modularity``.

    Returns
    -------
    DataFrame
        One row a layer, by depth: ``layer_index, layer``; ``spearman``, the rank correlation of Q
        with accuracy over the epochs where it is known (NaN for fewer than three of these, or where
        one of them is constant); ``moved``, max − min of Q over the epochs.

    Raises
    ------
    TableError
        When a column is missing or the table has no rows.

    Examples
    --------
    >>> column = {"layer_index": 0, "layer": "a", "modularity": [0.1, 0.4, 0.3]}
    >>> table = pd.DataFrame({"epoch": range(3), "accuracy": [0.1, 0.9, 0.8], **column})
    >>> follow_accuracy(table)["spearman"].round(6).tolist()
    [1.0]
    """
    require_columns(epochs, "epochs", ["epoch", "accuracy", "layer_index", "layer", "modularity"])
    rows = []
    for index, layer in epochs.groupby("layer_index", sort=True):
        q = layer["modularity"].to_numpy(np.float64)
        rows.append(
            {
                "layer_index": index,
                "layer": layer["layer"].iloc[0],
                "spearman": rank_correlation(layer["accuracy"].to_numpy(np.float64), q),
                "moved": float(np.ptp(q)),
            }
        )
    return pd.DataFrame(rows)
