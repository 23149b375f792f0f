import warnings
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.cluster import SpectralClustering
from sklearn.metrics import adjusted_rand_score

from graphs import spectral
from graphs.errors import GraphError
from graphs.neuron_graph import layered_graph
from graphs.spectral import (
    cluster_volumes,
    count_components,
    newman_modularity,
    normalized_cut,
    spectral_partition,
)


def blocks(sizes=(12, 15, 9), inside=1.0, outside=0.05, seed=0):
    """A weighted graph with clear parts, and the parts."""
    rng = np.random.default_rng(seed)
    part = np.repeat(np.arange(len(sizes)), sizes)
    weights = rng.uniform(0.5, 1.5, (len(part), len(part)))
    weights *= np.where(part[:, None] == part, inside, outside)
    weights = np.triu(weights, 1)
    return weights + weights.T, part


def layers(widths=(120, 90, 60, 10), density=1.0, seed=0):
    rng = np.random.default_rng(seed)
    return layered_graph(
        [rng.uniform(-1, 1, (a, b)) * (rng.random((a, b)) < density) for a, b in pairwise(widths)]
    ).adjacency


def test_the_n_cut_of_the_published_fixture():
    graph = layered_graph([[[12, -1.3], [0, 7.4]], [[-8.9, 0.15], [0.23, -5.7]]])
    value = normalized_cut(graph.adjacency, [0, 1, 0, 1, 0, 1])
    cut = 1.3 + 0.15 + 0.23
    even = 12 + (12 + 8.9 + 0.15) + (8.9 + 0.23) + 1.3
    odd = (1.3 + 7.4) + (7.4 + 0.23 + 5.7) + (0.15 + 5.7)
    assert value == pytest.approx(cut / 43.48 + cut / 27.88, abs=1e-12)
    assert value == pytest.approx(cut / even + cut / odd, abs=1e-12)
    assert round(value, 4) == 0.0989


def test_n_cut_and_modularity_are_those_of_networkx():
    adjacency, part = blocks()
    graph = nx.from_numpy_array(adjacency)
    sets = [set(np.flatnonzero(part == k)) for k in range(3)]
    cuts = sum(nx.cut_size(graph, s, weight="weight") / nx.volume(graph, s, "weight") for s in sets)
    assert normalized_cut(adjacency, part) == pytest.approx(cuts)
    two = part > 0
    expected = nx.normalized_cut_size(graph, set(np.flatnonzero(two)), weight="weight")
    assert normalized_cut(csr_array(adjacency), two) == pytest.approx(expected)
    expected = nx.community.modularity(graph, sets)
    assert newman_modularity(adjacency, part) == pytest.approx(expected)


def test_equal_volumes_tie_modularity_to_the_n_cut():
    ring = np.roll(np.eye(12), 1, axis=1)
    adjacency, part = ring + ring.T, np.repeat([0, 1, 2], 4)
    ncut = normalized_cut(adjacency, part)
    assert ncut == pytest.approx(3 * 2 / 8)
    assert newman_modularity(adjacency, part) == pytest.approx((3 - 1 - ncut) / 3)


def test_clear_parts_are_found_and_numbered_as_they_appear():
    adjacency, part = blocks()
    assert spectral_partition(adjacency, 3, seed=1).tolist() == part.tolist()
    assert spectral_partition(csr_array(adjacency), 3, seed=1).dtype == np.int32


def test_the_partition_is_as_good_as_that_of_scikit_learn():
    adjacency, _ = blocks((60, 90, 80, 70), outside=0.6)
    ours = spectral_partition(adjacency, 4, seed=0)
    theirs = SpectralClustering(
        4, affinity="precomputed", assign_labels="kmeans", n_init=25, random_state=0
    ).fit_predict(adjacency)
    assert adjusted_rand_score(ours, theirs) > 0.99
    assert normalized_cut(adjacency, ours) == pytest.approx(
        normalized_cut(adjacency, theirs), rel=1e-3
    )


@pytest.mark.parametrize("density", [1.0, 0.1])
def test_all_ways_to_the_eigenvectors_span_the_same_space(density):
    matrix = layers(density=density)
    root = np.sqrt(matrix.sum(axis=0))
    scaled = csr_array(matrix.multiply(1 / root[:, None]).multiply(1 / root[None, :]))
    dense = np.linalg.eigh(scaled.toarray())[1][:, -6:]
    for found in (
        spectral._bipartite_vectors(scaled, 6),
        spectral._searched_vectors(scaled, 6, seed=0),
    ):
        assert np.allclose(found.T @ found, np.eye(6), atol=1e-9)
        assert np.allclose(found @ found.T, dense @ dense.T, atol=1e-7)


