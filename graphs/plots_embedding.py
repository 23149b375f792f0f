"""Panels of samples in the plane: a tidy table in, matplotlib Axes out."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

LEGEND_CLASSES = 20  # beyond, colours cannot be told apart


def plot_samples(places: pd.DataFrame, ax: Axes | None = None, *, title: str = "") -> Axes:
    """Draw the samples of one layer, coloured by class.

    Parameters
    ----------
    places : DataFrame
        Rows of one layer of the table ``tsne``: ``label, label_name, x, y``.
    ax : Axes, optional
        Where to draw; a new figure without it.
    title : str
        Above the panel.

    Returns
    -------
    Axes
        Without ticks: distances in the picture have no unit.
    """
    if ax is None:
        ax = Figure(figsize=(4.0, 4.0), layout="constrained").subplots()
    colors = class_colors(places)
    size = float(np.clip(6000 / max(len(places), 1), 2, 16))
    # in the order of the samples, so that no class covers another
    ax.scatter(
        places["x"],
        places["y"],
        s=size,
        c=[colors[label] for label in places["label"]],
        linewidths=0,
        alpha=0.85,
    )
    ax.set(xticks=[], yticks=[], **_square(places))
    ax.set_aspect("equal", adjustable="box")
    ax.set_title(title, loc="left", fontsize=10)
    sns.despine(ax=ax, left=True, bottom=True)
    return ax


def _square(places: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Limits of equal lengths, so that all panels have one shape; samples begin at the title."""
    low, high = places[["x", "y"]].min(), places[["x", "y"]].max()
    extent = float((high - low).max()) or 1.0
    margin, side = 0.04 * extent, 1.08 * extent
    left, top = float(low["x"]) - margin, float(high["y"]) + margin
    return {"xlim": (left, left + side), "ylim": (top - side, top)}


def draw_samples(places: pd.DataFrame, titles: dict[int, str], figure: Figure) -> None:
    """Draw a panel for every layer of the table ``tsne``, up to three side by side.

    Parameters
    ----------
    places : DataFrame
        The table.
    titles : dict of int to str
        Title of each layer's panel.
    figure : Figure
        Where to draw.
    """
    layers = sorted(titles)
    columns = min(3, len(layers))
    panels = figure.subplots(-(-len(layers) // columns), columns, squeeze=False).ravel()
    for ax, layer in zip(panels, layers, strict=False):
        plot_samples(places[places["layer_index"] == layer], ax, title=titles[layer])
    for ax in panels[len(layers) :]:
        ax.set_axis_off()
    colors = class_colors(places)
    if len(colors) > LEGEND_CLASSES:
        return
    names = places.drop_duplicates("label").set_index("label")["label_name"].to_dict()
    marks = [
        panels[0].scatter([], [], s=30, color=[color], linewidths=0, label=names[label])
        for label, color in colors.items()
    ]
    figure.legend(handles=marks, loc="outside right center", frameon=False, fontsize=9)


def class_colors(places: pd.DataFrame) -> dict[int, tuple[float, float, float]]:
    """Return the colour of every class, by label."""
    labels = sorted(int(label) for label in places["label"].unique())
    few, some = 10, LEGEND_CLASSES
    palette = "colorblind" if len(labels) <= few else "tab20" if len(labels) <= some else "husl"
    return dict(zip(labels, sns.color_palette(palette, len(labels)), strict=True))
