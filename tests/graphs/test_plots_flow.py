"""The alluvial diagram: blocks and bands as high as they should be."""

import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle

from graphs.errors import TableError
from graphs.export.colors import class_colors
from graphs.plots_flow import GAP, flow_legend, plot_flow

COMMUNITIES = pd.DataFrame(
    {
        "layer_index": [0, 0, 1],
        "layer": ["a", "a", "b"],
        "matched": [0, 1, 0],
        "size": [6, 2, 8],
        "majority_class": [1, 0, 1],
        "majority_class_name": ["dog", "cat", "dog"],
        "purity": [1.0, 0.5, 0.75],
    }
)
FLOWS = pd.DataFrame(
    {
        "layer_index": [0, 0],
        "next_layer_index": [1, 1],
        "matched": [0, 1],
        "next_matched": [0, 0],
        "count": [6, 2],
    }
)


def test_heights_are_shares_of_the_samples():
    ax = plot_flow(FLOWS, COMMUNITIES, title="t")
    blocks = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    # by class: the cats first; one gap between the two
    heights = [block.get_height() for block in blocks]
    assert heights == pytest.approx([2 / 8 * (1 - GAP), 6 / 8 * (1 - GAP), 1])
    bands = [patch.get_path().vertices for patch in ax.patches if isinstance(patch, PathPatch)]
    at_end = sorted((band[3][1], band[4][1]) for band in bands)
    # they fill the one block, those of the upper block above
    assert at_end == [pytest.approx((0, 2 / 8)), pytest.approx((2 / 8, 1))]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b"]


def test_classes_are_named():
    figure = Figure()
    flow_legend({0: "cat", 1: "dog"}, figure)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["cat", "dog"]


def test_a_class_has_its_colour_in_every_figure():
    def colour(classes):
        ax = plot_flow(FLOWS, COMMUNITIES, classes=classes)
        # the block of dogs alone is not faded
        return ax.patches[1].get_facecolor()[:3]

    assert colour({0: "cat", 1: "dog", 2: "owl"}) == pytest.approx(to_rgb(class_colors(3)[1]))
    assert colour({1: "dog", 0: "cat"}) == pytest.approx(to_rgb(class_colors(2)[1]))


def test_missing_columns_are_named():
    for column in FLOWS:
        with pytest.raises(TableError, match=f"flows has no column '{column}'"):
            plot_flow(FLOWS.drop(columns=column), COMMUNITIES)
    for column in COMMUNITIES.columns.drop("majority_class_name"):
        with pytest.raises(TableError, match=f"communities has no column '{column}'"):
            plot_flow(FLOWS, COMMUNITIES.drop(columns=column))


def test_blocks_of_the_last_layer_are_named():
    ax = plot_flow(FLOWS, COMMUNITIES, classes={0: "cat", 1: "a very long name of dogs"})
    assert [(text.get_text(), text.get_position()[1]) for text in ax.texts] == [
        ("a very long…", 0.5)
    ]
    assert not plot_flow(FLOWS, COMMUNITIES).texts
