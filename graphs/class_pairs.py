"""Which classes come apart, and where: read from the table ``class_pairs``."""

from typing import Any

import numpy as np
import pandas as pd

from graphs.correlations import rank_correlation
from graphs.frames import require_columns

# linked less than half as often as links that ignore classes would, and not by chance
APART = 0.5
SURE = -2.0


def pair_curves(class_pairs: pd.DataFrame) -> pd.DataFrame:
    """Follow every pair of different classes through depth, repeats taken together.

    Parameters
    ----------
    class_pairs : DataFrame
        The table ``class_pairs`` of one variant.

    Returns
    -------
    DataFrame
        One row a pair and layer, by pair and depth: ``class_a, class_b, pair`` (``cat and dog``),
        ``layer_index, layer, excess`` (mean over the repeats), ``z`` (their sum over √repeats) and
        ``apart``.

    Raises
    ------
    TableError
        When a column is missing or the table has no rows.

    Notes
    -----
    Two classes are *apart* in a layer where they are linked less than half as often as by chance
    (excess < 0.5), and that is no accident of the samples (z < −2). z of several repeats are put
    together as by Stouffer et al. 1949.
    """
    wanted = ["repeat", "class_a", "class_a_name", "class_b", "class_b_name"]
    require_columns(class_pairs, "class_pairs", [*wanted, "layer_index", "layer", "excess", "z"])
    pairs = class_pairs.loc[class_pairs["class_a"] != class_pairs["class_b"]]
    pairs = pairs.assign(pair=pairs["class_a_name"] + " and " + pairs["class_b_name"])
    names = pairs.groupby(["class_a", "class_b"], sort=True)[["pair"]].first()
    layers = class_pairs.groupby("layer_index", sort=True)[["layer"]].first()
    repeats = class_pairs["repeat"].nunique()
    found = (
        pairs.groupby(["class_a", "class_b", "layer_index"])
        .agg(sum=("excess", "sum"), z=("z", "sum"), known=("z", "count"))
        # of many classes, pairs without a link have no row
        .reindex(_every(names.index, layers.index), fill_value=0)
        .reset_index()
        .join(names, on=["class_a", "class_b"])
        .join(layers, on="layer_index")
        .sort_values(["class_a", "class_b", "layer_index"], ignore_index=True)
    )
    found["excess"] = found["sum"] / repeats
    found["z"] = (found["z"] / np.sqrt(found["known"])).where(found["known"] > 0)
    found["apart"] = (found["excess"] < APART) & (found["z"] < SURE)
    return found[["class_a", "class_b", "pair", "layer_index", "layer", "excess", "z", "apart"]]


def _every(pairs: "pd.Index[Any]", layers: "pd.Index[Any]") -> pd.MultiIndex:
    """Every pair in every layer."""
    rows = np.repeat(np.arange(len(pairs)), len(layers))
    first, second = (pairs.get_level_values(level)[rows] for level in (0, 1))
    names = ["class_a", "class_b", "layer_index"]
    return pd.MultiIndex.from_arrays([first, second, np.tile(layers, len(pairs))], names=names)


def separation_table(class_pairs: pd.DataFrame) -> pd.DataFrame:
    """Find for every pair of classes the layer from which on they stay apart.

    Parameters
    ----------
    class_pairs : DataFrame
        The table ``class_pairs`` of one variant.

    Returns
    -------
    DataFrame
        One row a pair, those that come apart last first: ``class_a, class_b, pair``,
        ``separates_index, separates`` (missing where they are not apart in the last layer),
        ``excess_before`` (in the layer before that) and ``excess_last`` and ``z_last`` (in the last
        layer).

    Raises
    ------
    TableError
        As in `pair_curves`.

    Examples
    --------
    >>> table = pd.DataFrame({"layer_index": [0, 1, 2], "layer": ["a", "b", "c"], "repeat": 0})
    >>> table = table.assign(class_a=0, class_b=1, class_a_name="cat", class_b_name="dog")
    >>> found = separation_table(table.assign(excess=[0.4, 1.5, 0.2], z=[-3.0, 2.0, -5.0]))
    >>> found[["pair", "separates", "excess_before", "excess_last"]].values.tolist()
    [['cat and dog', 'c', 1.5, 0.2]]
    """
    curves = pair_curves(class_pairs)
    layers = curves.drop_duplicates("layer_index")[["layer_index", "layer"]]
    depth = max(1, len(layers))
    apart, excess, z = (
        curves[column].to_numpy().reshape(-1, depth) for column in ("apart", "excess", "z")
    )
    # the layer after the last one in which a pair is not apart
    at = np.where(~apart.all(axis=1), depth - np.argmax(~apart[:, ::-1], axis=1), 0)
    rows, stays = np.arange(len(at)), at < depth
    place = np.minimum(at, depth - 1)
    table = curves.iloc[::depth][["class_a", "class_b", "pair"]].reset_index(drop=True)
    table["separates_index"] = np.where(stays, layers["layer_index"].to_numpy()[place], np.nan)
    names = [*layers["layer"], None]  # None where a pair does not stay apart
    table["separates"] = pd.Series([names[layer] for layer in at], dtype=object)
    table["excess_before"] = np.where(at > 0, excess[rows, at - 1], np.nan)
    table["excess_last"], table["z_last"] = excess[:, -1], z[:, -1]
    # a pair that never comes apart is the last of all
    order = np.lexsort((-table["excess_last"], -at))
    return table.iloc[order].reset_index(drop=True)


def confusion_pairs(samples: pd.DataFrame) -> pd.DataFrame:
    """Count how often the network takes one class for another, in either direction.

    Parameters
    ----------
    samples : DataFrame
        The table ``samples`` of one variant.

    Returns
    -------
    DataFrame
        ``class_a, class_b`` (a < b) and ``confused``, the most confused first; no rows where there
        are no predictions.

    Raises
    ------
    TableError
        When a column is missing or the table has no rows.
    """
    require_columns(samples, "samples", ["label", "predicted"])
    known = samples.loc[samples["predicted"].notna(), ["label", "predicted"]].astype(int)
    wrong = known.loc[known["label"] != known["predicted"]]
    counted = pd.DataFrame(
        {"class_a": wrong.min(axis=1), "class_b": wrong.max(axis=1)}
    ).value_counts(sort=False)
    return (
        counted.rename("confused")
        .reset_index()
        .sort_values("confused", ascending=False, kind="stable")
        .reset_index(drop=True)
    )


def confusion_agreement(separation: pd.DataFrame, confused: pd.DataFrame) -> float:
    """Correlate links between classes in the last layer with the network's confusions, by rank.

    Parameters
    ----------
    separation, confused : DataFrame
        From `separation_table` and `confusion_pairs`.

    Returns
    -------
    float
        Spearman's rho over all pairs of classes; NaN where one side is constant.
    """
    both = separation.merge(confused, on=["class_a", "class_b"], how="left")
    return rank_correlation(both["excess_last"], both["confused"].fillna(0))
