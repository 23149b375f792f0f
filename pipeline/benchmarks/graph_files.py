"""P5: our writers of GraphML and GEXF against NetworkX's, with the same content."""

from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd

from graphs.export import ExportAttributes, write_dynamic_gexf, write_layer_graphml
from graphs.export.gexf import HALF_WIDTH
from graphs.neighbors import KnnGraph
from graphs.snapshots import DynamicGraph
from pipeline.benchmarks.setting import Case, Measured, Setting, alternate

LAYERS = 8
K = 10
CLASSES = 10
NAMES = tuple(f"class {number}" for number in range(CLASSES))


def measure_graph_files(setting: Setting) -> Measured:
    """Compare writing a file a layer, and one file over all layers.

    NetworkX writes what it read from our files, its graphs ready in memory. Our side computes
    strengths and colours, checks each file by the rules of `check_gephi` and flushes it to disk.
    """
    dynamic, attributes = random_dynamic(setting.size(5000, quick=50))
    folder = setting.scratch
    static, timed = _paths(folder, "ours", "graphml"), folder / "ours.gexf"

    def write_static() -> None:
        for position, path in enumerate(static):
            write_layer_graphml(dynamic, position, path, attributes=attributes)

    def write_timed() -> None:
        write_dynamic_gexf(dynamic, timed, attributes=attributes)

    write_static()
    write_timed()
    paths = _paths(folder, "networkx", "graphml")
    theirs = [(nx.read_graphml(ours), path) for ours, path in zip(static, paths, strict=True)]

    def networkx_static() -> None:
        for graph, path in theirs:
            nx.write_graphml(graph, path)

    found = alternate(write_static, networkx_static, rounds=setting.rounds)
    cases = [Case(what=f"GraphML, {LAYERS} files", seconds=found[0], baseline=found[1])]
    graph = networkx_dynamic(timed, dynamic)
    found = alternate(
        write_timed,
        lambda: nx.write_gexf(graph, folder / "networkx.gexf", version="1.3"),
        rounds=setting.rounds,
    )
    cases.append(Case(what="GEXF, 1 file", seconds=found[0], baseline=found[1]))
    text = f"{dynamic.n_nodes} nodes x {LAYERS} layers, k={K}, synthetic features"
    return Measured(cases=tuple(cases), input=text)


def random_dynamic(nodes: int) -> tuple[DynamicGraph, ExportAttributes]:
    """Return random graphs with what a run knows of its nodes: classes, predictions, places."""
    rng = np.random.default_rng(0)
    labels = np.sort(rng.integers(0, CLASSES, nodes)).astype(np.int32)
    predicted = np.where(rng.random(nodes) < 0.9, labels, rng.integers(0, CLASSES, nodes))
    table = pd.DataFrame(
        {
            "node": np.arange(nodes, dtype=np.int32),
            "sample": rng.permutation(nodes),
            "label": labels,
            "label_name": [NAMES[label] for label in labels],
            "predicted": predicted.astype(np.int32),
            "confidence": rng.random(nodes, np.float32),
        }
    )
    lists = [_random_list(nodes, rng) for _ in range(LAYERS)]
    layers = [f"layer{number}" for number in range(LAYERS)]
    attributes = ExportAttributes(
        layout=np.round(rng.normal(size=(nodes, 2)) * 100, 3),
        communities=rng.integers(0, 20, (LAYERS, nodes)),
        modularity=rng.random(LAYERS).tolist(),
        k=K,
        metric="cosine",
    )
    return DynamicGraph.from_knn(lists, table, layers=layers, name="bench-r0"), attributes


def networkx_dynamic(path: Path, dynamic: DynamicGraph) -> nx.Graph:
    """Read a dynamic GEXF file, and give the weights back that NetworkX drops on reading."""
    graph = nx.read_gexf(path, version="1.3")
    names = [f"s{sample}" for sample in dynamic.nodes["sample"]]
    for _, _, data in graph.edges(data=True):
        # `weight` is one number to NetworkX: only under another name is it written by layer
        data.pop("weight", None)
        data["weight_by_layer"] = []
    for snapshot in dynamic.snapshots:
        start, end = snapshot.layer_index - HALF_WIDTH, snapshot.layer_index + HALF_WIDTH
        for (a, b), weight in zip(snapshot.edges.tolist(), snapshot.weights.tolist(), strict=True):
            graph[names[a]][names[b]]["weight_by_layer"].append((weight, start, end))
    return graph


def _random_list(nodes: int, rng: np.random.Generator) -> KnnGraph:
    """Draw neighbours close by, so that layers share many of their links, as real ones do."""
    steps = np.argsort(rng.random((nodes, 2 * K)), axis=1)[:, :K] + 1
    weights = np.sort(rng.uniform(0.5, 1, (nodes, K)).astype(np.float32), axis=1)[:, ::-1]
    return KnnGraph(
        indices=((np.arange(nodes)[:, None] + steps) % nodes).astype(np.int32),
        weights=weights,
        metric="cosine",
        engine="reference",
        exact=True,
    )


def _paths(folder: Path, name: str, suffix: str) -> list[Path]:
    return [folder / f"{name}_L{layer:02d}.{suffix}" for layer in range(LAYERS)]
