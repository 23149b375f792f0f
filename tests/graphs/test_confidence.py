"""Permuted labels against all permutations, written out; intervals by arithmetic."""

import itertools
import math

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from graphs.confidence import bootstrap_interval, mean_interval, permutation_null
from graphs.errors import GraphError
from graphs.modularity import modularity
from graphs.neighbors import knn
from graphs.resampling import bootstrap_curves

# 0 and 1 choose each other, 2 chooses 0, 3 chooses 2, 4 chooses 0
INDICES = np.array([[1], [0], [0], [2], [0]])
WEIGHTS = np.array([[1.0], [0.5], [0.25], [1.0], [0.75]])
LABELS = np.array([7, 7, 9, 9, 9])


def all_permutations(labels):
    return [np.array(labels)[list(order)] for order in itertools.permutations(range(len(labels)))]


def exact_mean(indices, weights, labels):
    """E[Q] = −(1 − Σ n_c(n_c − 1) / (n(n − 1))) Σ s_i²."""
    n = len(labels)
    strength = weights.sum(axis=1) / 2
    np.add.at(strength, indices.ravel(), weights.ravel() / 2)
    share = strength / strength.sum()
    sizes = np.unique(labels, return_counts=True)[1]
    same = (sizes * (sizes - 1)).sum() / (n * (n - 1))
    return -(1 - same) * (share**2).sum()


def test_observed_and_expected_by_hand():
    null = permutation_null(INDICES, WEIGHTS, LABELS)
    # 2W = 3.5: inside 7 the links 01 and 10; inside 9 the link 32; between them 20 and 40
    assert null.classes.tolist() == [7, 9]
    inside, between = [1.5 / 3.5, 1 / 3.5], 1 / 3.5
    assert null.observed == pytest.approx(np.array([[inside[0], between], [between, inside[1]]]))
    a = [inside[0] + between / 2, inside[1] + between / 2]
    expected = [[a[0] ** 2, 2 * a[0] * a[1]], [2 * a[0] * a[1], a[1] ** 2]]
    assert null.expected == pytest.approx(np.array(expected))
    assert null.excess[0, 1] == pytest.approx(between / (2 * a[0] * a[1]))
    assert null.value == pytest.approx(inside[0] - a[0] ** 2 + inside[1] - a[1] ** 2)


def test_many_permutations_agree_with_all_of_them():
    every = [modularity(INDICES, WEIGHTS, labels).value for labels in all_permutations(LABELS)]
    assert np.mean(every) == pytest.approx(exact_mean(INDICES, WEIGHTS, LABELS), abs=1e-12)
    null = permutation_null(INDICES, WEIGHTS, LABELS, permutations=20_000)
    error = 5 * np.std(every) / math.sqrt(20_000)
    assert null.mean == pytest.approx(np.mean(every), abs=error)
    assert null.sd == pytest.approx(np.std(every), rel=0.05)
    reached = np.mean([q >= null.value - 1e-12 for q in every])
    assert null.p == pytest.approx(reached, abs=5 * math.sqrt(reached / 20_000))
    assert {round(q, 9) for q in null.permuted} == {round(q, 9) for q in every}


def test_z_of_pairs_agrees_with_all_permutations():
    pairs = [permutation_null(INDICES, WEIGHTS, labels) for labels in all_permutations(LABELS)]
    differences = np.stack([pair.observed - pair.expected for pair in pairs])
    actual = permutation_null(INDICES, WEIGHTS, LABELS, permutations=20_000)
    z = (actual.observed - actual.expected - differences.mean(axis=0)) / differences.std(axis=0)
    assert actual.z == pytest.approx(z, abs=0.06)


def test_p_and_z_are_their_definitions():
    features = np.random.default_rng(0).normal(size=(60, 4))
    graph = knn(features, 3)
    labels = np.arange(60) % 4
    null = permutation_null(graph.indices, graph.weights, labels, permutations=50, seed=3)
    q = modularity(graph.indices, graph.weights, labels).value
    assert null.value == pytest.approx(q, abs=1e-12)
    assert null.score == pytest.approx((q - null.permuted.mean()) / null.permuted.std(ddof=1))
    assert null.p == (1 + (null.permuted >= q).sum()) / 51
    # each is Q of a permutation: those that numpy draws one after the other
    generator = np.random.default_rng(3)
    for found in null.permuted[:5]:
        permuted = generator.permutation(labels)
        expected = modularity(graph.indices, graph.weights, permuted).value
        assert found == pytest.approx(expected, abs=1e-12)


