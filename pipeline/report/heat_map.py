"""Heat maps of a page: rows by layers, dark to bright."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from pipeline.report.axes import layer_ticks
from pipeline.report.section import label, new_figure

SCALE = "Cividis"  # dark to bright, told apart with any colour vision
GAPS = 40  # rows or columns up to which cells stand apart
NAMED = 40  # rows that have room for a name


def heat_map(
    values: NDArray[np.float64],
    rows: Sequence[str],
    layers: pd.DataFrame,
    *,
    hover: str,
    height: int,
    bar: str = "",
    high: float | None = None,
) -> go.Figure:
    """Draw values from 0 up; what lies below 0 gets a minus sign.

    Parameters
    ----------
    values : ndarray of float64, shape (R, L)
        NaN for what is not known.
    rows : sequence of str, length R
        Their names, as they are.
    layers : DataFrame
        Columns ``layer_index, layer``, L rows in order of depth.
    hover : str
        Text of a cell for plotly: ``%{customdata[0]}`` is the row, ``%{customdata[1]}`` the layer,
        ``%{z}`` the value.
    height : int
        In CSS pixels.
    bar : str
        What the colours mean, beside them.
    high : float, optional
        The brightest value; the largest one without it.
    """
    named = [label(name, longest=30) for name in rows]
    titles = [label(name) for name in layers["layer"]]
    apart = int(max(values.shape) <= GAPS)
    heat = go.Heatmap(
        z=[[_plain(value) for value in row] for row in values.tolist()],
        x=layers["layer_index"].tolist(),
        y=list(range(len(rows))),
        colorscale=SCALE,
        zmin=0,
        zmax=max(float(np.nanmax(values, initial=0)), 1e-9) if high is None else high,
        text=[["−" if value < 0 else "" for value in row] for row in values],
        texttemplate="%{text}",
        textfont={"size": 16, "color": "#ffffff"},
        customdata=[[[row, title] for title in titles] for row in named],
        hovertemplate=f"{hover}<extra></extra>",
        xgap=apart,
        ygap=apart,
        colorbar={"title": {"text": bar, "side": "right"}, "thickness": 12, "outlinewidth": 0},
    )
    figure = new_figure(heat, height=height)
    step = -(-len(rows) // NAMED)
    figure.update_xaxes(**layer_ticks(layers), ticks="", showgrid=False)
    figure.update_yaxes(
        autorange="reversed",
        tickvals=list(range(0, len(rows), step)),
        ticktext=named[::step],
        ticks="",
        showgrid=False,
    )
    return figure


def _plain(value: float) -> float | None:
    """Return a value as JSON has it: NaN is nothing."""
    return None if np.isnan(value) else round(value, 5)
