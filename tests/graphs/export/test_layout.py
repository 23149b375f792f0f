import random
from itertools import combinations

import numpy as np
import pytest

from graphs.export import joint_layout
from graphs.export.layout import union_weights


def blocks(make_dynamic, size, *, seed=0):
    """Two classes of `size` nodes with ten times as many links inside as between them."""
    rng = np.random.default_rng(seed)
    labels = [0] * size + [1] * size
    layers = []
    for _ in range(2):
        pairs = combinations(range(2 * size), 2)
        layers.append(
            {
                (a, b): 1.0
                for a, b in pairs
                if rng.random() < (0.1 if labels[a] == labels[b] else 0.01)
            }
        )
    return make_dynamic(layers, samples=range(2 * size), labels=labels)


def test_weights_are_summed_over_layers(dynamic):
    edges, weights = union_weights(dynamic)
    assert edges.tolist() == [[0, 1], [0, 2], [1, 3], [2, 3]]
    assert weights.tolist() == [0.5 + 0.75 + 0.125, 0.25, 0.5, 1.0 + 0.25]


@pytest.mark.parametrize("size", [10, 60])
def test_classes_lie_apart(make_dynamic, size):
    place = joint_layout(blocks(make_dynamic, size))
    middles = place[:size].mean(axis=0), place[size:].mean(axis=0)
    nearer = [int(np.hypot(*(one - middles[1])) < np.hypot(*(one - middles[0]))) for one in place]
    wrong = np.count_nonzero(np.array(nearer) != np.repeat([0, 1], size))
    assert wrong <= 0.1 * 2 * size


def test_the_extent_suits_the_node_sizes_of_gephi(make_dynamic):
    place = joint_layout(blocks(make_dynamic, 60))
    assert place.shape == (120, 2)
    assert place.dtype == np.float64
    assert np.abs(place).max() == pytest.approx(500 + 500 * 120 / 5000)
    assert place.max(axis=0) == pytest.approx(-place.min(axis=0), abs=2e-3)


def test_the_seed_decides_and_python_s_generator_is_left_alone(make_dynamic):
    dynamic = blocks(make_dynamic, 60)
    state = random.getstate()
    first = joint_layout(dynamic, seed=4)
    assert random.getstate() == state
    random.random()
    assert np.array_equal(joint_layout(dynamic, seed=4), first)
    assert not np.array_equal(joint_layout(dynamic, seed=5), first)


def test_isolated_nodes_lie_around_the_others(make_dynamic):
    layer = dict.fromkeys(combinations(range(5), 2), 1.0)
    place = joint_layout(make_dynamic([layer], samples=range(8), labels=[0] * 8))
    middle = (place[:5].max(axis=0) + place[:5].min(axis=0)) / 2
    radius = np.hypot(*(place - middle).T)
    assert radius[5:].min() > radius[:5].max()
    assert len(np.unique(place, axis=0)) == 8


@pytest.mark.parametrize("layer", [{}, {(0, 1): 1e-30}])
def test_hardly_any_edge(make_dynamic, layer):
    place = joint_layout(make_dynamic([layer]))
    assert np.isfinite(place).all()
    assert len(np.unique(place, axis=0)) == 4


def test_one_node(make_dynamic):
    assert joint_layout(make_dynamic([{}], samples=[0], labels=[0])).tolist() == [[0.0, 0.0]]
