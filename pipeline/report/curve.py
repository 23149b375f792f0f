"""Q against depth: every run a line, with what it spreads and what chance gives."""

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from graphs.export.colors import class_colors
from pipeline.chance_reading import chance_sentences
from pipeline.console import plural
from pipeline.report.axes import faded, layer_ticks
from pipeline.report.baseline import untrained_curve
from pipeline.report.opening import Folders, Reported
from pipeline.report.section import PageFigure, PageTable, Section, cell, label, new_figure

HEIGHT = 400  # pixels
# columns that runs have since they measure how sure a curve is
BAND = ("modularity_low", "modularity_high")
CHANCE = "modularity_null_mean"
UNTRAINED = {"mean": "untrained", "min": "untrained_low", "max": "untrained_high"}
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down")


def curve_section(folders: Folders) -> Section:
    """Draw the curves of all runs in one figure.

    Parameters
    ----------
    folders : Folders
        What the page is made of.
    """
    curves = {item.name: curve_table(item, untrained_curve(item, folders)) for item in folders.runs}
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
                figure=_draw(curves),
                height=HEIGHT,
                table=_table(curves),
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


def curve_table(item: Reported, untrained: pd.DataFrame | None) -> pd.DataFrame:
    """Average over repeats: ``layer_index, layer, q, low, high, chance`` (NaN where unknown).

    The band of several repeats is one standard deviation; that of one is what was measured by
    drawing its nodes anew. ``untrained, untrained_low, untrained_high`` are those of
    `pipeline.report.baseline.untrained_curve`.
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
    for name, column in UNTRAINED.items():
        curve[column] = np.nan if untrained is None else curve["layer_index"].map(untrained[name])
    return curve


def _draw(curves: dict[str, pd.DataFrame]) -> go.Figure:
    """Draw every run's line with its band, and what untrained networks and shuffled labels give."""
    together = len(curves) > 1
    marked = [name for name, curve in curves.items() if _known(curve, "chance")]
    named = together or bool(marked) or any(_known(one, "untrained") for one in curves.values())
    figure = new_figure(height=HEIGHT, hovermode="closest", showlegend=named)
    colors = class_colors(len(curves))
    for place, (name, curve) in enumerate(curves.items()):
        at = np.linspace(0, 1, len(curve)) if together and len(curve) > 1 else curve["layer_index"]
        x, color = list(at), colors[place]
        if _known(curve, "low"):
            _draw_band(figure, x, curve[["low", "high"]], color=faded(color, 0.22), group=name)
        figure.add_scatter(
            x=x,
            y=curve["q"].tolist(),
            mode="lines+markers",
            name=label(name),
            legendgroup=name,
            line={"color": color, "width": 2.5, "dash": DASHES[place % len(DASHES)]},
            marker={"size": 8, "symbol": SYMBOLS[place % len(SYMBOLS)], "color": color},
            text=[_hover(row) for row in curve.to_dict("records")],
            hovertemplate=f"%{{text}}<extra>{label(name) if together else ''}</extra>",
        )
        if _known(curve, "untrained"):
            band = curve[["untrained_low", "untrained_high"]]
            title = f"{name}, untrained" if together else "untrained"
            _draw_band(figure, x, band, color=faded(color, 0.12), group=title)
            _draw_beside(figure, x, curve["untrained"], name=title, line={"color": color})
        if _known(curve, "chance"):
            _draw_beside(
                figure, x, curve["chance"], name="labels shuffled",
                line={"color": "#808080", "dash": "dot"}, showlegend=name == marked[0],
            )  # fmt: skip
    _axes(figure, curves, depth=together)
    return figure


def _draw_band(
    figure: go.Figure, x: list[float], ends: pd.DataFrame, *, color: str, group: str
) -> None:
    low, high = (ends[column] for column in ends)
    figure.add_scatter(
        x=[*x, *x[::-1]],
        y=[*high, *low.iloc[::-1]],
        fill="toself",
        fillcolor=color,
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
        legendgroup=group,
    )


def _draw_beside(
    figure: go.Figure,
    x: list[float],
    values: "pd.Series[float]",
    *,
    name: str,
    line: dict[str, str],
    showlegend: bool = True,
) -> None:
    """Draw a thin line that a run is compared with."""
    figure.add_scatter(
        x=x,
        y=values.tolist(),
        mode="lines",
        name=label(name),
        legendgroup=name,
        showlegend=showlegend,
        line={"width": 2, "dash": "longdash"} | line,
        hoverinfo="skip",
    )


def _known(curve: pd.DataFrame, column: str) -> bool:
    return bool(curve[column].notna().all())


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
        bands.append(
            "The band of one repeat holds 95 % of the draws of its samples, each with its links: "
            "other samples would spread wider."
        )
    if any(_known(curve, "untrained") for curve in curves.values()):
        bands.append(
            "The line of long dashes is the mean Q of the same network untrained, its band goes "
            "from the lowest of these networks to the highest."
        )
    if any(_known(curve, "chance") for curve in curves.values()):
        bands.append("The dotted grey line is the mean Q of shuffled labels on the same graph.")
    return " ".join([f"Q of {'; '.join(told)}.", *bands])


def _table(curves: dict[str, pd.DataFrame]) -> PageTable:
    many = len(curves) > 1
    rows = [
        [*([name] if many else []), *row]
        for name, curve in curves.items()
        for row in curve[["layer", "q", "low", "high", "untrained", "chance"]].to_numpy().tolist()
    ]
    heads = [
        *(["run"] if many else []),
        *("layer", "Q", "lower", "upper", "untrained", "labels shuffled"),
    ]
    return PageTable.of(heads, rows).filled()
