"""Multislice modularity as arithmetic and against a dense float64 sum; limits of the coupling."""

import importlib.util

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs.communities import leiden
from graphs.errors import GraphError, ResourceError
from graphs.modularity import modularity_of_edges
from graphs.multislice import multislice_communities, multislice_modularity
from graphs.snapshots import Snapshot

needs_leidenalg = pytest.mark.skipif(
    importlib.util.find_spec("leidenalg") is None, reason="needs the extra multislice"
)


def snapshot(edges, weights=None, *, n=6):
    edges = np.array(edges, dtype=np.int32).reshape(-1, 2)
    weights = np.ones(len(edges)) if weights is None else np.array(weights, dtype=float)
    return Snapshot(layer_index=0, layer="", n_nodes=n, edges=edges, weights=weights)


# two triangles; then 2 has gone over to the other one
FIRST = snapshot([[0, 1], [0, 2], [1, 2], [3, 4], [3, 5], [4, 5]])
SECOND = snapshot([[0, 1], [2, 3], [2, 4], [2, 5], [3, 4], [3, 5], [4, 5]])
APART = [[0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1]]


def test_by_hand():
    # 2m = 12 and 14; strengths of the parts 6, 6 and 2, 12; five of six couplings keep their part
    inside = (12 - (6**2 + 6**2) / 12) + (14 - (2**2 + 12**2) / 14) + 2 * 0.5 * 5
    found = multislice_modularity([FIRST, SECOND], APART, coupling=0.5)
    assert found == pytest.approx(inside / (12 + 14 + 2 * 0.5 * 6), abs=1e-15)


def test_without_coupling_it_is_the_weighted_mean_of_the_layers():
    alone = [
        modularity_of_edges(layer.edges, layer.weights, np.array(part)).value
        for layer, part in zip([FIRST, SECOND], APART, strict=True)
    ]
    found = multislice_modularity([FIRST, SECOND], APART, coupling=0)
    assert found == pytest.approx((12 * alone[0] + 14 * alone[1]) / 26)


def dense(layers, parts, *, coupling, resolution):
    """The sum over all pairs of (node, layer), as Mucha et al. write it."""
    n, count = layers[0].n_nodes, len(layers)
    supra, null = np.zeros((2, n * count, n * count))
    for at, layer in enumerate(layers):
        a = np.zeros((n, n))
        a[layer.edges[:, 0], layer.edges[:, 1]] = layer.weights
        a += a.T
        block = slice(at * n, (at + 1) * n)
        supra[block, block] = a
        null[block, block] = np.outer(a.sum(0), a.sum(0)) / a.sum()
    for at in range(count - 1):
        here, after = np.arange(at * n, (at + 1) * n), np.arange((at + 1) * n, (at + 2) * n)
        supra[here, after] = supra[after, here] = coupling
    same = np.equal.outer(np.ravel(parts), np.ravel(parts))
    return ((supra - resolution * null) * same).sum() / supra.sum()


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.floats(0, 3), st.floats(0.3, 2))
def test_against_the_sum_over_all_pairs(seed, coupling, resolution):
    rng = np.random.default_rng(seed)
    pairs = np.array([(i, j) for i in range(6) for j in range(i + 1, 6)])
    layers = []
    for _ in range(3):
        chosen = pairs[rng.random(len(pairs)) < 0.5]
        chosen = chosen if len(chosen) else pairs[:1]
        layers.append(snapshot(chosen, rng.random(len(chosen)) + 0.1))
    parts = rng.integers(0, 3, (3, 6))
    options = {"coupling": coupling, "resolution": resolution}
    found = multislice_modularity(layers, parts, **options)
    assert found == pytest.approx(dense(layers, parts, **options), abs=1e-12)


@needs_leidenalg
def test_a_strong_coupling_gives_one_partition():
    found = multislice_communities([FIRST, SECOND, FIRST], coupling=100.0, seed=0)
    assert (found == found[0]).all()
    assert found[0].tolist() == [0, 0, 0, 1, 1, 1]


@needs_leidenalg
def test_without_coupling_layers_are_on_their_own():
    rng = np.random.default_rng(3)
    blocks = np.repeat(np.arange(4), 8)
    layers = []
    for _ in range(3):
        near = np.triu(np.equal.outer(blocks, blocks), 1) & (rng.random((32, 32)) < 0.7)
        far = np.triu(rng.random((32, 32)) < 0.02, 1)
        layers.append(snapshot(np.argwhere(near | far), n=32))
    found = multislice_communities(layers, coupling=0.0, seed=0)
    # no community is in two layers
    assert sum(len(np.unique(part)) for part in found) == len(np.unique(found))
    for layer, part in zip(layers, found, strict=True):
        expected = modularity_of_edges(layer.edges, layer.weights, leiden(layer, seed=0)).value
        value = modularity_of_edges(layer.edges, layer.weights, part).value
        assert value == pytest.approx(expected)


@needs_leidenalg
def test_it_finds_the_best_partition_of_a_small_graph():
    # every node may change its mind once more: none gains
    layers, coupling = [FIRST, SECOND], 0.4
    found = multislice_communities(layers, coupling=coupling, seed=1)
    best = multislice_modularity(layers, found, coupling=coupling)
    assert best >= multislice_modularity(layers, APART, coupling=coupling) - 1e-12
    for layer in range(2):
        for node in range(6):
            for other in range(found.max() + 2):
                moved = found.copy()
                moved[layer, node] = other
                assert multislice_modularity(layers, moved, coupling=coupling) <= best + 1e-12


@needs_leidenalg
def test_same_seed_same_communities():
    once, again = (
        multislice_communities([FIRST, SECOND], coupling=0.3, seed=2**40 + 1) for _ in range(2)
    )
    assert (once == again).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"coupling": -1.0}, "coupling=-1 is no weight; give 0 or more: --coupling 0.2"),
        ({"coupling": float("nan")}, "coupling=nan is no weight"),
        ({"resolution": 0.0}, "resolution=0.0 is no positive number"),
    ],
)
def test_what_cannot_be_is_refused(change, message):
    options = {"coupling": 1.0, "resolution": 1.0} | change
    with pytest.raises(GraphError, match=message):
        multislice_modularity([FIRST, SECOND], APART, **options)
    with pytest.raises(GraphError, match=message):
        multislice_communities([FIRST, SECOND], seed=0, **options)


def test_layers_of_other_nodes_are_refused():
    with pytest.raises(GraphError, match=r"the layers have \[2, 6\] nodes; give layers over"):
        multislice_modularity([FIRST, snapshot([[0, 1]], n=2)], APART, coupling=1.0)
    with pytest.raises(GraphError, match="the layers have no nodes"):
        multislice_modularity([], [], coupling=1.0)
    with pytest.raises(GraphError, match=r"shape \(1, 6\), there are 2 layers of 6 nodes"):
        multislice_modularity([FIRST, SECOND], APART[:1], coupling=1.0)


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "leidenalg", None)
    with pytest.raises(ResourceError, match=r"not installed; pip install .*\[multislice\]"):
        multislice_communities([FIRST, SECOND], coupling=1.0, seed=0)
