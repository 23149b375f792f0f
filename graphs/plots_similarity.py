"""Heat maps of pairs of layers: a tidy table in, matplotlib Axes out."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from graphs.layer_pairs import distinct_pairs

NAMED = 32  # layers whose names stand on an axis
LONGEST = 20
TITLES = {
    "modularity_difference": "difference in modularity  |ΔQ|",
    "cka": "linear CKA",
    "neighbor_overlap": "shared neighbours",
}


def plot_pairs(means: pd.DataFrame, ax: Axes | None = None, *, value: str = "cka") -> Axes:
    """Draw one measure of all pairs of layers as a heat map; bright is alike.

    Parameters
    ----------
    means : DataFrame
        From `graphs.layer_pairs.mean_pairs`.
    ax : Axes, optional
        Where to draw; a new figure without it.
    value : {"modularity_difference", "cka", "neighbor_overlap"}
        Column to draw.

    Returns
    -------
    Axes
        The first run's layers downwards, the second's to the right. Pairs without a value (NaN)
        are grey.

    Notes
    -----
    Lu et al. 2022, figure 8.
    """
    table = means.pivot_table(
        index="layer_a_index", columns="layer_b_index", values=value, dropna=False, sort=True
    )
    if ax is None:
        ax = Figure(figsize=panel_size(means), layout="constrained").subplots()
    ax.set_facecolor("0.8")
    sns.heatmap(
        table,
        ax=ax,
        square=True,
        cmap="viridis_r" if value == "modularity_difference" else "viridis",
        cbar_kws={"shrink": 0.75, "pad": 0.02},
        linewidths=0,
        **_limits(means, value),
    )
    for axis, side in ((ax.yaxis, "a"), (ax.xaxis, "b")):
        names = means.groupby(f"layer_{side}_index")[f"layer_{side}"].first()
        shown = names.tolist() if len(names) <= NAMED else [str(index) for index in names.index]
        step = -(-len(names) // NAMED)
        axis.set_ticks(
            np.arange(len(names))[::step] + 0.5, [_short(name) for name in shown[::step]]
        )
    ax.tick_params(axis="both", length=0, labelsize=8)
    ax.tick_params(axis="x", rotation=90)
    ax.tick_params(axis="y", rotation=0)
    ax.set(xlabel="", ylabel="")
    if means["run_a"].iloc[0] != means["run_b"].iloc[0]:
        ax.set(xlabel=means["run_b"].iloc[0], ylabel=means["run_a"].iloc[0])
    ax.set_title(TITLES.get(value, value), loc="left", fontsize=10)
    return ax


def panel_size(means: pd.DataFrame) -> tuple[float, float]:
    """Return width and height of one heat map in inches."""
    across, down = means["layer_b_index"].nunique(), means["layer_a_index"].nunique()
    width, height = (1.9 + 0.21 * min(max(count, 8), 40) for count in (across, down))
    return width, height


def _limits(means: pd.DataFrame, value: str) -> dict[str, float]:
    between = distinct_pairs(means)[value].dropna()
    if value == "modularity_difference":
        return {"vmin": 0.0, "vmax": (float(between.max()) if len(between) else 0.0) or 1.0}
    lowest = float(between.min()) if len(between) else 0.0
    return {"vmin": min(0.0, lowest), "vmax": 1.0}


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"
