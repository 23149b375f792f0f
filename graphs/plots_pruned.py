"""Figures of pruned networks: what criteria come to, and what single layers are worth."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from graphs.correlations import rank_correlation
from graphs.frames import require_columns

COLOUR = "#0173b2"
NAMED = 12  # layers that are named in the figure


def plot_networks(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the accuracy of each criterion's network, after surgery and after tuning.

    Parameters
    ----------
    table : DataFrame
        The table ``prune_compare``, the whole network in its first row.
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        A row a network, the best on top: dots with 95 % intervals after tuning, rings after
        surgery. The band is the interval of the whole network, tuned alike.

    Raises
    ------
    TableError
        When a column is missing or the table has no rows.
    """
    needed = ["criterion", "surgery", "tuned", "tuned_low", "tuned_high", "original"]
    require_columns(table, "prune_compare", needed)
    ax = ax or Figure(figsize=(6, 4), layout="constrained").subplots()
    whole, cut = table.iloc[0], table.iloc[1:].sort_values("tuned", kind="stable")
    rows = np.arange(len(cut))
    ax.axvspan(
        whole["tuned_low"],
        whole["tuned_high"],
        color="0.9",
        linewidth=0,
        zorder=0,
        label="its 95 % interval",
    )
    ax.axvline(whole["tuned"], color="0.6", linewidth=1, zorder=1, label="whole network, tuned")
    ax.axvline(
        whole["original"], color="0.4", linewidth=1, linestyle=":", zorder=1, label="original"
    )
    spread = [cut["tuned"] - cut["tuned_low"], cut["tuned_high"] - cut["tuned"]]
    ax.errorbar(cut["tuned"], rows, xerr=np.array(spread), fmt="o", color=COLOUR, label="tuned")
    ax.plot(cut["surgery"], rows, "o", color=COLOUR, markerfacecolor="white", label="after surgery")
    ax.set_yticks(rows, cut["criterion"].tolist())
    ax.set_ylim(-0.6, len(cut) - 0.4)
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.set_xlabel("accuracy on the test images")
    ax.grid(axis="x", color="0.92")
    ax.set_axisbelow(True)
    ax.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize="small")
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    return ax


def plot_single_layers(single: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw what each layer adds to Q against the accuracy that is lost without it.

    Parameters
    ----------
    single : DataFrame
        The table ``single_layers``.
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        A dot a layer; bars are one standard deviation over the repeats, and the 95 % interval of
        the accuracy. The title has Spearman's rho.

    Raises
    ------
    TableError
        When a column is missing or the table has no rows.

    Notes
    -----
    Lu et al. 2022, figure 10.
    """
    needed = ["layer", "gain", "gain_sd", "accuracy", "accuracy_low", "accuracy_high"]
    require_columns(single, "single_layers", [*needed, "accuracy_lost"])
    ax = ax or Figure(figsize=(5, 4), layout="constrained").subplots()
    below = single["accuracy_high"] - single["accuracy"]
    above = single["accuracy"] - single["accuracy_low"]
    ax.errorbar(
        single["gain"],
        single["accuracy_lost"],
        xerr=single["gain_sd"].fillna(0),
        yerr=np.array([below, above]),
        fmt="o",
        color=COLOUR,
        ecolor="0.7",
        elinewidth=1,
    )
    if len(single) <= NAMED:
        for _, row in single.iterrows():
            ax.annotate(
                row["layer"],
                (row["gain"], row["accuracy_lost"]),
                xytext=(5, 4),
                textcoords="offset points",
                fontsize="x-small",
                color="0.3",
            )
    ax.axvline(0, color="0.85", linewidth=1, zorder=0)
    ax.axhline(0, color="0.85", linewidth=1, zorder=0)
    ax.yaxis.set_major_formatter(PercentFormatter(1, symbol=""))
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.set_xlabel("what the layer adds to Q")
    ax.set_ylabel("points of accuracy lost without it")
    rho = rank_correlation(single["gain"], single["accuracy_lost"])
    known = "" if np.isnan(rho) else f": rho = {rho:.2f}"
    ax.set_title(f"one layer at a time{known}", loc="left", fontsize="medium")
    ax.spines[["top", "right"]].set_visible(False)
    return ax
