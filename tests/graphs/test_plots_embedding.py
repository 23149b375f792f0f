"""Panels of samples: colours by class, titles, a legend where it can be read."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from graphs.plots_embedding import class_colors, draw_samples, plot_samples


def places(classes, layers=2, n=60):
    rng = np.random.default_rng(0)
    return pd.concat(
        pd.DataFrame(
            {
                "layer_index": layer,
                "label": np.arange(n) % classes,
                "label_name": [f"kind {i % classes}" for i in range(n)],
                "x": rng.normal(size=n),
                "y": rng.normal(size=n),
            }
        )
        for layer in range(layers)
    )


def test_a_sample_has_the_colour_of_its_class():
    table = places(3, layers=1)
    ax = plot_samples(table, title="0  stem")
    drawn = [to_hex(color[:3]) for color in ax.collections[0].get_facecolors()]
    colors = class_colors(table)
    assert drawn == [to_hex(colors[label]) for label in table["label"]]
    assert ax.get_title(loc="left") == "0  stem"
    assert ax.collections[0].get_offsets()[0].tolist() == [table["x"].iloc[0], table["y"].iloc[0]]


def test_samples_begin_below_the_title_in_a_square():
    table = places(3, layers=1).assign(x=lambda rows: rows["x"] * 4)
    ax = plot_samples(table)
    extent = table["x"].max() - table["x"].min()
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    assert (right - left, top - bottom) == pytest.approx((1.08 * extent, 1.08 * extent))
    assert top - table["y"].max() == pytest.approx(0.04 * extent)
    assert (ax.get_aspect(), ax.get_adjustable()) == (1.0, "box")
    plot_samples(table.assign(x=0.0, y=0.0))


@pytest.mark.parametrize("classes", [2, 10, 20, 21, 50])
def test_classes_have_colours_of_their_own(classes):
    colors = class_colors(places(classes))
    assert len(colors) == len({to_hex(color) for color in colors.values()}) == classes


@pytest.mark.parametrize(("layers", "panels"), [(1, 1), (2, 2), (4, 6), (6, 6)])
@pytest.mark.parametrize("classes", [10, 30])
def test_panels_and_legend(layers, panels, classes):
    figure = Figure(figsize=(10, 7), layout="constrained")
    draw_samples(places(classes, layers), {at: f"layer {at}" for at in range(layers)}, figure)
    FigureCanvasAgg(figure).draw()
    assert len(figure.axes) == panels
    assert sum(ax.axison for ax in figure.axes) == layers
    names = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert names == ([f"kind {i}" for i in range(classes)] if classes == 10 else [])
