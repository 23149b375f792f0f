"""The bootstrap against Q of a graph in which nodes are written several times."""

import numpy as np
import pytest

from graphs.curves import increment
from graphs.errors import GraphError
from graphs.modularity import modularity
from graphs.neighbors import knn
from graphs.resampling import bootstrap_curves, removal_rates


@pytest.fixture
def layers():
    generator = np.random.default_rng(0)
    labels = generator.integers(3, size=40)
    near, far = generator.normal(size=(2, 40, 5))
    return [knn(near, 3), knn(far + 3 * np.eye(5)[labels], 3)], labels


def test_a_draw_is_the_definition_with_every_node_as_often_as_it_was_drawn(layers):
    graphs, labels = layers
    found = bootstrap_curves(graphs, labels, draws=4, seed=7)
    chosen = np.random.default_rng(7).integers(40, size=(4, 40))
    for draw, rows in enumerate(chosen):
        for layer, graph in enumerate(graphs):
            # A = (D + Dᵀ)/2 with row i of D as often as i was drawn
            directed = np.zeros((40, 40))
            for i in rows:
                directed[i, graph.indices[i]] += np.maximum(graph.weights[i], 0)
            a = (directed + directed.T) / 2
            strength, total = a.sum(axis=1), a.sum()
            same = labels[:, None] == labels
            expected = ((a - np.outer(strength, strength) / total) * same).sum() / total
            assert found[draw, layer] == pytest.approx(expected, abs=1e-12)


def test_draws_lie_around_q(layers):
    graphs, labels = layers
    found = bootstrap_curves(graphs, labels, draws=400)
    q = np.array([modularity(graph.indices, graph.weights, labels).value for graph in graphs])
    assert np.abs(found.mean(axis=0) - q).max() < found.std(axis=0).max()
    assert (found.std(axis=0) > 0.005).all()


def test_the_same_seed_gives_the_same_draws(layers):
    graphs, labels = layers
    first, again, other = (
        bootstrap_curves(graphs, labels, draws=3, seed=seed) for seed in (1, 1, 2)
    )
    assert (first == again).all()
    assert (first != other).any()


def test_rates_count_curves():
    curves = [[0, 0.5, 0.51], [0, 0.01, 0.6], [0, 0.5, 0.6]]
    assert removal_rates(curves, increment).tolist() == [0, 1 / 3, 1 / 3]


def test_other_nodes_and_no_draws_are_refused(layers):
    graphs, labels = layers
    with pytest.raises(GraphError, match="links 40 nodes, there are 39 labels"):
        bootstrap_curves(graphs, labels[:39])
    with pytest.raises(GraphError, match="draws=0 gives no curve"):
        bootstrap_curves(graphs, labels, draws=0)
