"""Curves of networks of different depth in one figure, drops and plateaus marked."""

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from graphs.frames import require_columns
from graphs.published import SOURCE

MARKERS = {"": "o", "plateau": "o", "drop": "v"}
MEANINGS = {"drop": "Q drops", "plateau": "plateau: Q moves by 0.03 at most"}


def plot_depths(
    curves: pd.DataFrame, ax: Axes, *, published: dict[str, pd.DataFrame] | None = None
) -> Axes:
    """Draw Q of several runs against relative depth: first layer 0, last layer 1.

    Parameters
    ----------
    curves : DataFrame
        The table `compare`.
    ax : Axes
        Where to draw.
    published : dict of str to DataFrame, optional
        Published curves by the name of the run that they belong to, from
        `graphs.published.published_curve`: drawn behind, wide and pale, in the run's colour.

    Returns
    -------
    Axes
        Dots are layers: triangles where Q drops, hollow on a plateau. The bands are one standard
        deviation over the repeats.

    Raises
    ------
    TableError
        When a column is missing or the table has no rows.
    """
    require_columns(curves, "compare", ["run", "depth", "modularity", "sd", "mark"])
    runs = list(curves["run"].unique())
    palette = sns.color_palette("colorblind" if len(runs) <= 10 else "viridis", len(runs))
    published = published or {}
    for color, run in zip(palette, runs, strict=True):
        if run in published:
            _draw_published(published[run], ax, color=color)
        curve = curves[curves["run"] == run]
        low, high = curve["modularity"] - curve["sd"], curve["modularity"] + curve["sd"]
        ax.fill_between(curve["depth"], low, high, color=color, alpha=0.15, linewidth=0)
        ax.plot(curve["depth"], curve["modularity"], color=color, linewidth=1.5, label=run)
        for mark, marker in MARKERS.items():
            points = curve[curve["mark"] == mark]
            ax.plot(
                points["depth"],
                points["modularity"],
                marker,
                color=color,
                markerfacecolor="white" if mark == "plateau" else color,
                markersize=8 if mark == "drop" else 5,
            )
    ax.set_xlabel("relative depth (first layer 0, last layer 1)")
    ax.set_ylabel("modularity Q of the classes")
    ax.grid(axis="y", color="0.9", linewidth=0.8)
    ax.set_axisbelow(True)
    sns.despine(ax=ax)
    handles, labels = ax.get_legend_handles_labels()
    for mark in [mark for mark in MEANINGS if (curves["mark"] == mark).any()]:
        handles.append(_sign(mark))
        labels.append(MEANINGS[mark])
    ax.legend(handles, labels, frameon=False, loc="best")
    return ax


def _draw_published(curve: pd.DataFrame, ax: Axes, *, color: tuple[float, float, float]) -> None:
    for (model, dataset), rows in curve.groupby(["model", "dataset"], sort=False):
        ax.plot(
            (rows["x"] - rows["x"].min()) / max(1, rows["x"].max() - rows["x"].min()),
            rows["Q"],
            color=color,
            alpha=0.35,
            linewidth=5,
            solid_capstyle="round",
            zorder=1,
            label=f"{model}, {dataset} ({SOURCE})",
        )


def _sign(mark: str) -> Line2D:
    return Line2D(
        [],
        [],
        color="0.3",
        linestyle="none",
        marker=MARKERS[mark],
        markerfacecolor="white" if mark == "plateau" else "0.3",
        markersize=8 if mark == "drop" else 5,
    )
