import igraph
import networkx as nx
import numpy as np
import pytest

from graphs.errors import ExportError
from graphs.export import check_gephi
from graphs.export import neurons as writers
from graphs.export.neurons import NeuronExport, write_neurons_gexf, write_neurons_graphml
from graphs.neuron_graph import layered_graph


@pytest.fixture
def export():
    graph = layered_graph(
        [[[12, -1.3, 0], [0, 7.4, 0]], [[-8.9, 1e-7], [0.23, -5.7], [0, 0]]],
        layer_names=("input", 'fc1 <&> "x"', "fc2"),
    )
    return NeuronExport(graph=graph, labels=np.array([0, 1, 0, 1, 0, 1]), network="a & b")


@pytest.mark.parametrize(
    ("write", "read", "suffix"),
    [
        (write_neurons_graphml, nx.read_graphml, "graphml"),
        (write_neurons_gexf, nx.read_gexf, "gexf"),
    ],
)
def test_other_programs_read_the_same_graph(export, tmp_path, write, read, suffix):
    path = write(export, tmp_path / f"neurons.{suffix}")
    assert check_gephi(path) == []
    found = read(path)
    graph = export.graph
    assert list(found) == ["L00_u0", "L00_u1", "L01_u0", "L01_u1", "L02_u0", "L02_u1"]
    names = dict(enumerate(found))
    for a, b in np.argwhere(graph.adjacency.toarray()):
        assert found[names[a]][names[b]]["weight"] == graph.adjacency[a, b]
    assert found.number_of_edges() == 7
    assert [found.nodes[node]["cluster"] for node in found] == [0, 1, 0, 1, 0, 1]
    assert [found.nodes[node]["layer_index"] for node in found] == [0, 0, 1, 1, 2, 2]
    assert found.nodes["L01_u1"]["layer"] == 'fc1 <&> "x"'
    assert found.nodes["L01_u1"]["strength"] == pytest.approx(1.3 + 7.4 + 0.23 + 5.7)
    assert found["L00_u0"]["L01_u0"]["inside"] is True
    assert found["L00_u0"]["L01_u1"]["inside"] is False


def test_igraph_reads_layers_and_clusters(export, tmp_path):
    path = write_neurons_graphml(export, tmp_path / "neurons.graphml")
    found = igraph.Graph.Read_GraphML(str(path))
    assert found.vs["cluster"] == [0, 1, 0, 1, 0, 1]
    assert found.vs["x"] == [0, 0, 300, 300, 600, 600]
    assert found["network"] == "a & b"
    assert found["edges_left_out"] == 0


def test_of_many_edges_the_strongest_are_written(export, tmp_path, monkeypatch):
    monkeypatch.setattr(writers, "MOST_EDGES", 3)
    found = nx.read_graphml(write_neurons_graphml(export, tmp_path / "neurons.graphml"))
    assert sorted(w for *_, w in found.edges.data("weight")) == [7.4, 8.9, 12]
    assert found.graph["edges_left_out"] == 4


def test_another_suffix_is_refused(export, tmp_path):
    with pytest.raises(ExportError, match=r"does not end in \.gexf"):
        write_neurons_gexf(export, tmp_path / "neurons.xml")
