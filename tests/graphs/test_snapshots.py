"""Symmetrising by hand and against the matrix formula; what a series of snapshots refuses."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs.errors import GraphError
from graphs.neighbors.knn_graph import KnnGraph
from graphs.snapshots import DynamicGraph, Snapshot


def knn(indices, weights):
    return KnnGraph(
        indices=np.array(indices, dtype=np.int32),
        weights=np.array(weights, dtype=np.float32),
        metric="cosine",
        engine="reference",
        exact=True,
    )


def random_knn(seed, n, k):
    rng = np.random.default_rng(seed)
    rows = [rng.choice(np.delete(np.arange(n), i), k, replace=False) for i in range(n)]
    return knn(rows, rng.uniform(-0.3, 1, (n, k)))


def test_one_way_and_mutual_links():
    # 0 and 1 choose each other with 0.75 and 0.75, 2 chooses 0 with 0.5, 3 has a negative link.
    snapshot = Snapshot.from_knn(
        knn([[1], [0], [0], [2]], [[0.75], [0.75], [0.5], [-0.25]]), layer_index=3, layer="conv1"
    )
    assert snapshot.edges.tolist() == [[0, 1], [0, 2]]
    assert snapshot.edges.dtype == np.int32
    assert snapshot.weights.tolist() == [(0.75 + 0.75) / 2, 0.5 / 2]
    assert snapshot.weights.dtype == np.float64
    assert (snapshot.n_nodes, snapshot.clipped) == (4, 1)
    assert snapshot.title == "layer 3 (conv1)"


def test_a_weight_of_zero_is_no_edge_and_not_clipped():
    snapshot = Snapshot.from_knn(knn([[1], [0], [0]], [[0.5], [0.5], [0.0]]))
    assert snapshot.edges.tolist() == [[0, 1]]
    assert snapshot.clipped == 0


def test_igraph_holds_the_same_edges_weights_and_isolated_nodes():
    snapshot = Snapshot.from_knn(knn([[1], [0], [1], [0]], [[1], [1], [0.5], [-1]]))
    graph = snapshot.graph
    assert graph.get_edgelist() == [tuple(edge) for edge in snapshot.edges.tolist()]
    assert graph.es["weight"] == snapshot.weights.tolist()
    assert graph.vcount() == 4
    assert graph.degree() == [1, 2, 1, 0]
    assert not graph.is_directed()
    assert graph.is_simple()


@given(st.integers(0, 2**32 - 1), st.integers(3, 30), st.integers(1, 4))
def test_equal_to_the_matrix_formula(seed, n, k):
    lists = random_knn(seed, n, min(k, n - 1))
    directed = np.zeros((n, n))
    np.put_along_axis(directed, lists.indices, np.maximum(lists.weights, 0), axis=1)
    expected = (directed + directed.T) / 2
    if not expected.any():
        return
    snapshot = Snapshot.from_knn(lists)
    matrix = np.zeros((n, n))
    matrix[snapshot.edges[:, 0], snapshot.edges[:, 1]] = snapshot.weights
    np.testing.assert_allclose(matrix, np.triu(expected), rtol=1e-15)
    assert snapshot.clipped == np.count_nonzero(lists.weights < 0)
    assert np.all(np.diff(snapshot.edges[:, 0] * n + snapshot.edges[:, 1]) > 0)


@pytest.mark.parametrize(
    ("indices", "weights", "message"),
    [
        ([[1], [0]], [[0], [-1]], "none of the 2 links has a positive similarity, the graph"),
        ([[1], [0]], [[1], [np.nan]], r"neighbour 0 \(rank 1\) of node 1 has a similarity that"),
        ([[1], [0]], [[np.inf], [1]], "neighbour 1 .* of node 0 has a similarity that is"),
        ([[1], [2]], [[1], [1]], r"neighbour 2 \(rank 1\) of node 1 does not exist"),
        ([[-1], [0]], [[1], [1]], "neighbour -1 .* does not exist"),
        (
            [[1, 0], [0, 0]],
            [[1, 1], [1, 1]],
            r"neighbour 0 \(rank 2\) of node 0 is the node itself",
        ),
    ],
)
def test_bad_lists_are_refused_and_the_layer_named(indices, weights, message):
    with pytest.raises(GraphError, match=rf"layer 2 \(relu\): {message}"):
        Snapshot.from_knn(knn(indices, weights), layer_index=2, layer="relu")


def test_a_layer_without_a_name_is_called_by_its_index():
    with pytest.raises(GraphError, match=r"^layer 5: none of the 2 links"):
        Snapshot.from_knn(knn([[1], [0]], [[0], [0]]), layer_index=5)


NODES = pd.DataFrame({"node": [0, 1, 2], "label": [4, 7, 4], "label_name": ["a", "b", "a"]})
PATH = knn([[1], [0], [1]], [[1], [1], [0.5]])


def test_a_series_in_order_of_depth():
    graph = DynamicGraph.from_knn([PATH, PATH], NODES, layers=["stem", "head"], name="clean-r0")
    assert [(s.layer_index, s.layer) for s in graph.snapshots] == [(0, "stem"), (1, "head")]
    assert graph.n_nodes == 3
    assert graph.labels.tolist() == [4, 7, 4]
    assert graph.labels.dtype == np.int32


@pytest.mark.parametrize(
    ("graphs", "nodes", "layers", "message"),
    [
        ([PATH], NODES.iloc[:2], ["stem"], r"clean-r0 have \[3\] nodes, its node table has 2"),
        (
            [PATH, knn([[1], [0]], [[1], [1]])],
            NODES,
            ["stem", "head"],
            r"have \[2, 3\] nodes, its node table has 3; build every layer over the same node set",
        ),
        ([PATH], NODES, ["stem", "head"], "clean-r0: 1 neighbour lists, but 2 layer names"),
        ([], NODES, [], "clean-r0 has no layers; choose at least one"),
    ],
)
def test_bad_series_are_refused(graphs, nodes, layers, message):
    with pytest.raises(GraphError, match=message):
        DynamicGraph.from_knn(graphs, nodes, layers=layers, name="clean-r0")
