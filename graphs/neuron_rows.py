"""The tables of a clustered neuron graph, and what each of their columns means."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from graphs.communities import partition_agreement
from graphs.neuron_graph import NeuronGraph
from graphs.spectral import cluster_volumes, count_components
from graphs.weight_shuffles import compare_with_null

# A layer counts as whole from this share of its neurons on.
_WHOLE = 0.99
# Share of the graph's weight below which a cluster is nothing but nearly dead neurons.
_WEIGHTLESS = 1e-4


def neuron_rows(graph: NeuronGraph, labels: NDArray[np.integer]) -> pd.DataFrame:
    """Return a row for every neuron, dropped ones included.

    Parameters
    ----------
    graph : NeuronGraph
        The graph.
    labels : ndarray of int, shape (n,)
        Cluster of each node.

    Returns
    -------
    DataFrame
        ``layer_index, layer, unit``; ``cluster`` (missing for dropped neurons); ``degree`` (edges)
        and ``strength`` (their summed weight), 0 for dropped neurons.
    """
    widths = np.asarray(graph.widths)
    layer = np.repeat(np.arange(len(widths), dtype=np.int32), widths)
    degree = np.zeros(len(layer), dtype=np.int32)
    strength = np.zeros(len(layer))
    degree[graph.neuron] = np.diff(graph.adjacency.indptr)
    strength[graph.neuron] = graph.adjacency.sum(axis=1)
    cluster = pd.array(np.concatenate(graph.by_layer(labels)), dtype="Int32")
    cluster[~graph.kept] = pd.NA
    return pd.DataFrame(
        {
            "layer_index": layer,
            "layer": np.asarray(graph.layer_names, dtype=object)[layer],
            "unit": np.concatenate([np.arange(width, dtype=np.int32) for width in widths]),
            "cluster": cluster,
            "degree": degree,
            "strength": strength,
        }
    )


def cluster_rows(graph: NeuronGraph, labels: NDArray[np.integer]) -> pd.DataFrame:
    """Return a row for every cluster that is not empty.

    Parameters
    ----------
    graph, labels
        As for `neuron_rows`.

    Returns
    -------
    DataFrame
        ``cluster, size``; ``volume`` (summed strength); ``volume_share`` (v, of the graph's);
        ``cut`` (weight of edges that leave) and ``cut_share`` (r = cut / volume, its part of the
        n-cut); ``modularity_term``, (1 - r) v - v²; ``n_layers`` it has neurons of; ``main_layer``,
        which has most of them, and their share, ``main_share``; ``whole_layers``: whether
        it is made of whole layers (99 % of its neurons are in layers that have 99 % of theirs in
        it), which any network of some depth gives.
    """
    volume, inside = cluster_volumes(graph.adjacency, labels)
    share = volume / volume.sum()
    counts = _counts(graph, labels)
    of_layer = counts / counts.sum(axis=0)
    whole = (counts * (of_layer >= _WHOLE)).sum(axis=1) >= _WHOLE * counts.sum(axis=1)
    main = counts.argmax(axis=1)
    return pd.DataFrame(
        {
            "cluster": np.arange(len(volume), dtype=np.int32),
            "size": counts.sum(axis=1).astype(np.int32),
            "volume": volume,
            "volume_share": share,
            "cut": volume - inside,
            "cut_share": (volume - inside) / volume,
            "modularity_term": inside / volume.sum() - share**2,
            "n_layers": (counts > 0).sum(axis=1).astype(np.int32),
            "main_layer": np.asarray(graph.layer_names, dtype=object)[main],
            "main_share": counts.max(axis=1) / counts.sum(axis=1),
            "whole_layers": whole,
        }
    )


def composition_rows(graph: NeuronGraph, labels: NDArray[np.integer]) -> pd.DataFrame:
    """Return a row for every layer and cluster that have neurons in common.

    Returns
    -------
    DataFrame
        ``layer_index, layer, width`` (all its neurons), ``alive`` (those in the graph),
        ``cluster, size`` (what they have in common) and ``share`` (size / alive).
    """
    counts = _counts(graph, labels)
    cluster, layer = np.nonzero(counts)
    order = np.lexsort((cluster, layer))
    cluster, layer = cluster[order], layer[order]
    alive = counts.sum(axis=0)
    return pd.DataFrame(
        {
            "layer_index": layer.astype(np.int32),
            "layer": np.asarray(graph.layer_names, dtype=object)[layer],
            "width": np.asarray(graph.widths, dtype=np.int32)[layer],
            "alive": alive[layer].astype(np.int32),
            "cluster": cluster.astype(np.int32),
            "size": counts[cluster, layer].astype(np.int32),
            "share": counts[cluster, layer] / alive[layer],
        }
    )


def partition_row(
    graph: NeuronGraph, labels: NDArray[np.integer], *, clusters: int
) -> pd.DataFrame:
    """Return the one row that says how the graph was divided.

    Parameters
    ----------
    graph, labels
        As for `neuron_rows`.
    clusters : int
        How many were asked for, K.

    Returns
    -------
    DataFrame
        ``n_neurons``, ``n_dropped`` (dead ones), ``n_nodes``, ``n_edges``, ``n_components``;
        ``clusters``, ``n_clusters`` (not empty) and ``n_weightless`` (with less than 1e-4 of the
        weight: nearly dead neurons; each such cluster adds up to 1 to the n-cut); ``ncut``;
        ``modularity`` (Newman's Q of the same partition); ``in_out``, (1 - ncut / K) /
        (2 ncut / K), the mean weight inside clusters over that between; ``whole_layer_clusters``,
        how many clusters are made of whole layers, and ``layer_ami``, the adjusted mutual
        information of clusters and layers: how far the clusters follow depth.
    """
    rows = cluster_rows(graph, labels)
    ncut = float(rows["cut_share"].sum())
    return pd.DataFrame(
        [
            {
                "n_neurons": sum(graph.widths),
                "n_dropped": sum(graph.widths) - graph.n_nodes,
                "n_nodes": graph.n_nodes,
                "n_edges": graph.adjacency.nnz // 2,
                "n_components": count_components(graph.adjacency),
                "clusters": clusters,
                "n_clusters": len(rows),
                "n_weightless": int((rows["volume_share"] < _WEIGHTLESS).sum()),
                "ncut": ncut,
                "modularity": float(rows["modularity_term"].sum()),
                "in_out": (len(rows) - ncut) / (2 * ncut) if ncut > 0 else float("inf"),
                "whole_layer_clusters": int(rows["whole_layers"].sum()),
                "layer_ami": partition_agreement(graph.layer, labels).ami,
            }
        ]
    )


def null_rows(ncut: float, shuffles: pd.DataFrame) -> pd.DataFrame:
    """Return a row for every null model.

    Parameters
    ----------
    ncut : float
        Of the graph.
    shuffles : DataFrame
        The table ``neuron_shuffles``.

    Returns
    -------
    DataFrame
        ``null`` and what `graphs.weight_shuffles.NullTest` has; ``z`` is missing where all
        shuffles give the same. ``n_clusters`` and ``n_components`` are medians over the shuffles:
        where they differ from the graph's, the n-cuts do not compare.
    """
    rows = []
    for null, part in shuffles.groupby("null", sort=False):
        test: Mapping[str, float] = vars(compare_with_null(ncut, part["ncut"].to_numpy()))
        medians = {name: float(part[name].median()) for name in ("n_clusters", "n_components")}
        rows.append({"null": str(null), **test, **medians})
    return pd.DataFrame(rows)


def _counts(graph: NeuronGraph, labels: NDArray[np.integer]) -> NDArray[np.int64]:
    """Neurons of each cluster in each layer."""
    counts = np.zeros((int(labels.max()) + 1, len(graph.widths)), dtype=np.int64)
    np.add.at(counts, (labels, graph.layer), 1)
    return counts
