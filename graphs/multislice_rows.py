"""Communities of all layers at once beside those of each layer on its own, as tables."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from graphs.communities import leiden, partition_agreement
from graphs.matching import MATCHED, Overlap, match_series
from graphs.modularity import modularity_of_edges
from graphs.snapshots import DynamicGraph


def own_communities(graph: DynamicGraph, *, seed: int) -> NDArray[np.int32]:
    """Leiden communities of every layer on its own, numbers matched as in the metric tables.

    Returns
    -------
    ndarray of int32, shape (L, n)
    """
    found = [leiden(snapshot, seed=seed) for snapshot in graph.snapshots]
    return np.array(match_series(found, threshold=MATCHED))


def compare_layers(
    graph: DynamicGraph, together: NDArray[np.int32], own: NDArray[np.int32]
) -> pd.DataFrame:
    """Describe both kinds of communities layer by layer.

    Parameters
    ----------
    graph : DynamicGraph
        The layers.
    together, own : ndarray of int32, shape (L, n)
        From `graphs.multislice.multislice_communities`, and of each layer on its own.

    Returns
    -------
    DataFrame
        A row a layer: the columns of the table ``multislice`` from ``layer_index`` on, without
        ``coupling``. ``kept`` is the share of samples whose community has the number that theirs
        had in the layer before; NaN in the first.
    """
    rows = []
    for at, snapshot in enumerate(graph.snapshots):
        row: dict[str, object] = {
            "layer_index": snapshot.layer_index,
            "layer": snapshot.layer,
            "n_communities": len(np.unique(together[at])),
        }
        for parts, end in ((together, ""), (own, "_leiden")):
            codes = np.unique(parts[at], return_inverse=True)[1].astype(np.int32)
            found = modularity_of_edges(snapshot.edges, snapshot.weights, codes)
            kept = float((parts[at] == parts[at - 1]).mean()) if at else np.nan
            row |= {
                f"modularity{end}": found.value,
                f"ami{end}": partition_agreement(graph.labels, parts[at]).ami,
                f"kept{end}": kept,
            }
        rows.append(row)
    return pd.DataFrame(rows)


def community_blocks(graph: DynamicGraph, parts: NDArray[np.int32]) -> pd.DataFrame:
    """Describe every community of every layer, as `graphs.plots_flow.plot_flow` needs it."""
    classes, labels = np.unique(graph.labels, return_inverse=True)
    names = graph.nodes.groupby("label", sort=True)["label_name"].first().to_numpy()
    tables = []
    for snapshot, part in zip(graph.snapshots, parts, strict=True):
        numbers, codes = np.unique(part, return_inverse=True)
        majority, count = Overlap.of(codes, labels).largest()
        sizes = np.bincount(codes)
        tables.append(
            pd.DataFrame(
                {
                    "layer_index": snapshot.layer_index,
                    "layer": snapshot.layer,
                    "matched": numbers,
                    "size": sizes,
                    "majority_class": classes[majority],
                    "majority_class_name": names[majority],
                    "purity": count / sizes,
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def node_table(graph: DynamicGraph, parts: NDArray[np.int32]) -> pd.DataFrame:
    """Community of every node in every layer: the table ``multislice_nodes`` without ``repeat``."""
    nodes = graph.nodes[["node", "sample", "label", "label_name"]]
    return pd.concat(
        [
            nodes.assign(layer_index=snapshot.layer_index, layer=snapshot.layer, community=part)
            for snapshot, part in zip(graph.snapshots, parts, strict=True)
        ],
        ignore_index=True,
    )
