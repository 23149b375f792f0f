"""Leiden on graphs with a known best partition; agreement by hand and by scikit-learn."""

import random

import igraph
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from graphs.communities import leiden, number_by_size, partition_agreement
from graphs.errors import GraphError
from graphs.snapshots import Snapshot

partitions = st.integers(1, 25).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(0, 6), min_size=n, max_size=n)] * 2)
)


def snapshot(edges, *, n, weights=None):
    edges = np.array(edges, dtype=np.int32).reshape(-1, 2)
    weights = np.ones(len(edges)) if weights is None else np.asarray(weights, dtype=float)
    return Snapshot(layer_index=0, layer="conv1", n_nodes=n, edges=edges, weights=weights)


def cliques(*sizes):
    edges, start = [], 0
    for size in sizes:
        nodes = range(start, start + size)
        edges += [(i, j) for i in nodes for j in nodes if i < j]
        start += size
    return edges, start


@pytest.fixture
def random_graph():
    rng = np.random.default_rng(1)
    pairs = np.array([(i, j) for i in range(80) for j in range(i + 1, 80)])
    chosen = pairs[rng.random(len(pairs)) < 0.08]
    return snapshot(chosen, n=80, weights=rng.random(len(chosen)))


def test_cliques_are_found_and_numbered_by_size():
    edges, n = cliques(3, 5, 4)
    found = leiden(snapshot([*edges, (2, 3), (7, 8)], n=n), seed=0)
    assert found.dtype == np.int32
    assert found.tolist() == [2] * 3 + [0] * 5 + [1] * 4


def test_equal_sizes_are_numbered_by_smallest_node():
    edges, n = cliques(3, 3, 3)
    assert leiden(snapshot(edges, n=n), seed=5).tolist() == [0] * 3 + [1] * 3 + [2] * 3


def test_isolated_nodes_are_communities_of_their_own():
    assert leiden(snapshot([(1, 2)], n=4), seed=0).tolist() == [1, 0, 0, 2]


def test_weights_decide():
    # A square: the two heavy sides are the communities, whichever they are.
    square = [(0, 1), (1, 2), (2, 3), (0, 3)]
    assert leiden(snapshot(square, n=4, weights=[9, 1, 9, 1]), seed=0).tolist() == [0, 0, 1, 1]
    assert leiden(snapshot(square, n=4, weights=[1, 9, 1, 9]), seed=0).tolist() == [0, 1, 1, 0]


def test_the_optimum_of_zachary():
    # The largest modularity of Zachary's karate club is 0.4198 (Brandes et al. 2008).
    club = igraph.Graph.Famous("Zachary")
    found = leiden(snapshot(club.get_edgelist(), n=34), seed=0)
    assert club.modularity(found.tolist()) == pytest.approx(0.4198, abs=5e-5)


def test_resolution(random_graph):
    coarse, fine = (leiden(random_graph, seed=0, resolution=r) for r in (0.1, 5.0))
    assert coarse.max() < leiden(random_graph, seed=0).max() < fine.max()


def test_same_seed_same_communities_and_random_is_left_alone(random_graph):
    random.seed(7)
    state = random.getstate()
    first = leiden(random_graph, seed=3)
    assert random.getstate() == state
    random.seed(8)
    assert leiden(random_graph, seed=3).tolist() == first.tolist()
    assert any(leiden(random_graph, seed=s).tolist() != first.tolist() for s in range(10))


def test_igraph_draws_from_random_again_afterwards(random_graph):
    leiden(random_graph, seed=3)
    random.seed(1)
    first = igraph.Graph.Erdos_Renyi(n=30, m=60).get_edgelist()
    random.seed(1)
    assert igraph.Graph.Erdos_Renyi(n=30, m=60).get_edgelist() == first


@pytest.mark.parametrize("resolution", [0, -1, float("nan"), float("inf")])
def test_resolution_must_be_positive(resolution):
    with pytest.raises(GraphError, match=f"resolution={resolution} is no positive number"):
        leiden(snapshot([(0, 1)], n=2), seed=0, resolution=resolution)


def test_number_by_size():
    assert number_by_size(["x", "y", "y", "z", "z"]).tolist() == [2, 0, 0, 1, 1]
    assert number_by_size([]).tolist() == []


def test_agreement_by_hand():
    # Contingency [[2, 0], [1, 1]]. Mutual information ½ log(4/3) + ¼ log(2/3) + ¼ log 2.
    agreement = partition_agreement([0, 0, 1, 1], [0, 0, 0, 1])
    information = np.log(4 / 3) / 2 + np.log(2 / 3) / 4 + np.log(2) / 4
    entropies = [np.log(2), -(3 / 4) * np.log(3 / 4) - (1 / 4) * np.log(1 / 4)]
    assert agreement.nmi == pytest.approx(information / np.mean(entropies))
    # Pairs together in both 1, in the first 2, in the second 3, of 6: expected 2·3/6 = 1.
    assert agreement.ari == pytest.approx((1 - 1) / ((2 + 3) / 2 - 1))


@given(partitions)
def test_agreement_is_symmetric_and_blind_to_names(pair):
    a, b = pair
    agreement = partition_agreement(a, b)
    assert agreement == pytest.approx(partition_agreement(b, a), abs=1e-9)
    assert agreement == pytest.approx(partition_agreement([f"n{9 - x}" for x in a], b), abs=1e-9)
    assert partition_agreement(a, a) == pytest.approx((1.0, 1.0, 1.0))


def test_agreement_equals_scikit_learn():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 5, (2, 200))
    agreement = partition_agreement(a, b)
    assert agreement.ami == pytest.approx(adjusted_mutual_info_score(a, b))
    assert agreement.ari == pytest.approx(adjusted_rand_score(a, b))


def test_many_small_communities_do_not_warn():
    assert partition_agreement(np.arange(60), np.arange(60)[::-1]).nmi == pytest.approx(1.0)


@pytest.mark.parametrize("other", [[0, 1, 2], [[0, 1]]])
def test_partitions_of_other_nodes_are_refused(other):
    with pytest.raises(GraphError, match="cannot be compared; give two partitions of the same"):
        partition_agreement([0, 1], other)
