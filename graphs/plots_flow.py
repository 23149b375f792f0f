"""How samples flow through communities from layer to layer: tables in, matplotlib Axes out."""

import textwrap
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch, PathPatch, Rectangle
from matplotlib.path import Path

from graphs.export.colors import class_colors
from graphs.frames import require_columns

BLOCK = 0.16  # width of a community's block, where layers are 1 apart
GAP = 0.012  # between blocks, in the height of the figure; less where there are many
LEGEND_CLASSES = 20
NAMED = 0.03  # height from which a block has a name beside it
LONGEST = 14
FLOW_COLUMNS = ("layer_index", "next_layer_index", "matched", "next_matched", "count")
BLOCK_COLUMNS = ("layer_index", "layer", "matched", "size", "majority_class", "purity")
PALE = (0.92, 0.92, 0.92)


def plot_flow(
    flows: pd.DataFrame,
    communities: pd.DataFrame,
    ax: Axes | None = None,
    *,
    classes: Mapping[int, str] | None = None,
    title: str = "",
) -> Axes:
    """Draw an alluvial diagram: a block a community, as high as it is large, bands between them.

    Parameters
    ----------
    flows : DataFrame
        The table ``flows`` of one variant and repeat.
    communities : DataFrame
        The table ``communities`` of the same: ``layer_index, layer, matched, size,
        majority_class, purity``.
    ax : Axes, optional
        Where to draw; a new figure without it.
    classes : mapping of int to str, optional
        Name of every class, so that colours are the same in several figures; without it those
        that most samples of a community are of.
    title : str
        Above.

    Returns
    -------
    Axes
        A column of blocks a layer. A block has the colour of the class that most of its samples
        are of, the paler the fewer they are; a band that of the block where it begins. In each
        layer blocks are in the order of their classes, those of one class by number.

    Raises
    ------
    TableError
        When a column is missing or a table has no rows.
    """
    require_columns(flows, "flows", [*FLOW_COLUMNS])
    require_columns(communities, "communities", [*BLOCK_COLUMNS])
    if ax is None:
        width = 2.0 + 1.1 * communities["layer_index"].nunique()
        ax = Figure(figsize=(width, 4.5), layout="constrained").subplots()
    blocks = _place_blocks(communities)
    colors = _class_colors(classes or communities["majority_class"].unique().tolist())
    columns = {index: at for at, index in enumerate(sorted(blocks["layer_index"].unique()))}
    for row in blocks.to_dict("records"):
        color = _faded(colors[row["majority_class"]], row["purity"])
        corner = (columns[row["layer_index"]] - BLOCK / 2, row["low"])
        ax.add_patch(Rectangle(corner, BLOCK, row["high"] - row["low"], color=color, linewidth=0))
    _draw_bands(ax, flows, blocks, columns=columns, colors=colors)
    names = blocks.groupby("layer_index")["layer"].first()
    ax.set_xticks(range(len(names)), names.tolist(), rotation=45, ha="right")
    ax.set(xlim=(-0.3, len(names) - 0.7), ylim=(1.0, 0.0), yticks=[])
    if classes:
        _name_blocks(ax, blocks[blocks["layer_index"] == max(columns)], classes)
    ax.set_title(title, loc="left", fontsize=10)
    sns.despine(ax=ax, left=True, bottom=True)
    return ax


def _name_blocks(ax: Axes, blocks: pd.DataFrame, classes: Mapping[int, str]) -> None:
    """Write beside the blocks of the last layer, where there is room, what most of them are."""
    right = ax.get_xlim()[1]
    for row in blocks.to_dict("records"):
        if row["high"] - row["low"] >= NAMED:
            name = textwrap.shorten(classes[row["majority_class"]], LONGEST, placeholder="…")
            middle = (row["low"] + row["high"]) / 2
            ax.text(right, middle, name, va="center", fontsize=7, clip_on=False)


