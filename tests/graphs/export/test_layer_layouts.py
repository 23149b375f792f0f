import numpy as np
import pandas as pd
import pytest

from graphs.export.layer_layouts import fit, layer_layouts
from graphs.snapshots import DynamicGraph, Snapshot

NODES = 60


def ring(order, index):
    """A ring through the nodes in an order."""
    pairs = np.sort(np.column_stack((order, np.roll(order, 1))), axis=1)
    edges = pairs[np.lexsort(pairs.T[::-1])].astype(np.int32)
    weights = np.ones(len(edges))
    return Snapshot(
        layer_index=index, layer=f"l{index}", n_nodes=len(order), edges=edges, weights=weights
    )


def dynamic(*snapshots):
    nodes = pd.DataFrame({"node": np.arange(snapshots[0].n_nodes)})
    return DynamicGraph(name="clean-r0", nodes=nodes, snapshots=snapshots)


def begin(n=NODES):
    return np.random.default_rng(0).normal(size=(n, 2))


@pytest.mark.parametrize("mirror", [1, -1])
def test_fit_undoes_a_turn_a_mirror_a_shift_and_a_scale(mirror):
    target = begin(20)
    angle = 0.7
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = 5 * target @ turn @ np.diag([1, mirror]) + [30, -4]
    np.testing.assert_allclose(fit(points, target), target - target.mean(axis=0), atol=1e-12)


def test_fit_gives_both_the_same_size_where_they_are_not_alike():
    points, target = begin(20), np.random.default_rng(1).normal(size=(20, 2)) * 7
    sizes = [np.sum((p - p.mean(axis=0)) ** 2) for p in (fit(points, target), target)]
    assert sizes[0] == pytest.approx(sizes[1])


def test_points_that_lie_on_one_another_stay_finite():
    assert np.isfinite(fit(np.zeros((4, 2)), begin(4))).all()


@pytest.mark.parametrize("n", [NODES, 20])  # UMAP, and springs
def test_linked_nodes_come_near_and_the_same_seed_gives_the_same_places(n):
    other = np.random.default_rng(2).permutation(n)
    layers = dynamic(ring(np.arange(n), 0), ring(other, 1))
    places = layer_layouts(layers, begin(n), seed=3)
    assert places.shape == (2, n, 2)
    assert np.abs(places).max() == 1
    np.testing.assert_array_equal(places, layer_layouts(layers, begin(n), seed=3))
    for snapshot, place in zip(layers.snapshots, places, strict=True):
        ends = place[snapshot.edges]
        linked = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1).mean()
        anyhow = np.linalg.norm(place[:, None] - place, axis=2).mean()
        assert linked < anyhow / 2
    assert np.linalg.norm(places[1] - places[0], axis=1).mean() > 0.1


def test_a_layer_begins_where_the_one_before_lies():
    """The same graph twice: its nodes move little, however igraph turns them."""
    same = ring(np.arange(NODES), 0)
    places = layer_layouts(dynamic(same, same), begin())
    apart = np.linalg.norm(places[1] - places[0], axis=1).mean()
    others = np.linalg.norm(places[1] - places[0][::-1], axis=1).mean()
    assert apart < 0.6 * others


@pytest.mark.parametrize("n", [NODES, 20])
def test_without_links_all_stay_where_they_were(n):
    bare = Snapshot(
        layer_index=1, layer="b", n_nodes=n, edges=np.empty((0, 2), np.int32), weights=np.empty(0)
    )
    places = layer_layouts(dynamic(ring(np.arange(n), 0), bare), begin(n))
    np.testing.assert_allclose(places[1], places[0], atol=2e-4)  # rounded


def test_pythons_own_generator_is_left_as_it_was():
    import random

    state = random.getstate()
    layer_layouts(dynamic(ring(np.arange(10), 0)), begin(10))
    assert random.getstate() == state
