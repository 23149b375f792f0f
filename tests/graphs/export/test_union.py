from xml.etree import ElementTree as ET

from graphs.export import check_gephi, write_union_graphml

NS = {"g": "http://graphml.graphdrawing.org/xmlns"}


def data(element):
    return {item.get("key"): item.text for item in element.findall("g:data", NS)}


def test_a_column_a_layer(tmp_path, dynamic, attributes):
    path = write_union_graphml(dynamic, tmp_path / "a_union.graphml", attributes=attributes)
    graph = ET.parse(path).getroot().find("g:graph", NS)
    edges = {edge.get("id"): data(edge) for edge in graph.findall("g:edge", NS)}
    assert edges == {
        "s3-s5": {
            "weight": repr((0.5 + 0.75 + 0.125) / 3),
            "w_L00": "0.5",
            "w_L01": "0.75",
            "w_L02": "0.125",
            "n_layers": "3",
            "first_layer": "0",
            "last_layer": "2",
            "layers": "0|1|2",
            "same_class": "true",
        },
        "s3-s8": {
            "weight": "0.25",
            "w_L00": "0.25",
            "n_layers": "1",
            "first_layer": "0",
            "last_layer": "0",
            "layers": "0",
            "same_class": "false",
        },
        "s5-s13": {
            "weight": "0.5",
            "w_L02": "0.5",
            "n_layers": "1",
            "first_layer": "2",
            "last_layer": "2",
            "layers": "2",
            "same_class": "false",
        },
        "s8-s13": {
            "weight": repr((1.0 + 0.25) / 2),
            "w_L01": "1.0",
            "w_L02": "0.25",
            "n_layers": "2",
            "first_layer": "1",
            "last_layer": "2",
            "layers": "1|2",
            "same_class": "true",
        },
    }
    nodes = {node.get("id"): data(node) for node in graph.findall("g:node", NS)}
    communities = {key: value for key, value in nodes["s8"].items() if key.startswith("com_")}
    assert communities == {"com_L00": "0", "com_L01": "1", "com_L02": "1"}
    assert "com_L02" not in nodes["s13"]
    assert data(graph) == {"g_network": "clean-r0", "g_k": "2", "g_metric": "cosine"}
    assert check_gephi(path) == []


def test_layers_carry_their_index_in_the_network(tmp_path, make_dynamic):
    path = write_union_graphml(make_dynamic(indices=[7, 2, 100]), tmp_path / "ab.graphml")
    graph = ET.parse(path).getroot().find("g:graph", NS)
    edge = next(edge for edge in graph.findall("g:edge", NS) if edge.get("id") == "s3-s5")
    found = data(edge)
    assert (found["w_L07"], found["w_L02"], found["w_L100"]) == ("0.5", "0.75", "0.125")
    assert (found["layers"], found["first_layer"], found["last_layer"]) == ("2|7|100", "2", "100")