def test_networkx_counts_the_same_weight_between_classes():
    features = np.random.default_rng(1).normal(size=(40, 5))
    graph, labels = knn(features, 3), np.arange(40) % 3
    undirected = nx.Graph()
    undirected.add_nodes_from(range(40))
    for node, (targets, weights) in enumerate(zip(graph.indices, graph.weights, strict=True)):
        for target, weight in zip(targets.tolist(), weights.tolist(), strict=True):
            before = undirected.get_edge_data(node, target, {"weight": 0.0})["weight"]
            undirected.add_edge(node, target, weight=before + max(weight, 0.0) / 2)
    null = permutation_null(graph.indices, graph.weights, labels)
    total = undirected.size(weight="weight")
    for a, b in itertools.combinations_with_replacement(range(3), 2):
        weight = sum(
            data["weight"]
            for u, v, data in undirected.edges(data=True)
            if {labels[u], labels[v]} == {a, b}
        )
        assert null.observed[a, b] == pytest.approx(weight / total)
    parts = [set(np.flatnonzero(labels == label).tolist()) for label in range(3)]
    assert null.value == pytest.approx(nx.community.modularity(undirected, parts))


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(2, 5), st.floats(1e-3, 1e3))
def test_what_cannot_matter_does_not(seed, n_classes, scale):
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.arange(24) % n_classes)
    graph = knn(generator.normal(size=(24, 3)), 2)
    null = permutation_null(graph.indices, graph.weights, labels, permutations=20)
    named = np.array([f"class {chr(ord('z') - label)}" for label in labels])
    weights = graph.weights.astype(np.float64)
    other = permutation_null(graph.indices, weights * scale, named, permutations=20)
    assert other.permuted == pytest.approx(null.permuted, abs=1e-9)
    assert other.value == pytest.approx(null.value, abs=1e-9)
    assert other.excess[::-1, ::-1] == pytest.approx(null.excess, nan_ok=True)
    rows = np.triu_indices(n_classes)
    assert null.observed[rows].sum() == pytest.approx(1)
    assert null.expected[rows].sum() == pytest.approx(1)
    assert 0 < null.p <= 1
    assert null.mean == pytest.approx(
        exact_mean(graph.indices, np.maximum(weights, 0), labels),
        abs=6 * null.sd / math.sqrt(20) + 1e-9,
    )


def test_blocks_do_not_change_the_permutations(monkeypatch):
    graph, labels = knn(np.random.default_rng(2).normal(size=(50, 4)), 3), np.arange(50) % 5
    whole = permutation_null(graph.indices, graph.weights, labels)
    monkeypatch.setattr("graphs.permuted_pairs._BLOCK", 1)
    single = permutation_null(graph.indices, graph.weights, labels)
    assert (single.permuted == whole.permuted).all()
    assert single.z == pytest.approx(whole.z, abs=1e-9)


def test_of_many_classes_linked_pairs_have_the_same_z(monkeypatch):
    graph, labels = knn(np.random.default_rng(2).normal(size=(50, 4)), 1), np.arange(50) % 9
    whole = permutation_null(graph.indices, graph.weights, labels)
    monkeypatch.setattr("graphs.confidence.MANY_CLASSES", 8)
    linked = permutation_null(graph.indices, graph.weights, labels)
    assert linked.permuted == pytest.approx(whole.permuted, abs=1e-12)
    assert (linked.observed == whole.observed).all()
    there = whole.observed > 0
    assert 0 < there.sum() < there.size
    assert linked.z[there] == pytest.approx(whole.z[there], abs=1e-9)
    assert np.isnan(linked.z[~there]).all()


def test_permutations_that_change_nothing_have_no_z():
    """Every node links to every other: labels do not matter."""
    n = 6
    indices = np.array([[j for j in range(n) if j != i] for i in range(n)])
    null = permutation_null(indices, np.full((n, n - 1), 0.3), [0, 0, 0, 1, 1, 1])
    assert math.isnan(null.score)
    assert np.isnan(null.z).all()
    assert null.p == 1
    assert np.isnan(permutation_null(INDICES, WEIGHTS, LABELS, permutations=1).z).all()


def test_negative_weights_count_as_nothing():
    clipped = permutation_null(INDICES, np.where(WEIGHTS == 0.25, -0.25, WEIGHTS), LABELS)
    zero = permutation_null(INDICES, np.where(WEIGHTS == 0.25, 0, WEIGHTS), LABELS)
    assert clipped.value == zero.value


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (INDICES, WEIGHTS, LABELS[:4]),
            "5 nodes, but 4 labels; give a label for each",
        ),
        ((INDICES, WEIGHTS[:4], LABELS), r"shape \(5, 1\) and weights \(4, 1\) do not fit"),
        ((INDICES, 0 * WEIGHTS, LABELS), "no link has a positive weight"),
        ((INDICES, np.where(WEIGHTS == 1, np.nan, WEIGHTS), LABELS), "a weight is not finite"),
        ((INDICES + 4, WEIGHTS, LABELS), "node 5 does not exist, the graph has the nodes 0 to 4"),
        ((INDICES - 1, WEIGHTS, LABELS), "node -1 does not exist"),
    ],
)
def test_what_cannot_be_permuted_is_refused(arguments, message):
    with pytest.raises(GraphError, match=message):
        permutation_null(*arguments)
    with pytest.raises(GraphError, match="permutations=0 gives no null"):
        permutation_null(INDICES, WEIGHTS, LABELS, permutations=0)


def test_interval_of_drawn_nodes():
    graph, labels = knn(np.random.default_rng(4).normal(size=(80, 4)), 3), np.arange(80) % 2
    low, high = bootstrap_interval(graph, labels, draws=100, level=0.9, seed=5)
    draws = np.sort(bootstrap_curves([graph], labels, draws=100, seed=5)[:, 0])
    # numpy's quantile between the 5th and 6th of 100 values: place 0.05 · 99 = 4.95
    assert low == pytest.approx(draws[4] + 0.95 * (draws[5] - draws[4]))
    assert high == pytest.approx(draws[94] + 0.05 * (draws[95] - draws[94]))


def test_interval_of_the_mean_equals_scipy():
    curves = np.random.default_rng(6).normal(size=(5, 3))
    low, high = mean_interval(curves, level=0.9)
    for layer in range(3):
        rows = curves[:, layer]
        expected = stats.ttest_1samp(rows, 0).confidence_interval(0.9)
        assert (low[layer], high[layer]) == pytest.approx((expected.low, expected.high))
    assert np.isnan(mean_interval(curves[:1])).all()
