"""Whether criteria agree on which layers of a network are worth least."""

from collections.abc import Collection, Mapping
from itertools import combinations

import pandas as pd

from graphs.correlations import rank_correlation
from graphs.errors import TableError
from graphs.frames import require_columns

_SCORES = ["criterion", "layer_index", "layer", "score"]


def mean_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """Average the scores of every layer over the repeats.

    Parameters
    ----------
    scores : DataFrame
        The table ``criteria``: ``criterion, repeat, layer_index, layer, score``.

    Returns
    -------
    DataFrame
        ``criterion, layer_index, layer, score``, criteria in the order of the table, layers in
        that of depth. NaN where no repeat has a score.

    Raises
    ------
    TableError
        When a column is missing or the table has no rows.

    Examples
    --------
    >>> rows = [("tail", 0, 0, "stem", 1.0), ("tail", 1, 0, "stem", 3.0)]
    >>> names = ["criterion", "repeat", "layer_index", "layer", "score"]
    >>> mean_scores(pd.DataFrame(rows, columns=names))["score"].tolist()
    [2.0]
    """
    require_columns(scores, "criteria", _SCORES)
    keys = ["criterion", "layer_index", "layer"]
    order = {name: place for place, name in enumerate(scores["criterion"].unique())}
    means = scores.groupby(keys, as_index=False, sort=False)["score"].mean()
    places = means["criterion"].map(order)
    ordered: pd.DataFrame = means.assign(place=places).sort_values(
        ["place", "layer_index"], kind="stable", ignore_index=True
    )
    return ordered.drop(columns="place")


def criteria_agreement(
    scores: pd.DataFrame,
    removed: Mapping[str, Collection[str]],
    *,
    removable: Collection[str],
) -> pd.DataFrame:
    """Compare all pairs of criteria: the order of the layers, and the layers that would go.

    Parameters
    ----------
    scores : DataFrame
        The table ``criteria``, or its `mean_scores`.
    removed : mapping of str to collection of str
        By criterion, the layers that it would remove.
    removable : collection of str
        Layers that can be removed: others have no part in the order.

    Returns
    -------
    DataFrame
        The table ``agreement``, one row a pair: ``criterion_a, criterion_b``; ``n_layers``
        (removable ones that both score); ``kendall`` (tau-b of the scores over these, NaN for
        fewer than three); ``n_removed_a, n_removed_b, n_removed_both``; ``jaccard`` (the overlap:
        layers that both remove, of those that either removes; 1 where neither removes any).

    Raises
    ------
    TableError
        When a column is missing, the table has no rows, or it is not said what a criterion
        removes.

    Examples
    --------
    >>> rows = [(name, place, layer, sign * place)
    ...         for name, sign in (("up", 1.0), ("down", -1.0))
    ...         for place, layer in enumerate("abcd")]
    >>> scores = pd.DataFrame(rows, columns=["criterion", "layer_index", "layer", "score"])
    >>> found = criteria_agreement(scores, {"up": "ab", "down": "bcd"}, removable="abcd")
    >>> found[["kendall", "jaccard"]].values.tolist()
    [[-1.0, 0.25]]
    """
    means = mean_scores(scores)
    names = list(means["criterion"].unique())
    missing = [name for name in names if name not in removed]
    if missing:
        raise TableError(
            f"nothing says which layers {missing[0]!r} removes", "give the layers, or none"
        )
    table = means.pivot_table(
        index=["layer_index", "layer"], columns="criterion", values="score", dropna=False
    )
    table = table[table.index.get_level_values("layer").isin(list(removable))]
    rows = []
    for first, second in combinations(names, 2):
        both = table[[first, second]].dropna()
        one, other = set(removed[first]), set(removed[second])
        rows.append(
            {
                "criterion_a": first,
                "criterion_b": second,
                "n_layers": len(both),
                "kendall": rank_correlation(both[first], both[second], kind="kendall"),
                "n_removed_a": len(one),
                "n_removed_b": len(other),
                "n_removed_both": len(one & other),
                "jaccard": len(one & other) / len(one | other) if one | other else 1.0,
            }
        )
    counts = ["n_layers", "n_removed_a", "n_removed_b", "n_removed_both"]
    columns = ["criterion_a", "criterion_b", "n_layers", "kendall", *counts[1:], "jaccard"]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(counts, "int32"))
