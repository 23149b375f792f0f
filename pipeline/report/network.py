"""The graph to look at: nodes that move from layer to layer."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphs.export.colors import class_colors
from graphs.export.layer_layouts import layer_layouts
from graphs.export.layout import joint_layout
from graphs.snapshots import DynamicGraph, Snapshot
from pipeline.graph_sets import GraphSet
from pipeline.report.opening import Reported
from pipeline.report.section import Section, safe_json
from pipeline.report.thumbnails import Sprite

SHOWN = 1500  # nodes that a page moves smoothly
SCALE = 1000  # positions are whole numbers from −1,000 to 1,000


def chosen_nodes(item: Reported) -> NDArray[np.int64]:
    """Return the nodes of the first repeat that the page shows, in order.

    All of them, or of many some drawn at random with their neighbours in the last layer, so that
    links are left.
    """
    node_set = item.sets[0]
    if node_set.n_nodes <= SHOWN:
        return np.arange(node_set.n_nodes)
    near = node_set.neighbours(len(node_set.layers) - 1).indices
    order = np.random.default_rng(node_set.seed).permutation(node_set.n_nodes)
    with_neighbours = np.column_stack((order, near[order])).ravel()
    _, first = np.unique(with_neighbours, return_index=True)
    return np.sort(with_neighbours[np.sort(first)[:SHOWN]])


def network_section(item: Reported, sprite: Sprite | None, problem: str) -> Section:
    """Place the nodes in every layer and gather what the page says of each.

    Parameters
    ----------
    item : Reported
        The run; its first repeat is shown.
    sprite : Sprite, optional
        Images of the nodes.
    problem : str
        Why there are none.
    """
    kept, seed = chosen_nodes(item), item.sets[0].seed
    dynamic, near = _kept_graph(item.sets[0], kept)
    places = layer_layouts(dynamic, joint_layout(dynamic, seed=seed), seed=seed)
    data = _data(item, kept, dynamic, near, places)
    if sprite is not None:
        data["images"] = [sprite.place[int(sample)] for sample in dynamic.nodes["sample"]]
    return Section(
        name="graph",
        title="The graph, layer by layer",
        short="Graph",
        kind="graph",
        sentences=[
            "Every dot is a sample, every line links it to one of its most similar samples in the "
            "layer. Move the slider to see them find together.",
        ],
        content={
            "data": safe_json(json.dumps(data, separators=(",", ":"), ensure_ascii=False)),
            "layers": [snapshot.layer for snapshot in dynamic.snapshots],
            "classes": _legend(item),
            "notes": _notes(item, len(kept), problem),
            "sprite": sprite,
        },
    )


def _notes(item: Reported, shown: int, problem: str) -> list[str]:
    samples = item.sets[0].n_nodes
    notes = []
    if shown < samples:
        notes.append(
            f"Thinned: {shown:,} of {samples:,} samples are shown, drawn at random "
            "with their neighbours in the last layer, and only links between them. All figures "
            "are of all samples."
        )
    if problem:
        notes.append(f"Without images: {problem}")
    if item.repeats > 1:
        notes.append(f"This is the first of {item.repeats} sets of samples.")
    return notes


def _kept_graph(
    node_set: GraphSet, kept: NDArray[np.int64]
) -> tuple[DynamicGraph, list[NDArray[np.int32]]]:
    """Return the graphs of some nodes, and for each layer their neighbours: −1 for other nodes."""
    number = np.full(node_set.n_nodes, -1, np.int32)
    number[kept] = np.arange(len(kept), dtype=np.int32)
    snapshots, near = [], []
    for at, layer in enumerate(node_set.layers):
        knn = node_set.neighbours(at)
        snapshot = Snapshot.from_knn(knn, layer_index=at, layer=str(layer["name"]))
        snapshots.append(_restrict(snapshot, number))
        near.append(number[knn.indices[kept]])
    nodes = node_set.nodes.iloc[kept].reset_index(drop=True)
    name = node_set.folder.name
    return DynamicGraph(name=name, nodes=nodes, snapshots=tuple(snapshots)), near


def _restrict(snapshot: Snapshot, number: NDArray[np.int32]) -> Snapshot:
    """Keep the nodes that have a number, and the links between them; there may be none."""
    ends = number[snapshot.edges]
    inside = (ends >= 0).all(axis=1)
    kept = int(number.max()) + 1
    return replace(snapshot, n_nodes=kept, edges=ends[inside], weights=snapshot.weights[inside])


def _data(
    item: Reported,
    kept: NDArray[np.int64],
    dynamic: DynamicGraph,
    near: list[NDArray[np.int32]],
    places: NDArray[np.float64],
) -> dict[str, Any]:
    """Gather what the page's script needs, as plain numbers and texts."""
    metrics = item.nodes[item.nodes["repeat"] == 0].sort_values(["layer_index", "node"])
    communities = metrics["matched"].to_numpy().reshape(len(near), -1)[:, kept]
    curve = item.layers[item.layers["repeat"] == 0].sort_values("layer_index")
    figures = curve[["modularity", "ami", "n_communities"]].to_numpy().tolist()
    nodes = dynamic.nodes
    found: dict[str, Any] = {
        "samples": nodes["sample"].tolist(),
        "labels": nodes["label"].tolist(),
        "names": item.class_names,
        "colors": class_colors(len(item.class_names)),
        "communityColors": class_colors(10),
        "layers": [
            {
                "name": snapshot.layer,
                "q": round(q, 4),
                "ami": round(ami, 4),
                "communities": int(count),
                "x": np.rint(SCALE * place[:, 0]).astype(int).tolist(),
                "y": np.rint(SCALE * place[:, 1]).astype(int).tolist(),
                "edges": snapshot.edges.ravel().tolist(),
                "community": community.tolist(),
                "near": [row[row >= 0].tolist() for row in indices],
            }
            for snapshot, (q, ami, count), place, community, indices in zip(
                dynamic.snapshots, figures, places, communities, near, strict=True
            )
        ],
    }
    if nodes["predicted"].notna().all():
        found["predicted"] = nodes["predicted"].astype(int).tolist()
        found["confidence"] = [round(float(value), 3) for value in nodes["confidence"].fillna(-1)]
    return found


def _legend(item: Reported) -> list[dict[str, Any]]:
    colors = class_colors(len(item.class_names))
    return [
        {"number": number, "name": name, "color": color}
        for number, (name, color) in enumerate(zip(item.class_names, colors, strict=True))
    ]
