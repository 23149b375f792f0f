import gzip
from xml.etree import ElementTree as ET

import pytest

from graphs.errors import ExportError
from graphs.export import ExportAttributes, check_gephi, write_layer_graphml

NS = {"g": "http://graphml.graphdrawing.org/xmlns"}


def read(path):
    """Keys, graph data, nodes and edges as a plain XML reader sees them."""
    root = ET.parse(path).getroot()
    keys = {key.get("id"): key.attrib for key in root.findall("g:key", NS)}
    graph = root.find("g:graph", NS)

    def data(element):
        return {item.get("key"): item.text for item in element.findall("g:data", NS)}

    nodes = {node.get("id"): data(node) for node in graph.findall("g:node", NS)}
    edges = {
        edge.get("id"): (edge.get("source"), edge.get("target"), data(edge))
        for edge in graph.findall("g:edge", NS)
    }
    return keys, graph.attrib, data(graph), nodes, edges


def test_the_whole_content(tmp_path, dynamic, attributes):
    path = write_layer_graphml(dynamic, 1, tmp_path / "a_L01.graphml", attributes=attributes)
    keys, graph, facts, nodes, edges = read(path)
    assert graph == {"id": "L01", "edgedefault": "undirected"}
    assert facts == {
        "g_layer": "layer1.2",
        "g_layer_index": "1",
        "g_modularity": "0.5",
        "g_network": "clean-r0",
        "g_k": "2",
        "g_metric": "cosine",
    }
    assert nodes["s3"] == {
        "label": "s3 cat",
        "class_id": "0",
        "class_name": "cat",
        "sample_index": "3",
        "pred_id": "0",
        "pred_name": "cat",
        "correct": "true",
        "community": "0",
        "strength": "0.75",
        "degree": "1",
        "x": "-500.0",
        "y": "0.25",
        "color": "#0173b2",
    }
    assert set(nodes["s3"]) - set(nodes["s13"]) == {"pred_id", "pred_name", "correct"}
    assert edges == {
        "s3-s5": ("s3", "s5", {"weight": "0.75", "same_class": "true"}),
        "s8-s13": ("s8", "s13", {"weight": "1.0", "same_class": "true"}),
    }
    types = {"class_id": "int", "strength": "double", "correct": "boolean", "weight": "double"}
    assert {name: keys[name]["attr.type"] for name in types} == types
    assert check_gephi(path) == []


def test_what_is_not_known_is_left_out(tmp_path, make_dynamic):
    path = write_layer_graphml(make_dynamic(), 0, tmp_path / "ab.graphml")
    keys, _, facts, nodes, edges = read(path)
    assert set(facts) == {"g_layer", "g_layer_index", "g_network"}
    assert set(nodes["s13"]) == {
        "label", "class_id", "class_name", "sample_index", "strength", "degree", "color",
    }  # fmt: skip
    assert set(keys) == set(facts) | set(nodes["s13"]) | {"weight", "same_class"}
    assert [edge[2]["same_class"] for edge in edges.values()] == ["true", "false"]


def test_modularity_that_is_not_a_number_is_left_out(tmp_path, dynamic):
    facts = ExportAttributes(modularity=[float("nan")] * 3)
    path = write_layer_graphml(dynamic, 0, tmp_path / "ab.graphml", attributes=facts)
    assert "g_modularity" not in read(path)[2]


def test_the_same_graph_gives_the_same_bytes(tmp_path, dynamic, attributes):
    for name in ("one.graphml", "one.graphml.gz"):
        first = write_layer_graphml(dynamic, 2, tmp_path / name, attributes=attributes)
        content = first.read_bytes()
        other = tmp_path / "elsewhere" / f"other-{name}"
        assert write_layer_graphml(dynamic, 2, other, attributes=attributes) == other
        assert other.read_bytes() == content
    packed = (tmp_path / "one.graphml.gz").read_bytes()
    assert gzip.decompress(packed) == (tmp_path / "one.graphml").read_bytes()
    assert packed[4:8] == bytes(4)


@pytest.mark.parametrize("position", [-1, 3])
def test_a_layer_that_is_not_there(tmp_path, dynamic, position):
    with pytest.raises(ExportError, match=rf"no layer at position {position}, clean-r0 has 3"):
        write_layer_graphml(dynamic, position, tmp_path / "ab.graphml")
