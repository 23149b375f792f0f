import json
from xml.etree import ElementTree as ET

import pytest

from graphs.errors import ExportError
from graphs.export import ExportAttributes, check_gephi, write_dynamic_gexf

NS = {"g": "http://gexf.net/1.3", "viz": "http://gexf.net/1.3/viz"}


def read(path):
    """Return the XML and, for edges and nodes, the values by layer."""
    root = ET.parse(path).getroot()

    def layer(element):
        if element.get("timestamp") is not None:
            assert element.get("start") is element.get("end") is None
            return int(element.get("timestamp"))
        middle = (float(element.get("start")) + float(element.get("end"))) / 2
        assert float(element.get("end")) - float(element.get("start")) == pytest.approx(0.8)
        return round(middle)

    def by_layer(element):
        found = {}
        for value in element.findall("g:attvalues/g:attvalue", NS):
            if {"start", "timestamp"} & set(value.attrib):
                found.setdefault(value.get("for"), {})[layer(value)] = value.get("value")
            else:
                found[value.get("for")] = value.get("value")
        return found

    edges = {}
    for edge in root.iter(f"{{{NS['g']}}}edge"):
        weights = {place: float(value) for place, value in by_layer(edge)["weight"].items()}
        assert [layer(spell) for spell in edge.findall("g:spells/g:spell", NS)] == list(weights)
        edges[edge.get("source"), edge.get("target")] = weights
    nodes = {node.get("id"): by_layer(node) for node in root.iter(f"{{{NS['g']}}}node")}
    return root, nodes, edges


@pytest.mark.parametrize("representation", ["interval", "timestamp"])
def test_every_layer_comes_back(tmp_path, dynamic, attributes, truth, representation):
    path = write_dynamic_gexf(
        dynamic, tmp_path / "ab.gexf", attributes=attributes, representation=representation
    )
    root, nodes, edges = read(path)
    for index, layer in enumerate(truth):
        found = {pair: weights[index] for pair, weights in edges.items() if index in weights}
        assert found == layer
    assert nodes["s3"] == {
        "class_id": "0",
        "class_name": "cat",
        "sample_index": "3",
        "pred_id": "0",
        "pred_name": "cat",
        "correct": "true",
        "community": {0: "0", 1: "0", 2: "0"},
        "strength": {0: "0.75", 1: "0.75", 2: "0.125"},
        "degree": {0: "2", 1: "1", 2: "1"},
    }
    assert nodes["s13"]["community"] == {0: "1", 1: "1"}
    assert root.find("g:graph", NS).attrib == {
        "mode": "dynamic",
        "defaultedgetype": "undirected",
        "timeformat": "double",
        "timerepresentation": representation,
    }
    assert check_gephi(path) == []


def test_looks_and_description(tmp_path, dynamic, attributes):
    root, *_ = read(write_dynamic_gexf(dynamic, tmp_path / "ab.gexf", attributes=attributes))
    node = root.find("g:graph/g:nodes/g:node", NS)
    assert node.attrib == {"id": "s3", "label": "s3 cat"}
    assert node.find("viz:position", NS).attrib == {"x": "-500.0", "y": "0.25"}
    # 0x01, 0x73, 0xb2
    assert node.find("viz:color", NS).attrib == {"r": "1", "g": "115", "b": "178"}
    assert json.loads(root.find("g:meta/g:description", NS).text) == {
        "network": "clean-r0",
        "layers": {"0": "conv1", "1": "layer1.2", "2": "fc"},
        "modularity": [-0.125, 0.5, 0.25],
        "k": 2,
        "metric": "cosine",
    }
    assert root.find("g:meta", NS).attrib == {}


def test_blocks_come_in_the_order_that_graphology_needs(tmp_path, dynamic):
    root, *_ = read(write_dynamic_gexf(dynamic, tmp_path / "ab.gexf"))
    blocks = [tuple(block.attrib.values()) for block in root.findall("g:graph/g:attributes", NS)]
    assert blocks == [("node", "dynamic"), ("node", "static"), ("edge", "dynamic")]


def test_intervals_lie_around_the_layer_index(tmp_path, make_dynamic):
    path = write_dynamic_gexf(make_dynamic(indices=[0, 2, 10]), tmp_path / "ab.gexf")
    text = path.read_text("utf-8")
    spells = '<spell start="-0.4" end="0.4"/><spell start="1.6" end="2.4"/>'
    assert spells + '<spell start="9.6" end="10.4"/>' in text


def test_modularity_that_is_not_a_number_is_null(tmp_path, dynamic):
    facts = ExportAttributes(modularity=[0.5, float("nan"), float("inf")])
    root, *_ = read(write_dynamic_gexf(dynamic, tmp_path / "ab.gexf", attributes=facts))
    assert json.loads(root.find("g:meta/g:description", NS).text)["modularity"] == [0.5, None, None]


def test_the_same_graph_gives_the_same_bytes(tmp_path, dynamic, attributes):
    one, other = (
        write_dynamic_gexf(dynamic, tmp_path / name / "ab.gexf.gz", attributes=attributes)
        for name in ("here", "there")
    )
    assert one.read_bytes() == other.read_bytes()


def test_an_unknown_representation(tmp_path, dynamic):
    with pytest.raises(ExportError, match=r"representation 'slice'; choose one of interval, time"):
        write_dynamic_gexf(dynamic, tmp_path / "ab.gexf", representation="slice")
