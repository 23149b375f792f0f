"""Random graphs of the same degrees: what they keep, and what Leiden finds in them."""

import igraph
import numpy as np
import pytest

from graphs.communities import leiden
from graphs.errors import GraphError
from graphs.modularity import modularity_of_edges
from graphs.rewiring import rewired_modularity
from graphs.snapshots import Snapshot


def snapshot(graph, weights=None):
    edges = np.sort(np.array(graph.get_edgelist(), dtype=np.int32), axis=1)
    weights = np.ones(len(edges)) if weights is None else weights
    return Snapshot(
        layer_index=0, layer="", n_nodes=graph.vcount(), edges=edges, weights=np.asarray(weights)
    )


@pytest.fixture
def cliques():
    """Ten cliques of six, each linked to the next by one edge."""
    graph = igraph.Graph.Full(6)
    for _ in range(9):
        graph = graph.disjoint_union(igraph.Graph.Full(6))
    graph.add_edges([(6 * i, 6 * (i + 1) + 1) for i in range(9)])
    return snapshot(graph)


def test_cliques_lie_far_above_graphs_of_their_degrees(cliques):
    found = rewired_modularity(cliques, rewirings=5)
    q = modularity_of_edges(cliques.edges, cliques.weights, leiden(cliques, seed=0)).value
    assert found.shape == (5,)
    assert q > 0.8
    assert found.max() < 0.5


def test_degrees_are_kept(cliques, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "graphs.rewiring.leiden", lambda other, seed: seen.append(other) or leiden(other, seed=seed)
    )
    weights = np.arange(1.0, len(cliques.edges) + 1)
    weighted = snapshot(cliques.graph, weights)
    rewired_modularity(weighted, rewirings=3)
    for other in seen:
        assert other.graph.degree() == cliques.graph.degree()
        assert other.graph.is_simple()
        assert sorted(other.weights) == weights.tolist()
        assert {tuple(e) for e in other.edges.tolist()} != {
            tuple(e) for e in cliques.edges.tolist()
        }
    assert (cliques.edges == snapshot(cliques.graph).edges).all()


def test_the_same_seed_gives_the_same_graphs(cliques):
    first, again, other = (
        rewired_modularity(cliques, rewirings=2, seed=seed) for seed in (1, 1, 2)
    )
    assert (first == again).all()
    assert (first != other).any()


def test_none_are_none_and_less_is_refused(cliques):
    assert rewired_modularity(cliques, rewirings=0).shape == (0,)
    with pytest.raises(GraphError, match="rewirings=-1 is less than none; use --rewirings 20"):
        rewired_modularity(cliques, rewirings=-1)
