"""Heat maps of pairs of layers: names, scales, what is grey, and that they render."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from graphs.layer_pairs import MEASURES, Layers, mean_pairs, pair_table
from graphs.plots_similarity import panel_size, plot_pairs


def means(count, *, other=None, cka=None):
    first = Layers(run="one", names=[f"layer{i // 9}.{i}" for i in range(count)])
    second = other or first
    shape = (count, len(second.names))
    alike = 1 / (1 + np.abs(np.subtract.outer(np.arange(shape[0]), np.arange(shape[1]))))
    measures = dict.fromkeys(MEASURES, alike) | {"modularity_difference": 1 - alike}
    measures |= {} if cka is None else {"cka": cka}
    return mean_pairs(pair_table(first, second, repeat=0, measures=measures))


def names(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


@pytest.mark.parametrize("value", MEASURES)
@pytest.mark.parametrize("count", [1, 2, 10, 30, 70])
def test_rendered_with_readable_names(value, count):
    table = means(count)
    width, height = panel_size(table)
    figure = Figure(figsize=(width, height), layout="constrained")
    ax = plot_pairs(table, figure.subplots(), value=value)
    FigureCanvasAgg(figure).draw()
    for axis in (ax.xaxis, ax.yaxis):
        shown = names(axis)
        assert len(shown) == (count if count <= 32 else -(-count // 3))
        assert shown[0] == ("layer0.0" if count <= 32 else "0")
        boxes = [label.get_window_extent() for label in axis.get_ticklabels()]
        along = "y0" if axis is ax.yaxis else "x0"
        if count > 1:
            gaps = np.abs(np.diff([getattr(box, along) for box in boxes]))
            assert gaps.min() > 8, "names overlap"


def test_scales():
    table = means(4)
    scale = {value: plot_pairs(table, value=value).collections[0].get_clim() for value in MEASURES}
    assert scale["cka"] == (0.0, 1.0)
    assert scale["neighbor_overlap"] == (0.0, 1.0)
    assert scale["modularity_difference"] == (0.0, 0.75)


def test_two_runs_are_named_on_the_axes():
    other = Layers(run="two", names=["x", "y", "z"])
    ax = plot_pairs(means(2, other=other), value="neighbor_overlap")
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("one", "two")
    assert names(ax.xaxis) == ["x", "y", "z"]
    assert plot_pairs(means(2)).get_ylabel() == ""


def test_pairs_without_a_value_are_left_grey():
    cka = np.full((3, 3), np.nan)
    cka[:2, :2] = -0.1
    ax = plot_pairs(means(3, cka=cka))
    assert ax.collections[0].get_array().mask.sum() == 9 - 4
    assert ax.collections[0].get_clim() == (-0.1, 1.0)
    assert ax.get_facecolor()[:3] == (0.8, 0.8, 0.8)
    plot_pairs(means(2, cka=np.full((2, 2), np.nan)))


def test_long_names_are_cut():
    first = Layers(run="one", names=["features.module.block.12.conv", "b"])
    measures = dict.fromkeys(MEASURES, np.ones((2, 2)))
    table = mean_pairs(pair_table(first, first, repeat=0, measures=measures))
    assert names(plot_pairs(table).yaxis) == ["features.module.blo…", "b"]
    assert isinstance(table, pd.DataFrame)
