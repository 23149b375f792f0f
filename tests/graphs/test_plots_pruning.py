from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from graphs.errors import TableError
from graphs.plots_pruning import NAMED, plot_scores, scores_size


def scores(values, repeats=1):
    rows = [
        (name, repeat, index, f"layer{index}", score)
        for name, line in values.items()
        for repeat in range(repeats)
        for index, score in enumerate(line)
    ]
    return pd.DataFrame(rows, columns=["criterion", "repeat", "layer_index", "layer", "score"])


def colours(ax):
    return ax.collections[0].get_array()


def test_colours_are_ranks_among_the_layers_that_can_go():
    table = scores({"b": [99, 10, 30, 20, -99], "a": [0, 5, 5, np.nan, 0]}, repeats=2)
    removable = ["layer1", "layer2", "layer3"]
    ax = plot_scores(table, {"b": ["layer1"], "a": []}, removable=removable)
    found = np.ma.filled(colours(ax).reshape(2, 5), np.nan)
    expected = [[np.nan, 0, 1, 0.5, np.nan], [np.nan, 0.5, 0.5, np.nan, np.nan]]
    np.testing.assert_array_equal(found, expected)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["b", "a"]
    assert ax.get_xticklabels()[0].get_text() == "layer0"


def test_layers_that_would_go_are_crossed_out():
    table = scores({"b": [1, 2, 3], "a": [3, 2, 1]})
    removed = {"b": ["layer1"], "a": ["layer2", "layer1"]}
    ax = plot_scores(table, removed, removable=["layer1", "layer2"])
    places = {tuple(point) for point in ax.collections[-1].get_offsets().tolist()}
    assert places == {(1.5, 0.5), (1.5, 1.5), (2.5, 1.5)}
    plain = plot_scores(table, {}, removable=["layer1"])
    assert len(plain.collections) == 1


@pytest.mark.parametrize("count", [1, 3, 28, 100])
def test_rendered_with_readable_names(count):
    table = scores({f"criterion-{row}": range(count) for row in range(15)})
    figure = Figure(figsize=scores_size(table), layout="constrained")
    removed = {"criterion-3": ["layer0"]}
    layers = [f"layer{index}" for index in range(count)]
    ax = plot_scores(table, removed, figure.subplots(), removable=layers)
    FigureCanvasAgg(figure).draw()
    labels = ax.get_xticklabels()
    assert len(labels) == (count if count <= NAMED else -(-count // 3))
    boxes = [label.get_window_extent() for label in labels]
    assert all(a.x1 <= b.x0 for a, b in pairwise(boxes))


def test_empty_tables_are_refused():
    with pytest.raises(TableError, match="criteria has no rows"):
        plot_scores(scores({}), {}, removable=[])
