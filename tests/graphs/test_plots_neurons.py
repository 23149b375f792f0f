import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from graphs.errors import TableError
from graphs.export.colors import class_colors
from graphs.neuron_graph import layered_graph
from graphs.plots_neurons import (
    MOST_EDGES,
    draw_neurons,
    draw_nulls,
    plot_composition,
    plot_neurons,
)

LABELS = np.array([0, 1, 1, 0, 1, 0], dtype=np.int32)


@pytest.fixture
def graph():
    return layered_graph([[[12, -1.3], [0, 7.4]], [[-8.9, 0.15], [0.23, -5.7]]])


def test_neurons_stand_in_their_layer_in_the_colour_of_their_cluster(graph):
    ax = plot_neurons(graph, LABELS)
    dots = ax.collections[-1]
    assert sorted(dots.get_offsets()[:, 0].tolist()) == [0, 0, 1, 1, 2, 2]
    colors = [to_hex(color) for color in dots.get_facecolors()]
    assert colors == [class_colors(2)[label] for label in LABELS]
    assert sum(len(lines.get_segments()) for lines in ax.collections[:-1]) == 7
    assert ax.get_ylabel() == "neurons, edges"


def test_only_the_strongest_of_many_edges_are_drawn():
    weights = np.arange(1, 70 * 70 + 1, dtype=float).reshape(70, 70)
    ax = plot_neurons(layered_graph([weights]), np.zeros(140, dtype=np.int32))
    assert sum(len(lines.get_segments()) for lines in ax.collections[:-1]) == MOST_EDGES
    assert ax.get_ylabel() == "neurons, the 4,000 strongest of 4,900 edges"


def test_bars_show_what_layers_are_made_of(graph):
    labels = np.array([0, 0, 0, 1, 1, 1], dtype=np.int32)
    heights = [bar.get_height() for bar in plot_composition(graph, labels).patches]
    assert heights == [1, 0.5, 0, 0, 0.5, 1]


def test_both_panels_share_the_layers(graph):
    figure = Figure()
    draw_neurons(graph, LABELS, figure, title="six neurons")
    above, below = figure.axes
    assert above.get_title(loc="left") == "six neurons"
    assert [text.get_text() for text in below.get_xticklabels()] == ["0\n2", "1\n2", "2\n2"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["0", "1"]


def test_histograms_hold_all_shuffles_and_the_line_of_the_network():
    shuffles = pd.DataFrame(
        {"null": ["layer"] * 3 + ["degree"] * 3, "ncut": [2, 2.1, 2.2, 3, 3, 3]}
    )
    nulls = pd.DataFrame(
        {"null": ["layer", "degree"], "z": [-1.5, np.nan], "p": [0.25, 1.0], "shuffles": 3}
    )
    figure = Figure()
    draw_nulls(shuffles, nulls, figure, ncut=1.9)
    for ax in figure.axes:
        assert sum(bar.get_height() for bar in ax.patches) == 3
        assert ax.lines[0].get_xdata() == [1.9, 1.9]
    assert figure.axes[0].get_title(loc="left") == "layer: z = −1.5, p = 0.25 (3 shuffles)"
    assert figure.axes[1].get_title(loc="left") == "degree: p = 1 (3 shuffles)"
    with pytest.raises(TableError, match="has no rows"):
        draw_nulls(shuffles, nulls[:0], Figure(), ncut=1.9)
