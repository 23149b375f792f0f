import numpy as np
import pytest
from scipy.sparse import csr_array

from graphs.errors import GraphError
from graphs.neuron_graph import NeuronGraph, WeightBlock, layered_graph

W1 = [[12, -1.3], [0, 7.4]]
W2 = [[-8.9, 0.15], [0.23, -5.7]]


def test_the_adjacency_holds_absolute_weights_between_neighbouring_layers():
    expected = np.zeros((6, 6))
    expected[:2, 2:4], expected[2:4, 4:] = np.abs(W1), np.abs(W2)
    graph = layered_graph([W1, W2])
    assert (graph.adjacency.toarray() == expected + expected.T).all()
    assert graph.adjacency.nnz == 2 * 7  # 8 weights, one of them 0
    assert graph.layer.tolist() == [0, 0, 1, 1, 2, 2]
    assert graph.unit.tolist() == [0, 1, 0, 1, 0, 1]


def test_dead_neurons_are_no_nodes_but_can_be_told():
    # unit 1 of the middle layer neither reads nor is read
    graph = layered_graph([[[1, 0, 2], [3, 0, 4]], [[5, 0], [0, 0], [6, 7]]])
    assert graph.widths == (2, 3, 2)
    assert graph.unit[graph.layer == 1].tolist() == [0, 2]
    assert graph.kept.tolist() == [True, True, True, False, True, True, True]
    assert graph.neuron.tolist() == [0, 1, 2, 4, 5, 6]
    assert (np.diff(graph.adjacency.indptr) > 0).all()
    spread = graph.by_layer(np.array([5, 6, 7, 8, 9, 4]))
    assert [part.tolist() for part in spread] == [[5, 6], [7, -1, 8], [9, 4]]
    block = graph.blocks[1]
    assert block.weights.toarray().tolist() == [[5, 0], [6, 7]]
    assert block.sources[0].tolist() == [2, 3]
    assert block.targets.tolist() == [4, 5]


def test_detached_parts_are_left_out_where_that_is_asked_for():
    # the second neurons of layers 0 and 1 are linked with one another only
    weights = [[[1, 0], [0, 2]], [[3], [0]]]
    assert layered_graph(weights).n_nodes == 5
    graph = layered_graph(weights, drop="detached")
    assert graph.unit.tolist() == [0, 0, 0]


def test_neurons_that_are_next_to_dead_are_left_out_where_that_is_asked_for():
    # the last input has next to no weight; unit 2 reads it alone
    weights = [[[1, 2, 0], [3, 1, 0], [0, 0, 1e-9]], [[1], [2], [1e-12]]]
    assert layered_graph(weights).n_nodes == 7
    graph = layered_graph(weights, drop="negligible")
    assert graph.widths == (3, 3, 1)
    assert graph.by_layer(np.arange(5))[0].tolist() == [0, 1, -1]
    assert graph.by_layer(np.arange(5))[1].tolist() == [2, 3, -1]
    assert graph.adjacency.data.min() == 1
    weights = [[[1.0, 1.0]], [[1e-9], [1e-9]]]
    with pytest.raises(GraphError, match=r"layer 2 \(2\) has no neuron left: .* 0 or negligible"):
        layered_graph(weights, drop="negligible")


def test_a_sum_that_is_read_gives_edges_to_each_of_its_parts():
    block = WeightBlock(
        name="c",
        weights=csr_array(np.array([[0.5], [0.25]])),
        sources=(np.array([0, 1], dtype=np.int32), np.array([2, 3], dtype=np.int32)),
        targets=np.array([4], dtype=np.int32),
    )
    graph = NeuronGraph.build([block], layer_names="abc", widths=[2, 2, 1])
    assert graph.adjacency.toarray()[4].tolist() == [0.5, 0.25, 0.5, 0.25, 0]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([[[np.nan, 1.0]]], r"weights of 1 hold NaN or infinite values \(1 of 2\); check the"),
        ([[[1.0, 1.0]], [[0.0], [0.0]]], r"layer 2 \(2\) has no neuron left: none of its 1 has"),
        ([], "there are no weight matrices; give"),
        ([[[1.0]], [[1.0], [1.0]]], "weight matrix 1 has 2 rows, the layer before has 1 neurons;"),
    ],
)
def test_what_is_no_graph_of_layers_is_refused(weights, message):
    with pytest.raises(GraphError, match=message):
        layered_graph(weights)


def test_a_layer_that_nothing_passes_is_refused():
    with pytest.raises(GraphError, match="weight that is not 0 on a path through the network"):
        layered_graph([[[1, 0], [0, 0]], [[0], [2]]], drop="detached")