def test_a_graph_with_an_odd_cycle_has_no_two_sides():
    triangle = csr_array(np.ones((3, 3)) - np.eye(3))
    assert spectral._sides(triangle) is None
    square = csr_array(np.roll(np.eye(4), 1, axis=1) + np.roll(np.eye(4), -1, axis=1))
    assert spectral._sides(square).tolist() == [False, True, False, True]


def test_more_parts_than_clusters_cost_nothing():
    pairs = np.kron(np.eye(300), np.ones((2, 2))) - np.eye(600)
    labels = spectral_partition(pairs, 4, seed=0)
    assert normalized_cut(pairs, labels) == pytest.approx(0)
    assert count_components(csr_array(pairs)) == 300


def test_nodes_without_edges_have_no_cluster():
    adjacency = np.zeros((5, 5))
    adjacency[0, 1] = adjacency[1, 0] = adjacency[3, 4] = adjacency[4, 3] = 1
    labels = spectral_partition(adjacency, 2, seed=0)
    assert labels.tolist() == [0, 0, -1, 1, 1]
    assert normalized_cut(adjacency, labels) == 0
    assert count_components(csr_array(adjacency)) == 2


def test_the_same_seed_gives_the_same_labels_whatever_the_scale():
    matrix = layers()
    first = spectral_partition(matrix, 5, seed=3)
    assert (first == spectral_partition(matrix, 5, seed=3)).all()
    assert (first == spectral_partition(matrix * 1024, 5, seed=3)).all()


def test_as_many_clusters_as_nodes():
    adjacency, _ = blocks((2, 2))
    labels = spectral_partition(adjacency, 4, seed=0)
    assert sorted(labels.tolist()) == [0, 1, 2, 3]
    assert normalized_cut(adjacency, labels) == pytest.approx(4)


def test_clusters_that_stay_empty_are_not_numbered():
    pair = np.array([[0.0, 1], [1, 0]])
    twins = np.kron(np.ones((2, 2)), pair)  # four nodes, two distinct points
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        labels = spectral_partition(twins, 3, seed=0)
    assert labels.max() < 3
    assert set(labels.tolist()) == set(range(labels.max() + 1))


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(2, 5), st.floats(1e-6, 1e6))
def test_invariants_of_the_n_cut(seed, clusters, scale):
    rng = np.random.default_rng(seed)
    adjacency = np.triu(rng.random((12, 12)), 1)
    adjacency += adjacency.T
    labels = np.concatenate((np.arange(clusters), rng.integers(clusters, size=12 - clusters)))
    value, q = normalized_cut(adjacency, labels), newman_modularity(adjacency, labels)
    assert 0 <= value <= clusters
    order = rng.permutation(12)
    moved = adjacency[order][:, order]
    assert normalized_cut(moved, labels[order]) == pytest.approx(value)
    assert newman_modularity(moved, labels[order]) == pytest.approx(q)
    assert normalized_cut(adjacency * scale, clusters - 1 - labels) == pytest.approx(value)
    volume, inside = cluster_volumes(adjacency, labels)
    share, ratio = volume / volume.sum(), 1 - inside / volume
    assert value == pytest.approx(ratio.sum())
    assert q == pytest.approx(((1 - ratio) * share - share**2).sum())


@pytest.mark.parametrize(
    ("matrix", "clusters", "message"),
    [
        (np.eye(2)[::-1], 0, "clusters=0 divide nothing; give at least 1"),
        (np.eye(2)[::-1], -3, "clusters=-3 divide nothing"),
        (np.eye(2)[::-1], 3, "clusters=3 need at least 3 nodes with edges, this graph has 2; low"),
        (np.zeros((2, 2)), 1, "this graph has 0"),
        (np.ones((2, 3)), 1, r"adjacency matrix of shape \(2, 3\); give a square one"),
        (np.array([[0, 1], [2, 0]]), 1, r"is not symmetric; take \(A \+ A.T\) / 2"),
        (np.array([[0, -1], [-1, 0]]), 1, r"holds a negative weight \(-1\); take absolute"),
        (np.array([[0, np.nan], [np.nan, 0]]), 1, "holds NaN or infinite values; look"),
    ],
)
def test_bad_graphs_are_refused(matrix, clusters, message):
    with pytest.raises(GraphError, match=message):
        spectral_partition(matrix, clusters, seed=0)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0], r"\(1,\) labels for a graph of 2 nodes; give one label a node"),
        ([-1, -1], "no node has a label of 0 or more"),
        ([0, -1], "cluster 0 has no edges"),
    ],
)
def test_bad_labels_are_refused(labels, message):
    with pytest.raises(GraphError, match=message):
        normalized_cut(np.eye(2)[::-1], labels)
