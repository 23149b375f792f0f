"""Files read back by the programs' own readers."""

import json
import math
import shutil
import subprocess
import tempfile
from pathlib import Path

import igraph
import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs.export import ExportAttributes, check_gephi, export_dynamic

HERE = Path(__file__).parent
READER = HERE / "read_graphology.cjs"
PACKAGES = ("graphology", "graphology-graphml", "graphology-gexf")


def has_graphology() -> bool:
    """Whether node finds the packages, from node_modules at the root of the repository."""
    node = shutil.which("node")
    if node is None:
        return False
    ask = "".join(f"require.resolve('{name}');" for name in PACKAGES)
    return subprocess.run([node, "-e", ask], cwd=HERE, capture_output=True).returncode == 0


needs_graphology = pytest.mark.skipif(
    not has_graphology(), reason=f"needs node and the npm packages {', '.join(PACKAGES)}"
)


def with_igraph(path):
    """Nodes, edges and graph attributes; missing numbers are NaN and missing words empty."""
    graph = igraph.Graph.Read_GraphMLz(str(path)) if path.suffix == ".gz" else igraph.read(path)
    assert not graph.is_directed()
    nodes = {vertex["id"]: vertex.attributes() for vertex in graph.vs}
    ids = graph.vs["id"]
    edges = {(ids[edge.source], ids[edge.target]): edge.attributes() for edge in graph.es}
    return nodes, edges, {name: graph[name] for name in graph.attributes()}


def with_networkx(path):
    graph = nx.read_graphml(path)
    assert type(graph) is nx.Graph
    edges = {tuple(sorted(pair, key=number)): data for *pair, data in graph.edges(data=True)}
    return dict(graph.nodes(data=True)), edges, graph.graph


def with_graphology(path):
    done = subprocess.run(
        ["node", str(READER), str(path)], capture_output=True, check=True, text=True
    )
    found = json.loads(done.stdout)
    edges = {(source, target): data for source, target, data in found["edges"]}
    assert len(edges) == len(found["edges"])
    return found["nodes"], edges, found["graph"]


def number(node):
    return int(node.removeprefix("s"))


READERS = [
    pytest.param(with_igraph, id="igraph"),
    pytest.param(with_networkx, id="networkx"),
    pytest.param(with_graphology, id="graphology", marks=needs_graphology),
]


@pytest.fixture(scope="module", params=["plain", "gz"])
def files(request, tmp_path_factory, dynamic, attributes):
    folder = tmp_path_factory.mktemp("files")
    return export_dynamic(
        dynamic,
        folder,
        communities=attributes.communities,
        modularity=attributes.modularity,
        gzip=request.param == "gz",
        k=2,
        metric="cosine",
    )


@pytest.mark.parametrize("read", READERS)
def test_layers(files, truth, read):
    if files[0].suffix == ".gz" and read is with_graphology:
        pytest.skip("Gephi Lite and its parsers open no .gz")
    for index, layer in enumerate(truth):
        nodes, edges, facts = read(files[index])
        assert {pair: data["weight"] for pair, data in edges.items()} == layer
        assert all(type(data["weight"]) in (int, float) for data in edges.values())
        assert sorted(nodes, key=number) == ["s3", "s5", "s8", "s13"]
        assert facts["layer_index"] == index
        assert facts["modularity"] == [-0.125, 0.5, 0.25][index]
        assert [nodes[node]["class_name"] for node in nodes] == ["cat", "cat", "dog", "dog"]
        assert [nodes[node]["class_id"] for node in nodes] == [0, 0, 1, 1]
        assert nodes["s5"]["label"] == "s5 cat"
        assert nodes["s5"]["correct"] is False
        assert nodes["s5"]["community"] == 0


@pytest.mark.parametrize("read", READERS)
def test_union(files, truth, read):
    if files[0].suffix == ".gz" and read is with_graphology:
        pytest.skip("Gephi Lite and its parsers open no .gz")
    nodes, edges, _ = read(files[3])
    for index, layer in enumerate(truth):
        column = f"w_L{index:02d}"
        found = {pair: data.get(column, math.nan) for pair, data in edges.items()}
        assert {pair: weight for pair, weight in found.items() if not math.isnan(weight)} == layer
    assert edges["s3", "s5"]["layers"] == "0|1|2"
    assert edges["s8", "s13"]["n_layers"] == 2
    assert edges["s8", "s13"]["weight"] == (1.0 + 0.25) / 2
    assert [nodes["s8"][f"com_L0{index}"] for index in range(3)] == [0, 1, 1]


def test_dynamic_file_with_networkx(files, truth):
    graph = nx.read_gexf(files[4])
    for index, layer in enumerate(truth):
        spell = (index - 0.4, index + 0.4)
        found = {
            tuple(sorted(pair, key=number))
            for *pair, spells in graph.edges(data="spells")
            if any(np.allclose(spell, other) for other in spells)
        }
        assert found == set(layer)
    series = [(value, round((start + end) / 2)) for value, start, end in
              graph.nodes["s8"]["community"]]  # fmt: skip
    assert series == [(0, 0), (1, 1), (1, 2)]
    assert graph.nodes["s8"]["class_name"] == "dog"


