"""Figures of trained against untrained: Q over the epochs, and untrained networks as a band."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from graphs.frames import require_columns
from graphs.plots import plot_curve
from graphs.published import Published

MARKED_EPOCHS = 40  # dots on the lines up to here
NAMED_LAYERS = 20  # every layer is named beside the colours up to here


def plot_epochs(epochs: pd.DataFrame, ax: Axes, *, published: Published | None = None) -> Axes:
    """Draw Q of every layer against the epoch, coloured by depth.

    Parameters
    ----------
    epochs : DataFrame
        The table `dynamics`.
    ax : Axes
        Where to draw; a bar with the layers' names takes some of its room.
    published : Published, optional
        Layers ``L1``, ``L5``, ... of a published training: dotted, as far as the epochs go, in the
        colour of their relative depth.

    Returns
    -------
    Axes
        A line a layer, from dark (first) to bright (last).

    Raises
    ------
    TableError
        When a column is missing or the table has no rows.

    Notes
    -----
    The training epochs of Lu et al. 2022, turned: there a line is an epoch, here a layer.
    """
    require_columns(epochs, "dynamics", ["epoch", "layer_index", "layer", "modularity"])
    names = epochs.groupby("layer_index", sort=True)["layer"].first()
    # one shade more than is used: the brightest yellow is hard to see on white
    colors = ListedColormap(sns.color_palette("viridis", len(names) + 1)[: len(names)])
    for place, (_, layer) in enumerate(epochs.groupby("layer_index", sort=True)):
        ax.plot(
            layer["epoch"],
            layer["modularity"],
            color=colors(place),
            marker="o" if layer["epoch"].nunique() <= MARKED_EPOCHS else None,
            markersize=4,
        )
    _style(ax, y="modularity Q of the classes")
    if published is not None:
        _draw_published(published, ax, colors, until=epochs["epoch"].max())
    shades = ScalarMappable(BoundaryNorm(np.arange(len(names) + 1) - 0.5, len(names)), colors)
    ticks = np.arange(0, len(names), -(-len(names) // NAMED_LAYERS))
    bar = ax.get_figure().colorbar(shades, ax=ax, ticks=ticks, pad=0.02, aspect=30)  # type: ignore[union-attr]  # axes have a figure
    bar.ax.set_yticklabels(names.iloc[ticks].tolist())
    bar.ax.minorticks_off()
    bar.ax.tick_params(length=0, labelsize="small")
    bar.outline.set_visible(False)
    return ax


def plot_accuracy(epochs: pd.DataFrame, ax: Axes, *, published: Published | None = None) -> Axes:
    """Draw accuracy against the epoch.

    Parameters
    ----------
    epochs : DataFrame
        The table `dynamics`.
    ax : Axes
        Where to draw.
    published : Published, optional
        With the accuracy of a published training (``Acc``).

    Returns
    -------
    Axes
        One line of the samples, and a dashed one of the whole test split where that is known.

    Raises
    ------
    TableError
        When a column is missing or the table has no rows.
    """
    columns = {"accuracy": "these samples", "test_accuracy": "test split"}
    require_columns(epochs, "dynamics", ["epoch", *columns])
    once = epochs.drop_duplicates("epoch")
    for (column, label), dashes in zip(columns.items(), ("-", "--"), strict=True):
        if once[column].notna().any():
            ax.plot(
                once["epoch"],
                once[column],
                dashes,
                color="black" if dashes == "-" else "0.55",
                marker="o" if len(once) <= MARKED_EPOCHS else None,
                markersize=4,
                label=label,
            )
    if published is not None:
        rows = published.rows[published.rows["x"] <= once["epoch"].max()]
        accuracy = rows[rows["setting"] == "Acc"]
        ax.plot(accuracy["x"], accuracy["Q"], ":", color="0.4", label=published.title)
    _style(ax, y="accuracy")
    ax.set_ylim(0, 1)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(frameon=False, loc="lower right")
    return ax


def plot_untrained(layers: pd.DataFrame, ax: Axes, *, trained: str = "trained") -> Axes:
    """Draw a trained network's curve over those of untrained ones, in grey.

    Parameters
    ----------
    layers : DataFrame
        The table `layers` of all variants; all but `trained` are untrained.
    ax : Axes
        Where to draw.
    trained : str
        Name of the trained variant.

    Returns
    -------
    Axes
        A thin grey line an untrained network, and the band mean ± standard deviation of these.

    Raises
    ------
    TableError
        When a column is missing or the table has no rows.
    """
    columns = ["variant", "repeat", "layer_index", "layer", "modularity"]
    require_columns(layers, "layers", columns)
    others = layers[layers["variant"] != trained]
    curves = others.pivot_table(index="layer_index", columns="variant", values="modularity")
    mean, sd = curves.mean(axis=1), curves.std(axis=1).fillna(0)
    ax.fill_between(curves.index, mean - sd, mean + sd, color="0.85", linewidth=0, zorder=1)
    ax.plot(curves.index, curves, color="0.6", linewidth=0.8, zorder=1)
    # without what permuted labels give, which would be grey, too
    own = layers.loc[layers["variant"] == trained, columns]
    plot_curve(own, ax)
    line = next(line for line in ax.get_lines() if line.get_label() == trained)
    grey = Patch(facecolor="0.85", edgecolor="0.6")
    several = len(own["repeat"].drop_duplicates()) > 1
    spread = "mean ± SD over the repeats" if several else "one repeat"
    labels = [f"{trained}, {spread}", f"{curves.shape[1]} untrained, mean ± SD"]
    ax.legend([line, grey], labels, frameon=False, loc="best")
    return ax


def _draw_published(
    published: Published, ax: Axes, colors: ListedColormap, *, until: float
) -> None:
    rows = published.rows[published.rows["x"] <= until]
    layers = rows[rows["setting"].str.fullmatch(r"L\d+")]
    names = sorted(layers["setting"].unique(), key=_number)
    for name in names:
        curve = layers[layers["setting"] == name]
        depth = (_number(name) - 1) / max(published.layers - 1, 1)
        color = colors(round(depth * (colors.N - 1)))
        ax.plot(curve["x"], curve["Q"], ":", color=color, linewidth=1.5, zorder=1)
    if names:
        dotted = Line2D([], [], linestyle=":", color="0.4")
        words = f"{published.title},\nlayers {', '.join(map(str, map(_number, names)))} of "
        ax.legend([dotted], [f"{words}{published.layers}"], frameon=False, loc="best")


def _number(name: str) -> int:
    return int(name[1:])


def _style(ax: Axes, *, y: str) -> None:
    ax.set_xlabel("epoch")
    ax.set_ylabel(y)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(axis="y", color="0.9", linewidth=0.8)
    ax.set_axisbelow(True)
    sns.despine(ax=ax)
