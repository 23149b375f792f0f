"""Figures of attacks: the curves before and after, and some of the images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from graphs.errors import TableError
from graphs.frames import require_columns
from graphs.plots import plot_curve
from graphs.published import Published

TRIPLE = ("clean", "attacked", "difference")


def plot_pairs(
    layers: pd.DataFrame, ax: Axes | None = None, *, published: Published | None = None
) -> Axes:
    """Draw the curve of attacked images, and dashed in the same colour of these images clean.

    Parameters
    ----------
    layers : DataFrame
        The table ``layers`` with the columns ``attack`` and ``state`` (clean or attacked).
    ax : Axes, optional
        Where to draw; a new figure without it.
    published : Published, optional
        Curves of the same attacks, ``setting`` as the column ``attack`` has it. Of the same network
        they lie behind, wide and pale; of another one their last layers are hollow diamonds.

    Returns
    -------
    Axes
        The legend has one line an attack, by Q of the last layer, with its number of images.

    Raises
    ------
    TableError
        When a column is missing, or no row is of attacked images.

    Notes
    -----
    Lu et al. 2022, figure 6(a).
    """
    require_columns(layers, "layers", ["attack", "state", "layer_index", "modularity", "n_nodes"])
    titles = layers["attack"] + " (" + layers["n_nodes"].astype(str) + ")"
    named = layers.assign(attack=titles)
    attacked, clean = (named[named["state"] == state] for state in ("attacked", "clean"))
    last = attacked["layer_index"] == attacked["layer_index"].max()
    by_end = attacked[last].sort_values("modularity", ascending=False, kind="stable")["attack"]
    order = attacked.assign(place=attacked["attack"].map({n: i for i, n in enumerate(by_end)}))
    ax = plot_curve(order.sort_values(["place", "layer_index"], kind="stable"), ax, hue="attack")
    lines, words = ax.get_legend_handles_labels()
    colours = {
        word: line.get_color()
        for line, word in zip(lines, words, strict=True)
        # a curve alone has that of permuted labels beside it
        if isinstance(line, Line2D) and (attacked["attack"] == word).any()
    }
    for name, curve in clean.groupby("attack", sort=False):
        ax.plot(
            curve["layer_index"],
            curve["modularity"],
            color=colours.get(name, "0.7"),
            linewidth=1.2,
            linestyle="--",
            zorder=1,
            label=f"_{name}, clean",
        )
    if len(clean):
        dashed = Line2D([], [], color="0.5", linewidth=1.2, linestyle="--")
        lines, words = [*lines, dashed], [*words, "the same images, clean"]
    if published is not None:
        names = attacked.assign(name=layers["attack"]).groupby("attack")["name"].first()
        last_layer = int(attacked["layer_index"].max())
        shown = {names[word]: colour for word, colour in colours.items()}
        lines.append(_draw_published(published, ax, shown, last_layer))
        words.append(published.title + ("" if published.same else ",\nlast layer"))
    ax.legend(lines, words, title="attack (images)", frameon=False, alignment="left", loc="best")
    return ax


def _draw_published(
    published: Published, ax: Axes, colours: dict[str, Any], last_layer: int
) -> Line2D:
    """Draw published curves of the attacks that have a colour; return what the legend shows."""
    for name, colour in colours.items():
        curve = published.rows[published.rows["setting"] == name]
        if curve.empty:
            continue
        if published.same:
            ax.plot(curve["x"] - 1, curve["Q"], color=colour, linewidth=4, alpha=0.25, zorder=0)
        else:
            ax.plot(
                [last_layer], curve["Q"].iloc[-1:], "D", color=colour, markersize=7,
                fillstyle="none", clip_on=False, zorder=3,
            )  # fmt: skip
    if published.same:
        return Line2D([], [], color="0.8", linewidth=4)
    return Line2D([], [], color="0.5", marker="D", fillstyle="none", linestyle="")


@dataclass(frozen=True, kw_only=True)
class Triple:
    """An image before and after an attack.

    Attributes
    ----------
    row : str
        The attack.
    clean, attacked : ndarray of float, shape (C, H, W)
        Values in [0, 1].
    before, after : str
        What it is taken for.
    """

    row: str
    clean: NDArray[np.floating]
    attacked: NDArray[np.floating]
    before: str
    after: str


def draw_triples(figure: Figure, triples: Sequence[Triple]) -> NDArray[np.object_]:
    """Draw clean image, attacked image and their difference side by side, one row an attack.

    Parameters
    ----------
    figure : Figure
        Where to draw.
    triples : sequence of Triple
        Those of one attack stand in one row, in their order.

    Returns
    -------
    ndarray of Axes, shape (rows, 3 x the most triples of an attack)
        The difference is grey where nothing changed, and stretched to the whole range.

    Raises
    ------
    TableError
        When there is no triple.
    """
    if not triples:
        raise TableError("there are no images to draw", "give at least one")
    rows: dict[str, list[Triple]] = {}
    for triple in triples:
        rows.setdefault(triple.row, []).append(triple)
    width = 3 * max(map(len, rows.values()))
    panels: NDArray[np.object_] = figure.subplots(len(rows), width, squeeze=False)
    for ax in panels.ravel():
        ax.set_axis_off()
    for line, (name, members) in zip(panels, rows.items(), strict=True):
        line[0].text(
            -0.12, 0.5, name, transform=line[0].transAxes, ha="right", va="center", rotation=90
        )
        for number, triple in enumerate(members):
            _draw_triple(line[3 * number : 3 * number + 3], triple)
    for column, ax in enumerate(panels[0]):
        ax.text(
            0.5, 1.22, TRIPLE[column % 3], transform=ax.transAxes, ha="center", fontsize=8,
            color="0.4",
        )  # fmt: skip
    return panels


def _draw_triple(panels: Sequence[Axes], triple: Triple) -> None:
    change = triple.attacked.astype(np.float64) - triple.clean
    largest = float(np.abs(change).max()) or 1.0
    for ax, pixels, title in zip(
        panels,
        (triple.clean, triple.attacked, 0.5 + change / (2 * largest)),
        (triple.before, triple.after, f"±{largest:.2g}"),
        strict=True,
    ):
        image = pixels.transpose(1, 2, 0) if len(pixels) == 3 else pixels[0]
        ax.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        ax.set_title(title, fontsize=8, pad=2)
