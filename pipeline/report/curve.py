"""Q against depth: every run a line, with what it spreads and what chance gives."""

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from graphs.export.colors import class_colors
from pipeline.chance_reading import chance_sentences
from pipeline.console import plural
from pipeline.report.opening import Folders, Reported
from pipeline.report.section import PageFigure, PageTable, Section, cell, label, new_figure

# columns that runs have since they measure how sure a curve is
BAND = ("modularity_low", "modularity_high")
CHANCE = "modularity_null_mean"
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down")


def curve_section(folders: Folders) -> Section:
    """Draw the curves of all runs in one figure.

    Parameters
    ----------
    folders : Folders
        What the page is made of.
    """
    curves = {item.name: curve_table(item) for item in folders.runs}
    together = len(curves) > 1
    figure = new_figure(height=400, hovermode="closest", showlegend=together or _marked(curves))
    colors = class_colors(len(curves))
    for position, (name, curve) in enumerate(curves.items()):
        _draw(figure, curve, name, colors[position], position, depth=together)
    _axes(figure, curves, depth=together)
    table = _table(curves)
    return Section(
        name="curve",
        title="How far classes have come apart",
        short="Curve",
        sentences=[
            "The modularity Q of the true classes in the graph of each layer: 0 where links ignore "
            "the classes, close to 1 where every link stays inside a class.",
            *_chance(folders.runs),
        ],
        figures=[
            PageFigure(
                name="curve",
                title="Modularity of the classes against depth",
                description=_describe(folders.runs, curves),
                figure=figure,
                height=400,
                table=table,
            )
        ],
    )


def _chance(runs: list[Reported]) -> list[str]:
    """Say how sure the curves are, of runs that have measured it."""
    measured = [item for item in runs if CHANCE in item.layers.columns]
    named = [f"{item.name}: " if len(runs) > 1 else "" for item in measured]
    return [
        name + " ".join(chance_sentences(item.layers))
        for name, item in zip(named, measured, strict=True)
    ]


def curve_table(item: Reported) -> pd.DataFrame:
    """Average over repeats: ``layer_index, layer, q, low, high, chance`` (NaN where unknown).

    The band of several repeats is one standard deviation; that of one is what was measured by
    drawing its nodes anew.
    """
    layers = item.layers
    grouped = layers.groupby(["layer_index", "layer"], sort=True)
    curve = grouped["modularity"].agg(["mean", "std"]).reset_index()
    curve.columns = pd.Index(["layer_index", "layer", "q", "sd"])
    for name, column in (("low", BAND[0]), ("high", BAND[1]), ("chance", CHANCE)):
        known = column in layers.columns
        curve[name] = grouped[column].mean().to_numpy() if known else np.nan
    if item.repeats > 1:
        curve["low"], curve["high"] = curve["q"] - curve["sd"], curve["q"] + curve["sd"]
    return curve


def _draw(
    figure: go.Figure, curve: pd.DataFrame, name: str, color: str, place: int, *, depth: bool
) -> None:
    at = np.linspace(0, 1, len(curve)) if depth and len(curve) > 1 else curve["layer_index"]
    x, symbol = list(at), SYMBOLS[place % len(SYMBOLS)]
    if curve["low"].notna().all():
        figure.add_scatter(
            x=[*x, *x[::-1]],
            y=[*curve["high"], *curve["low"].iloc[::-1]],
            fill="toself",
            fillcolor=faded(color, 0.22),
            line={"width": 0},
            mode="lines",
            hoverinfo="skip",
            showlegend=False,
            legendgroup=name,
        )
    figure.add_scatter(
        x=x,
        y=curve["q"].tolist(),
        mode="lines+markers",
        name=label(name),
        legendgroup=name,
        line={"color": color, "width": 2.5, "dash": DASHES[place % len(DASHES)]},
        marker={"size": 8, "symbol": symbol, "color": color},
        text=[_hover(row) for row in curve.to_dict("records")],
        hovertemplate=f"%{{text}}<extra>{label(name) if depth else ''}</extra>",
    )
    if curve["chance"].notna().all():
        figure.add_scatter(
            x=x,
            y=curve["chance"].tolist(),
            mode="lines",
            name="labels shuffled",
            legendgroup="chance",
            showlegend=place == 0,
            line={"color": "#808080", "width": 2, "dash": "dot"},
            hoverinfo="skip",
        )


def _hover(row: dict[Hashable, Any]) -> str:
    known = row["low"] == row["low"]
    band = f"<br>{cell(row['low'])} to {cell(row['high'])}" if known else ""
    return f"{label(row['layer'])}<br>Q = {cell(row['q'])}{band}"


def _axes(figure: go.Figure, curves: dict[str, pd.DataFrame], *, depth: bool) -> None:
    figure.update_yaxes(title="modularity Q", rangemode="tozero")
    figure.update_layout(legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0})
    if depth:
        ends = ["first layer", "half", "last layer"]
        figure.update_xaxes(title="relative depth", tickvals=[0, 0.5, 1], ticktext=ends)
        return
    curve = next(iter(curves.values()))
    figure.update_xaxes(**layer_ticks(curve), title="layer")


def layer_ticks(layers: pd.DataFrame, *, limit: int = 16) -> dict[str, object]:
    """Return ticks for an axis of layers: names, fewer where there are many.

    Parameters
    ----------
    layers : DataFrame
        Columns ``layer_index, layer``, a row a layer.
    limit : int
        How many names there is room for.
    """
    step = -(-len(layers) // limit)
    shown = layers.iloc[::step]
    return {
        "tickmode": "array",
        "tickvals": shown["layer_index"].tolist(),
        "ticktext": [label(name, longest=16) for name in shown["layer"]],
        "tickangle": -45 if shown["layer"].str.len().max() > 4 else 0,
    }


def faded(color: str, share: float) -> str:
    """Return a colour ``#rrggbb`` with a share of its strength.

    Examples
    --------
    >>> faded("#0173b2", 0.2)
    'rgba(1,115,178,0.2)'
    """
    red, green, blue = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{share:g})"


def _marked(curves: dict[str, pd.DataFrame]) -> bool:
    return any(curve["chance"].notna().all() for curve in curves.values())


def _describe(runs: list[Reported], curves: dict[str, pd.DataFrame]) -> str:
    told = []
    for item in runs:
        curve = curves[item.name]
        ends = f"{cell(float(curve['q'].iloc[0]))} to {cell(float(curve['q'].iloc[-1]))}"
        told.append(f"{item.name} goes from {ends} over {plural(len(curve), 'layer')}")
    bands = []
    if any(item.repeats > 1 for item in runs):
        bands.append("The band of several repeats is one standard deviation.")
    if any(item.repeats == 1 and BAND[0] in item.layers.columns for item in runs):
        bands.append("The band of one repeat holds 95 % of Q when its samples are drawn anew.")
    if _marked(curves):
        bands.append("The dotted grey line is the mean Q of shuffled labels on the same graph.")
    return " ".join([f"Q of {'; '.join(told)}.", *bands])


def _table(curves: dict[str, pd.DataFrame]) -> PageTable:
    many = len(curves) > 1
    rows = [
        [*([name] if many else []), *row]
        for name, curve in curves.items()
        for row in curve[["layer", "q", "low", "high", "chance"]].to_numpy().tolist()
    ]
    heads = [*(["run"] if many else []), "layer", "Q", "lower", "upper", "labels shuffled"]
    return PageTable.of(heads, rows).filled()
