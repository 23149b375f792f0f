"""What figures of layers have in common: names on their axes."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

NAMED_LAYERS = 20  # layer names on the axis up to here, indices beyond
LONGEST_NAME = 24  # characters of a class or layer name on an axis
_STEPS = (1, 2, 5, 10, 20, 50, 100, 1000)  # between the indices that are written


def label_layers(ax: Axes, table: pd.DataFrame, *, offset: float = 0.0) -> None:
    """Write layers on the x axis: names where there are few and rows agree on them, else indices.

    Parameters
    ----------
    ax : Axes
        Where.
    table : DataFrame
        With ``layer_index`` and ``layer``.
    offset : float
        Of the columns of a heat map; 0 for lines, whose x is the index.
    """
    names = table.groupby("layer_index")["layer"].agg(["first", "nunique"])
    indices = names.index.to_numpy()
    named = len(names) <= NAMED_LAYERS and (names["nunique"] == 1).all() and names["first"].all()
    if named:
        texts = [shorten(name) for name in names["first"]]
    else:
        step = next(step for step in _STEPS if len(indices) <= step * NAMED_LAYERS)
        indices = indices[indices % step == 0]
        texts = [str(index) for index in indices]
    places = np.searchsorted(names.index.to_numpy(), indices) + offset if offset else indices
    slanted = max(map(len, texts)) > 3
    ax.set_xticks(
        places,
        texts,
        rotation=45 if slanted else 0,
        ha="right" if slanted else "center",
        rotation_mode="anchor",
    )
    ax.set_xlabel("layer" if named else "layer index")


def label_cells(ax: Axes, table: pd.DataFrame) -> None:
    """Write layers below the columns of a heat map, and its rows' names level, without ticks."""
    ax.set_ylabel("")
    ax.tick_params(axis="y", rotation=0, length=0)
    ax.tick_params(axis="x", length=0)
    label_layers(ax, table, offset=0.5)


def thin(texts: list[str], *, limit: int) -> list[str]:
    """Blank all but every n-th text, so that they do not overlap."""
    step = -(-len(texts) // limit)
    return [text if i % step == 0 else "" for i, text in enumerate(texts)]


def shorten(name: str) -> str:
    """Cut a long name of a class or layer for an axis."""
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1].rstrip() + "…"


def new_axes(*, width: float, height: float) -> Axes:
    """Make axes of a new figure, sizes in inches."""
    return plt.subplots(figsize=(width, height), layout="constrained")[1]
