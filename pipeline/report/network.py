"""The graph to look at: nodes that move from layer to layer."""

import json
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from graphs.export.colors import class_colors
from graphs.export.layer_layouts import layer_layouts
from graphs.export.layout import joint_layout
from graphs.neighbors import KnnGraph
from graphs.snapshots import DynamicGraph, Snapshot
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
    kept = chosen_nodes(item)
    node_set = item.sets[0]
    layers = [str(layer["name"]) for layer in node_set.layers]
    lists = [_restrict(node_set.neighbours(at), kept) for at in range(len(layers))]
    nodes = node_set.nodes.iloc[kept].reset_index(drop=True)
    dynamic = _dynamic(node_set.folder.name, nodes, lists, layers)
    places = layer_layouts(dynamic, joint_layout(dynamic, seed=node_set.seed), seed=node_set.seed)
    notes = []
    if len(kept) < node_set.n_nodes:
        notes.append(
            f"Thinned: {len(kept):,} of {node_set.n_nodes:,} samples are shown, drawn at random "
            "with their neighbours in the last layer, and only links between them. All figures "
            "are of all samples."
        )
    if problem:
        notes.append(f"Without images: {problem}")
    if item.repeats > 1:
        notes.append(f"This is the first of {item.repeats} sets of samples.")
    data = _data(item, kept, dynamic, lists, places)
    if sprite is not None:
        data["images"] = [sprite.place[int(sample)] for sample in nodes["sample"]]
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
            "layers": layers,
            "classes": _legend(item),
            "notes": notes,
            "sprite": sprite,
        },
    )


def _restrict(knn: KnnGraph, kept: NDArray[np.int64]) -> tuple[NDArray[np.int32], Any]:
    """Return neighbours among the kept nodes, −1 for those that are not, and similarities."""
    number = np.full(knn.n_nodes, -1, np.int32)
    number[kept] = np.arange(len(kept), dtype=np.int32)
    return number[knn.indices[kept]], knn.weights[kept]


def _dynamic(
    name: str,
    nodes: pd.DataFrame,
    lists: list[tuple[NDArray[np.int32], Any]],
    layers: list[str],
) -> DynamicGraph:
    """Build the graphs of the kept nodes; a link to another one counts nothing."""
    snapshots = []
    for at, ((indices, weights), layer) in enumerate(zip(lists, layers, strict=True)):
        other = (np.arange(len(indices)) + 1) % len(indices)
        knn = KnnGraph(
            indices=np.where(indices < 0, other[:, None], indices).astype(np.int32),
            weights=np.where(indices < 0, 0, weights).astype(np.float32),
            metric="cosine",
            engine="reference",
            exact=True,
        )
        snapshots.append(Snapshot.from_knn(knn, layer_index=at, layer=layer))
    return DynamicGraph(name=name, nodes=nodes, snapshots=tuple(snapshots))


def _data(
    item: Reported,
    kept: NDArray[np.int64],
    dynamic: DynamicGraph,
    lists: list[tuple[NDArray[np.int32], Any]],
    places: NDArray[np.float64],
) -> dict[str, Any]:
    """Gather what the page's script needs, as plain numbers and texts."""
    metrics = item.nodes[item.nodes["repeat"] == 0].sort_values(["layer_index", "node"])
    communities = metrics["matched"].to_numpy().reshape(len(lists), -1)[:, kept]
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
            for snapshot, (q, ami, count), place, community, (indices, _) in zip(
                dynamic.snapshots, figures, places, communities, lists, strict=True
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
