"""Which class comes apart where: parts of Q by class and layer, and pairs that stay mixed."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from pipeline.report.curve import layer_ticks
from pipeline.report.opening import Reported
from pipeline.report.section import PageFigure, PageTable, Section, label, new_figure

# dark to light, told apart without colour vision
SCALE = "Cividis"
PAIRS = 10
ROOM = 40  # class names on an axis


def classes_section(item: Reported) -> Section:
    """Draw each class's part in Q, and list the pairs of classes that are linked most.

    Parameters
    ----------
    item : Reported
        The run.
    """
    terms = item.classes.pivot_table(
        index="class", columns="layer_index", values="modularity_term", aggfunc="mean"
    )
    names = item.classes.groupby("class")["class_name"].first().loc[terms.index].astype(str)
    layers = item.layers.drop_duplicates("layer_index").sort_values("layer_index")
    figures = [_heat_map(terms, names.tolist(), layers)]
    pairs = item.table("class_pairs")  # type: ignore[arg-type]
    if pairs is not None:
        figures.append(_pairs(pairs))
    return Section(
        name="classes",
        title="Which classes come apart where",
        sentences=[_sentence(terms, names.tolist(), layers["layer"].tolist())],
        figures=figures,
    )


def _heat_map(terms: pd.DataFrame, names: list[str], layers: pd.DataFrame) -> PageFigure:
    values = terms.to_numpy()
    named = [label(name) for name in names]
    titles = [label(name) for name in layers["layer"]]
    rows, columns = values.shape
    marks = [["−" if value < 0 else "" for value in row] for row in values]
    heat = go.Heatmap(
        z=np.round(values, 5).tolist(),
        x=layers["layer_index"].tolist(),
        y=list(range(rows)),
        colorscale=SCALE,
        zmin=float(min(0.0, np.nanmin(values))),
        text=marks,
        texttemplate="%{text}",
        textfont={"size": 16, "color": "#ffffff"},
        customdata=[[[named[y], titles[x]] for x in range(columns)] for y in range(rows)],
        hovertemplate="%{customdata[0]} at %{customdata[1]}<br>part of Q: %{z:.3f}<extra></extra>",
        xgap=1 if columns <= 40 else 0,
        ygap=1 if rows <= 40 else 0,
        colorbar={"title": {"text": "part of Q", "side": "right"}, "thickness": 12, "outlinewidth": 0},
    )
    height = int(np.clip(150 + 26 * rows, 260, 900))
    figure = new_figure(heat, height=height)
    step = -(-rows // ROOM)
    figure.update_yaxes(
        autorange="reversed", tickvals=list(range(0, rows, step)), ticktext=named[::step], ticks=""
    )
    figure.update_xaxes(**layer_ticks(layers), ticks="", showgrid=False)
    table = [[name, *map(float, row)] for name, row in zip(names, values, strict=True)]
    return PageFigure(
        name="terms",
        title="Part of each class in Q, layer by layer",
        description=(
            "Rows are classes, columns layers; bright is much. A column sums to Q. A class can "
            f"reach about {_reach(rows):.3f}; a minus marks a part below 0."
        ),
        figure=figure,
        height=height,
        min_width=24 * columns + 120 if columns > 10 else 0,
        table=PageTable.of(["class", *map(str, layers["layer"])], table),
    )


def _reach(classes: int) -> float:
    """What a class of equal size can reach, a(1 − a)."""
    return (1 - 1 / classes) / classes


def _pairs(pairs: pd.DataFrame) -> PageFigure:
    """Draw the pairs of different classes with most links in the last layer, over depth."""
    apart = pairs[pairs["class_a"] != pairs["class_b"]]
    means = (
        apart.groupby(["layer_index", "layer", "class_a_name", "class_b_name"], sort=True)
        [["observed", "excess", "z"]].mean().reset_index()
    )  # fmt: skip
    last = means[means["layer_index"] == means["layer_index"].max()]
    shown = last.nlargest(PAIRS, "observed")[["class_a_name", "class_b_name"]]
    joined = shown.merge(means, how="left", sort=False)
    layers = means.drop_duplicates("layer_index").sort_values("layer_index")
    titles = [f"{a} – {b}" for a, b in shown.itertuples(index=False)]
    grid = joined["excess"].to_numpy().reshape(len(titles), -1)
    zs = joined["z"].to_numpy().reshape(len(titles), -1)
    named = [label(title, longest=30) for title in titles]
    heat = go.Heatmap(
        z=np.round(grid, 4).tolist(),
        x=layers["layer_index"].tolist(),
        y=list(range(len(titles))),
        colorscale=SCALE,
        zmin=0,
        customdata=[
            [[name, label(layer), z] for layer, z in zip(layers["layer"], row, strict=True)]
            for name, row in zip(named, zs.tolist(), strict=True)
        ],
        hovertemplate=(
            "%{customdata[0]} at %{customdata[1]}<br>%{z:.2f} times the links of chance, "
            "z = %{customdata[2]:.1f}<extra></extra>"
        ),
        xgap=1,
        ygap=1,
        colorbar={"title": {"text": "× chance", "side": "right"}, "thickness": 12, "outlinewidth": 0},
    )
    height = 150 + 26 * len(titles)
    figure = new_figure(heat, height=height)
    figure.update_yaxes(
        autorange="reversed", tickvals=list(range(len(titles))), ticktext=named, ticks=""
    )
    figure.update_xaxes(**layer_ticks(layers), ticks="", showgrid=False)
    rows = [[title, *map(float, row)] for title, row in zip(titles, grid, strict=True)]
    return PageFigure(
        name="pairs",
        title="Pairs of classes that stay linked",
        description=(
            f"The {len(titles)} pairs of different classes with most links in the last layer. "
            "1 is what links that ignore the classes give; 0 is no link."
        ),
        figure=figure,
        height=height,
        min_width=24 * grid.shape[1] + 200 if grid.shape[1] > 10 else 0,
        table=PageTable.of(["pair", *map(str, layers["layer"])], rows),
    )


def _sentence(terms: pd.DataFrame, names: list[str], layers: list[str]) -> str:
    last = terms.to_numpy()[:, -1]
    best, worst = int(np.argmax(last)), int(np.argmin(last))
    return (
        f"In the last layer, {layers[-1]}, {names[best]} has come apart furthest (part of Q "
        f"{last[best]:.3f}) and {names[worst]} least ({last[worst]:.3f})."
    )