@needs_graphology
def test_dynamic_file_with_graphology(files, truth):
    if files[4].suffix == ".gz":
        pytest.skip("Gephi Lite and its parsers open no .gz")
    nodes, edges, _ = with_graphology(files[4])
    # no time there: the union of the layers, each edge with its last weight
    last = {pair: weight for layer in truth for pair, weight in layer.items()}
    assert {pair: data["weight"] for pair, data in edges.items()} == last
    assert nodes["s8"]["class_id"] == 1
    assert nodes["s8"]["label"] == "s8 dog"
    # 0xde, 0x8f, 0x05
    assert nodes["s8"]["color"].replace(" ", "") in ("rgb(222,143,5)", "#de8f05")


WORDS = {0: "A & <B>", 1: "\"q\" 'r'", 2: "é 中文", 3: "INFANT", 4: "None", 5: "nan", 6: ""}
READ = {**WORDS, 0: "A &\u00a0<B>", 3: "InfANT"}


@pytest.mark.parametrize("read", READERS)
def test_odd_class_names(tmp_path, make_dynamic, read):
    odd = make_dynamic([{(0, 6): 0.5}], samples=range(7), labels=range(7), names=WORDS)
    nodes, _, _ = read(export_dynamic(odd, tmp_path)[0])
    assert {number(node): data.get("class_name", "") for node, data in nodes.items()} == READ
    assert nodes["s0"]["label"] == "s0 A &\u00a0<B>"
    assert nodes["s6"]["label"] == "s6"


@st.composite
def layers(draw):
    """Return a number of nodes and the edges of one to four layers."""
    nodes = draw(st.integers(1, 7))
    pairs = [(a, b) for b in range(nodes) for a in range(b)]
    weight = st.floats(1e-30, 1e30)
    layer = st.dictionaries(st.sampled_from(pairs), weight) if pairs else st.just({})
    return nodes, draw(st.lists(layer, min_size=1, max_size=4))


@settings(max_examples=40)
@given(
    graph=layers(),
    data=st.data(),
    representation=st.sampled_from(["interval", "timestamp"]),
)
def test_any_graph_comes_back_exactly(make_dynamic, graph, data, representation):
    nodes, chosen = graph
    samples = data.draw(
        st.lists(st.integers(0, 2**40), min_size=nodes, max_size=nodes, unique=True).map(sorted)
    )
    text = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=8)
    names = {0: data.draw(text), 1: data.draw(text)}
    labels = data.draw(st.lists(st.integers(0, 1), min_size=nodes, max_size=nodes))
    dynamic = make_dynamic(chosen, samples=samples, labels=labels, names=names)
    with tempfile.TemporaryDirectory() as folder:
        paths = export_dynamic(dynamic, Path(folder), representation=representation)
        assert [check_gephi(path) for path in paths] == [[]] * len(paths)
        for path, layer in zip(paths, chosen, strict=False):
            true = {(f"s{samples[a]}", f"s{samples[b]}"): w for (a, b), w in layer.items()}
            for read in (with_igraph, with_networkx):
                found, edges, _ = read(path)
                assert sorted(found) == sorted(f"s{sample}" for sample in samples)
                assert {pair: one["weight"] for pair, one in edges.items()} == pytest.approx(
                    true, rel=1e-14
                )


def test_attributes_without_layout_are_read_too(tmp_path, dynamic):
    from graphs.export import write_layer_graphml

    path = write_layer_graphml(
        dynamic, 0, tmp_path / "ab.graphml", attributes=ExportAttributes(k=3)
    )
    nodes, _, facts = with_networkx(path)
    assert facts["k"] == 3
    assert "x" not in nodes["s3"]


@pytest.mark.slow
def test_a_large_graph(tmp_path, make_dynamic):
    """5,000 nodes in 8 layers of about 15,000 edges, through every reader."""
    rng = np.random.default_rng(0)
    size, chosen = 5000, []
    for _ in range(8):
        pairs = np.sort(rng.integers(0, size, (15_000, 2)), axis=1)
        pairs = pairs[pairs[:, 0] < pairs[:, 1]]
        weights = rng.random(len(pairs)) / 2 + 0.5
        chosen.append(dict(zip(map(tuple, pairs.tolist()), weights.tolist(), strict=True)))
    labels = rng.integers(0, 100, size).tolist()
    names = {label: f"class {label}" for label in range(100)}
    dynamic = make_dynamic(chosen, samples=range(size), labels=labels, names=names)
    paths = export_dynamic(dynamic, tmp_path)
    true = {(f"s{a}", f"s{b}"): weight for (a, b), weight in chosen[7].items()}
    readers = [with_igraph, with_networkx] + [with_graphology] * has_graphology()
    for read in readers:
        nodes, edges, _ = read(paths[7])
        assert len(nodes) == size
        assert {pair: one["weight"] for pair, one in edges.items()} == pytest.approx(true)
    union = {pair for layer in chosen for pair in layer}
    assert igraph.read(paths[8]).ecount() == len(union)
    graph = nx.read_gexf(paths[9])
    spells = [len(spells) for *_, spells in graph.edges(data="spells")]
    assert (len(spells), sum(spells)) == (len(union), sum(map(len, chosen)))
