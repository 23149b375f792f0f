import numpy as np
import pytest
from scipy.stats import spearmanr

from graphs.correlation_graph import correlation_graph
from graphs.errors import ActivationError


def test_edges_are_scipys_squared_correlations():
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=(30, 4)), generator.normal(size=(30, 3)).round(1)
    graph = correlation_graph({"a": first, "b": second})
    expected = spearmanr(np.hstack([first, second])).statistic ** 2
    np.fill_diagonal(expected, 0)
    assert graph.adjacency.toarray() == pytest.approx(expected)
    assert graph.layer.tolist() == [0, 0, 0, 0, 1, 1, 1]


def test_constant_neurons_are_left_out():
    values = np.random.default_rng(1).normal(size=(20, 4))
    values[:, 2] = 3
    graph = correlation_graph({"a": values})
    assert graph.unit.tolist() == [0, 1, 3]
    assert graph.widths == (4,)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ({}, "none cannot be correlated"),
        ({"a": np.ones((2, 3))}, r"a \(2, 3\) cannot"),
        ({"a": np.ones((5, 3)), "b": np.ones((4, 3))}, r"b \(4, 3\)"),
        ({"a": np.full((5, 3), np.nan)}, "layer a puts out values that are not finite"),
    ],
)
def test_what_is_refused(layers, message):
    with pytest.raises(ActivationError, match=message):
        correlation_graph(layers)
