"""The participation coefficient as arithmetic, and against networkx' adjacency."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs.errors import GraphError
from graphs.participation import participation
from graphs.snapshots import Snapshot


def snapshot(edges, weights, n):
    edges = np.array(edges, dtype=np.int32).reshape(-1, 2)
    return Snapshot(layer_index=0, layer="", n_nodes=n, edges=edges, weights=np.array(weights))


def test_by_hand():
    # node 0: 0.5 to its own community, 1 to another, 0.5 to a third
    found = participation(
        snapshot([[0, 1], [0, 2], [0, 3], [2, 3]], [0.5, 1.0, 0.5, 1.5], 5), [0, 0, 7, 2, 2]
    )
    expected = [
        1 - (0.5**2 + 1**2 + 0.5**2) / 2**2,
        0,
        1 - (1**2 + 1.5**2) / 2.5**2,
        1 - (0.5**2 + 1.5**2) / 2**2,
        np.nan,
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-15)


def test_links_to_many_communities_alike_come_to_one_less_their_share():
    star = snapshot([[0, leaf] for leaf in range(1, 5)], [0.3] * 4, 5)
    assert participation(star, [0, 1, 2, 3, 4])[0] == pytest.approx(1 - 1 / 4)


@given(st.integers(0, 10**6), st.integers(1, 4))
def test_against_a_dense_matrix(seed, parts):
    rng = np.random.default_rng(seed)
    graph = nx.gnp_random_graph(12, 0.3, seed=seed)
    edges = sorted(tuple(sorted(edge)) for edge in graph.edges)
    weights = rng.random(len(edges)) + 0.01
    communities = rng.integers(0, parts, 12)
    graph.add_weighted_edges_from((*edge, w) for edge, w in zip(edges, weights, strict=True))
    into = nx.to_numpy_array(graph, nodelist=range(12)) @ np.eye(parts)[communities]
    with np.errstate(invalid="ignore"):
        expected = 1 - ((into / into.sum(axis=1, keepdims=True)) ** 2).sum(axis=1)
    found = participation(snapshot(edges, weights, 12), communities)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert np.nanmin(np.append(found, 0)) >= 0


def test_communities_of_other_nodes_are_refused():
    with pytest.raises(GraphError, match=r"shape \(2,\), the graph has 3 nodes; give the comm"):
        participation(snapshot([[0, 1]], [1.0], 3), [0, 0])
