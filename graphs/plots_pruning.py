"""Figures of pruning: a tidy table in, matplotlib Axes out."""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from graphs.agreement import mean_scores

NAMED = 40  # layers whose names stand below
SCALE = ("first to go", "last to go")


def plot_scores(
    scores: pd.DataFrame,
    removed: Mapping[str, Collection[str]],
    ax: Axes | None = None,
    *,
    removable: Collection[str],
) -> Axes:
    """Draw how criteria order the layers: dark goes first, a cross is a layer that would go.

    Parameters
    ----------
    scores : DataFrame
        The table ``criteria``; repeats are averaged.
    removed : mapping of str to collection of str
        By criterion, the layers that it would remove.
    ax : Axes, optional
        Where to draw; a new figure without it.
    removable : collection of str
        Layers that can be removed.

    Returns
    -------
    Axes
        A row a criterion, a column a layer; the colour is the rank among the removable layers.
        Layers that have to stay, or have no score, are grey.

    Raises
    ------
    TableError
        When a column is missing or the table has no rows.
    """
    means = mean_scores(scores)
    names = list(means["criterion"].unique())
    layers = means.drop_duplicates("layer_index").sort_values("layer_index")["layer"].tolist()
    known = means["score"].where(means["layer"].isin(list(removable)))
    ranks = means.assign(rank=known.groupby(means["criterion"]).transform(_shares))
    table = ranks.pivot_table(
        index="criterion", columns="layer_index", values="rank", dropna=False
    ).loc[names]
    if ax is None:
        ax = Figure(figsize=scores_size(scores), layout="constrained").subplots()
    ax.set_facecolor("0.88")
    sns.heatmap(
        table,
        ax=ax,
        vmin=0,
        vmax=1,
        cmap="viridis",
        linewidths=1,
        linecolor="white",
        cbar_kws={"ticks": [0, 1], "format": _end_of_scale, "pad": 0.02},
    )
    crosses = [
        (layers.index(layer) + 0.5, row + 0.5)
        for row, name in enumerate(names)
        for layer in sorted(set(removed.get(name, ())))
    ]
    if crosses:
        across, down = zip(*crosses, strict=True)
        for width, colour in ((3.5, "white"), (1.5, "black")):
            ax.scatter(across, down, marker="x", s=42, linewidths=width, color=colour)
    step = -(-len(layers) // NAMED)
    ax.set_xticks(np.arange(len(layers))[::step] + 0.5, layers[::step], rotation=90)
    ax.set_yticks(np.arange(len(names)) + 0.5, names, rotation=0)
    ax.tick_params(axis="both", length=0, labelsize=8)
    ax.set(xlabel="", ylabel="")
    ax.set_title("order of the layers by criterion; crosses would go", loc="left", fontsize=10)
    return ax


def scores_size(scores: pd.DataFrame) -> tuple[float, float]:
    """Return width and height of the figure in inches."""
    layers, criteria = scores["layer_index"].nunique(), scores["criterion"].nunique()
    return 3.0 + 0.32 * min(max(layers, 8), NAMED), 1.6 + 0.26 * max(criteria, 3)


def _end_of_scale(value: float, _place: int) -> str:
    return SCALE[round(value)]


def _shares(values: "pd.Series[float]") -> "pd.Series[float]":
    """Ranks as shares: 0 for the lowest of a criterion, 1 for its highest, 0.5 if all are equal."""
    count = int(values.notna().sum())
    low, high = values.rank(method="min"), values.rank(method="max")
    return ((low + high) / 2 - 1) / (count - 1) if count > 1 else values * 0 + 0.5
