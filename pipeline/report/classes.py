"""Which class comes apart where: parts of Q by class and layer, and pairs that stay linked."""

import numpy as np
import pandas as pd

from pipeline.class_reading import class_sentences
from pipeline.console import plural
from pipeline.report.heat_map import heat_map
from pipeline.report.opening import Reported
from pipeline.report.section import PageFigure, PageTable, Section, cell

PAIRS = 10
LEGIBLE = 10  # columns that fit a phone


def classes_section(item: Reported) -> Section:
    """Draw each class's part in Q, and the pairs of classes that stay linked.

    Parameters
    ----------
    item : Reported
        The run.
    """
    terms = item.classes.pivot_table(
        index="class", columns="layer_index", values="modularity_term", aggfunc="mean"
    )
    names = item.classes.groupby("class")["class_name"].first().loc[terms.index].astype(str)
    layers = item.depth
    sentences = [_sentence(terms, names.tolist(), str(layers["layer"].iloc[-1]))]
    figures = [_terms(terms, names.tolist(), layers)]
    pairs, samples = item.table("class_pairs"), item.table("samples")
    if pairs is not None and samples is not None:
        sentences.append(" ".join(class_sentences(pairs, samples)))
        figures.append(_pairs(pairs, layers))
    return Section(
        name="classes",
        title="Which classes come apart where",
        short="Classes",
        sentences=sentences,
        figures=figures,
        missing="" if pairs is not None else "Pairs of classes were not measured in this run.",
        command="" if pairs is not None else item.measure_again,
    )


def _terms(terms: pd.DataFrame, names: list[str], layers: pd.DataFrame) -> PageFigure:
    values = terms.to_numpy(np.float64)
    rows, columns = values.shape
    height = int(np.clip(150 + 26 * rows, 260, 900))
    figure = heat_map(
        values,
        names,
        layers,
        hover="%{customdata[0]} at %{customdata[1]}<br>part of Q: %{z:.3f}",
        height=height,
        bar="part of Q",
    )
    table = [[name, *map(float, row)] for name, row in zip(names, values, strict=True)]
    reach = (1 - 1 / rows) / rows
    return PageFigure(
        name="terms",
        title="Part of each class in Q, layer by layer",
        description=(
            "Rows are classes, columns layers; bright is much. A column sums to Q. A class of "
            f"average size can reach {reach:.3f}; a minus marks a part below 0."
        ),
        figure=figure,
        height=height,
        min_width=24 * columns + 120 if columns > LEGIBLE else 0,
        table=PageTable.of(["class", *map(str, layers["layer"])], table),
    )


def _pairs(pairs: pd.DataFrame, layers: pd.DataFrame) -> PageFigure:
    """Draw the pairs of different classes with most links in the last layer, over depth."""
    apart = pairs[pairs["class_a"] != pairs["class_b"]]
    keys = ["class_a", "class_a_name", "class_b", "class_b_name"]
    # pairs of many classes are only in the table where they are linked
    observed, excess = (
        apart.pivot_table(index=keys, columns="layer_index", values=value, aggfunc="mean").reindex(
            columns=layers["layer_index"]
        )
        for value in ("observed", "excess")
    )
    last = observed.iloc[:, -1].fillna(0).nlargest(PAIRS).index
    grid = excess.reindex(last).fillna(0).to_numpy(np.float64)
    titles = [f"{a} – {b}" for _, a, _, b in last]
    height = 150 + 26 * len(titles)
    figure = heat_map(
        grid,
        titles,
        layers,
        hover="%{customdata[0]} at %{customdata[1]}<br>%{z:.2f} times the links of chance",
        height=height,
        bar="× chance",
    )
    rows = [[title, *map(float, row)] for title, row in zip(titles, grid, strict=True)]
    columns = grid.shape[1]
    return PageFigure(
        name="pairs",
        title="Pairs of classes that stay linked",
        description=(
            f"The {plural(len(titles), 'pair')} of different classes with most links in the last "
            "layer. 1 is what links that ignore the classes give, 0 no link."
        ),
        figure=figure,
        height=height,
        min_width=24 * columns + 200 if columns > LEGIBLE else 0,
        table=PageTable.of(["pair", *map(str, layers["layer"])], rows),
    )


def _sentence(terms: pd.DataFrame, names: list[str], layer: str) -> str:
    last = terms.to_numpy()[:, -1]
    best, worst = int(np.argmax(last)), int(np.argmin(last))
    return (
        f"In the last layer, {layer}, {names[best]} has come apart furthest (part of Q "
        f"{cell(float(last[best]))}) and {names[worst]} least ({cell(float(last[worst]))})."
    )