def flow_legend(classes: Mapping[int, str], figure: Figure) -> None:
    """Name the colours of `plot_flow` beside its panels, up to 20 classes."""
    if len(classes) > LEGEND_CLASSES:
        return
    colors = _class_colors(classes)
    marks = [Patch(color=colors[label], label=name) for label, name in classes.items()]
    figure.legend(
        handles=marks, loc="outside right center", frameon=False, fontsize=9, title="most are"
    )


def _place_blocks(communities: pd.DataFrame) -> pd.DataFrame:
    """Give every community its place in its layer, ``low`` and ``high`` from 0 (top) to 1."""
    order = ["layer_index", "majority_class", "matched"]
    blocks = communities.sort_values(order, kind="stable").reset_index(drop=True)
    most = blocks.groupby("layer_index").size().max()
    gap = min(GAP, 0.25 / max(most, 1))
    grouped = blocks.groupby("layer_index")
    count, place = grouped["size"].transform("size"), grouped.cumcount()
    share = blocks["size"] / grouped["size"].transform("sum")
    below = share.groupby(blocks["layer_index"]).cumsum() - share
    room = 1 - gap * (count - 1)
    blocks["low"] = below * room + gap * place
    blocks["high"] = blocks["low"] + share * room
    return blocks


def _draw_bands(
    ax: Axes,
    flows: pd.DataFrame,
    blocks: pd.DataFrame,
    *,
    columns: dict[int, int],
    colors: dict[int, str],
) -> None:
    """Draw the bands; those of a block lie in the order of the blocks that they lead to."""
    there = blocks.set_index(["layer_index", "matched"])
    there["color"] = [
        _faded(colors[label], purity)
        for label, purity in zip(there["majority_class"], there["purity"], strict=True)
    ]
    there["each"] = (there["high"] - there["low"]) / there["size"]  # height of a sample
    table = flows.reset_index(drop=True)
    for end in ("", "next_"):
        keys = list(zip(table[f"{end}layer_index"], table[f"{end}matched"], strict=True))
        for name in ("low", "each", "color"):
            table[f"{end}{name}"] = there[name].loc[keys].to_numpy()
        table[f"{end}height"] = table["count"] * table[f"{end}each"]
    for end, other in (("", "next_"), ("next_", "")):
        place = table.sort_values(["layer_index", f"{end}low", f"{other}low"], kind="stable")
        height = place[f"{end}height"]
        before = height.groupby([place["layer_index"], place[f"{end}low"]]).cumsum() - height
        table[f"{end}top"] = place[f"{end}low"] + before
    for row in table.to_dict("records"):
        left = columns[row["layer_index"]] + BLOCK / 2
        right = columns[row["next_layer_index"]] - BLOCK / 2
        band = _band(
            (left, row["top"], row["height"]), (right, row["next_top"], row["next_height"])
        )
        ax.add_patch(PathPatch(band, facecolor=row["color"], alpha=0.45, linewidth=0))


def _band(start: tuple[float, float, float], end: tuple[float, float, float]) -> Path:
    """Return a band from (x, top, height) to another, level at both ends."""
    (x0, y0, h0), (x1, y1, h1) = start, end
    middle = (x0 + x1) / 2
    upper = [(x0, y0), (middle, y0), (middle, y1), (x1, y1)]
    lower = [(x1, y1 + h1), (middle, y1 + h1), (middle, y0 + h0), (x0, y0 + h0)]
    codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
    return Path([*upper, *lower, (x0, y0)], codes)


def _class_colors(classes: Iterable[int]) -> dict[int, str]:
    labels = sorted(classes)
    return dict(zip(labels, class_colors(len(labels)), strict=True))


def _faded(color: str, purity: float) -> tuple[float, ...]:
    """Mix a colour with a pale grey: none at purity 1."""
    mixed = purity * np.array(to_rgb(color)) + (1 - purity) * np.array(PALE)
    return tuple(float(part) for part in mixed)
