"""The figure of pairs of classes: which are linked, layer by layer."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from graphs.class_pairs import APART, SURE, pair_curves, separation_table
from graphs.errors import TableError
from graphs.frames import require_one
from graphs.plot_axes import label_cells, new_axes, shorten

SHOWN = 20
_REACH = 3  # powers of two of the colour scale


def plot_class_pairs(
    class_pairs: pd.DataFrame, ax: Axes | None = None, *, shown: int = SHOWN
) -> Axes:
    """Draw how far pairs of classes are linked, against depth: those that come apart last.

    Parameters
    ----------
    class_pairs : DataFrame
        The table ``class_pairs`` of one variant.
    ax : Axes, optional
        Where to draw; a new figure without it.
    shown : int
        Pairs at most.

    Returns
    -------
    Axes
        One row a pair, one column a layer; white is what chance gives, red more, blue less, on a
        scale of powers of two from 1/8 to 8. A dot: apart (`graphs.class_pairs.pair_curves`).

    Raises
    ------
    TableError
        When a column is missing, the table has no pair of different classes, or more than one
        variant.
    """
    curves = pair_curves(class_pairs)
    require_one(class_pairs, "class_pairs", ["variant"])
    if curves.empty:
        raise TableError("the table class_pairs has no pair of different classes", "use two")
    table = separation_table(class_pairs)
    order = table.head(shown)
    keys = ["class_a", "class_b"]  # classes may have one name
    excess, apart = (
        curves.pivot_table(index=keys, columns="layer_index", values=column).loc[
            pd.MultiIndex.from_frame(order[keys])
        ]
        for column in ("excess", "apart")
    )
    if ax is None:
        rows, columns = excess.shape
        width = float(np.clip(4 + 0.45 * columns, 6, 13))
        ax = new_axes(width=width, height=1.6 + 0.28 * rows)
    lowest = 2.0**-_REACH
    sns.heatmap(
        np.log2(excess.clip(lower=lowest)),
        ax=ax,
        cmap="vlag",
        vmin=-_REACH,
        vmax=_REACH,
        linewidths=0.5,
        cbar_kws={"label": "links between the two classes, times chance"},
        yticklabels=[shorten(pair) for pair in order["pair"]],
    )
    _label_bar(ax, highest=float(excess.to_numpy().max()))
    rows_apart, at = np.nonzero(apart.to_numpy(dtype=bool))
    ax.scatter(at + 0.5, rows_apart + 0.5, s=9, color="0.2", linewidths=0)
    label_cells(ax, class_pairs)
    ax.set_xlabel(
        f"{ax.get_xlabel()}  (dot: apart, less than {APART:g} times chance and z < {SURE:g})"
    )
    if len(order) < len(table):
        ax.set_ylabel(f"{len(order)} of {len(table):,} pairs: those that come apart last")
    else:
        ax.set_ylabel("")
    return ax


def _label_bar(ax: Axes, *, highest: float) -> None:
    """Write multiples of chance beside the colours; the bar ends where the values do."""
    if bar := ax.collections[0].colorbar:
        ticks = range(-_REACH, _REACH + 1)
        bar.set_ticks(list(ticks), labels=[f"1/{2**-t}" if t < 0 else f"{2**t}" for t in ticks])
        # white is 1 in the middle of the palette
        bar.ax.set_ylim(-_REACH, min(np.ceil(np.log2(max(2.0, highest))), _REACH))
