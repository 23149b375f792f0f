"""Figures of pruned networks: what is drawn where."""

import pandas as pd
import pytest

from graphs.errors import TableError
from graphs.plots_pruned import plot_networks, plot_single_layers

NETWORKS = pd.DataFrame(
    {
        "criterion": ["nothing removed", "tail", "modularity"],
        "original": 0.9,
        "surgery": [0.9, 0.2, 0.3],
        "tuned": [0.92, 0.6, 0.8],
        "tuned_low": [0.9, 0.55, 0.75],
        "tuned_high": [0.94, 0.65, 0.85],
    }
)
LAYERS = pd.DataFrame(
    {
        "layer": ["a", "b", "c"],
        "gain": [0.1, 0.2, 0.3],
        "gain_sd": [0.01, 0.02, 0.03],
        "accuracy": [0.8, 0.7, 0.6],
        "accuracy_low": [0.75, 0.65, 0.55],
        "accuracy_high": [0.85, 0.75, 0.65],
        "accuracy_lost": [0.1, 0.2, 0.3],
    }
)


def test_the_best_network_is_on_top():
    ax = plot_networks(NETWORKS)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["tail", "modularity"]
    rings = next(line for line in ax.lines if line.get_label() == "after surgery")
    assert rings.get_xdata().tolist() == [0.2, 0.3]


def test_a_dot_a_layer_and_the_correlation():
    ax = plot_single_layers(LAYERS)
    assert ax.get_title(loc="left") == "one layer at a time: rho = 1.00"
    assert sorted(text.get_text() for text in ax.texts) == ["a", "b", "c"]
    assert plot_single_layers(LAYERS.iloc[:2]).get_title(loc="left") == "one layer at a time"


@pytest.mark.parametrize("plot", [plot_networks, plot_single_layers])
def test_a_missing_column_is_named(plot):
    with pytest.raises(TableError, match="has no column"):
        plot(pd.DataFrame({"layer": ["a"]}))
