"""Figures of lesions: what a network loses without each of its modules."""

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from graphs.frames import require_columns

COLOURS = {
    "important": "#d55e00",
    "significant-only": "#ece133",
    "different-only": "#cc78bc",
    "least-important": "#0173b2",
    "prunable": "#029e73",
    "complete": "0.2",
    "small": "0.8",
    "other": "0.6",
}


def plot_lesions(lesions: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the accuracy that is lost without each module, beside that without random sets.

    Parameters
    ----------
    lesions : DataFrame
        The table ``lesions``.
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        A bar a module, layer by layer, coloured by kind, with its cluster below and its size
        above. The black line spans what random sets of the same size cost.

    Raises
    ------
    TableError
        When a column is missing or the table has no rows.

    Notes
    -----
    Filan et al. 2020, section 4.
    """
    needed = ["layer_index", "layer", "module", "size", "kind", "intact", "lost"]
    require_columns(lesions, "lesions", [*needed, "random_low", "random_high"])
    table = lesions.sort_values(["layer_index", "module"], kind="stable")
    ax = ax or Figure(figsize=lesions_size(table), layout="constrained").subplots()
    step = table["layer_index"].rank(method="dense").to_numpy() - 1
    places = np.arange(len(table)) + step  # a gap between layers
    lost = 100 * table["lost"].to_numpy()
    low, high = (
        100 * (table["intact"] - table[name]).to_numpy() for name in ("random_high", "random_low")
    )
    ax.bar(places, lost, width=0.8, color=[COLOURS[kind] for kind in table["kind"]])
    ax.vlines(places, low, high, color="black", linewidth=1.5)
    ax.plot(places, (low + high) / 2, "_", color="black", markersize=5)
    ax.axhline(0, color="0.4", linewidth=0.8)
    ax.set_ylim(top=1.1 * max(lost.max(), high.max(), 1.0))
    for place, size, height in zip(places, table["size"], np.maximum(lost, high), strict=True):
        _write(ax, size, (place, max(height, 0)), 3, fontsize="x-small", color="0.4")
    ax.set_xticks(places, [str(number) for number in table["module"]], fontsize="small")
    for number, layer in enumerate(table["layer"].unique()):
        below = {"xycoords": ("data", "axes fraction"), "va": "top"}
        _write(ax, layer, (places[step == number].mean(), 0), -20, **below)
    ax.set_xlabel("cluster, by layer; above the bars: neurons", labelpad=20)
    ax.set_ylabel("points of accuracy lost")
    _explain_kinds(ax, set(table["kind"]))
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(axis="x", length=0)
    return ax


def _write(ax: Axes, text: object, place: tuple[float, float], up: int, **looks: Any) -> None:
    """Write a text so many points above a place."""
    ax.annotate(str(text), place, xytext=(0, up), textcoords="offset points", ha="center", **looks)


def _explain_kinds(ax: Axes, present: set[str]) -> None:
    handles: list[Patch | Line2D] = [
        Patch(color=color, label=kind) for kind, color in COLOURS.items() if kind in present
    ]
    handles.append(Line2D([], [], color="black", linewidth=1.5, label="random sets"))
    ax.legend(
        handles=handles, frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1, 1)
    )


def lesions_size(lesions: pd.DataFrame) -> tuple[float, float]:
    """Width and height in inches that `plot_lesions` needs."""
    return max(5.5, 3.0 + 0.28 * len(lesions)), 4.0


def plot_lesion_classes(classes: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw what each module's lesion changes in the accuracy of each class.

    Parameters
    ----------
    classes : DataFrame
        The table ``lesion_classes``.
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        A row a module, a column a class; the colour is the loss in percentage points, more than
        what random sets of the same size cost on average.

    Raises
    ------
    TableError
        When a column is missing or the table has no rows.
    """
    needed = ["layer_index", "layer", "module", "class", "class_name", "accuracy", "random_mean"]
    require_columns(classes, "lesion_classes", needed)
    names = classes.drop_duplicates("class").sort_values("class")["class_name"].tolist()
    table = classes.assign(extra=100 * (classes["random_mean"] - classes["accuracy"])).pivot_table(
        index=["layer_index", "layer", "module"], columns="class", values="extra"
    )
    size = (1.8 + 0.42 * table.shape[1], 1.2 + 0.2 * len(table))
    ax = ax or Figure(figsize=size, layout="constrained").subplots()
    most = max(1.0, float(table.abs().max().max()))
    sns.heatmap(
        table.to_numpy(),
        ax=ax,
        cmap="vlag",
        vmin=-most,
        vmax=most,
        cbar_kws={"label": "points lost beyond random sets", "pad": 0.02},
        xticklabels=names,
        yticklabels=[f"{layer} / {module}" for _, layer, module in table.index],
    )
    ax.tick_params(length=0, labelsize="small")
    ax.set_xlabel("class")
    ax.set_ylabel("module: layer / cluster")
    return ax
