"""Where each sample finds its class: the labels that its neighbours carry, layer by layer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from graphs.errors import GraphError
from graphs.modularity import modularity
from graphs.neighbors.knn_graph import KnnGraph


@dataclass(frozen=True, kw_only=True, eq=False)
class Votes:
    """What the neighbours of every sample say.

    Attributes
    ----------
    classes : ndarray, shape (c,)
        The distinct labels, sorted.
    own_share : ndarray of float64, shape (L, n)
        Share of the weight of a sample's links that leads to its own label, in every layer; 0 for
        a sample without links.
    neighbor_code : ndarray of int64, shape (n,)
        Place in `classes` of the label that holds most of the weight over the layers; −1 for a
        sample without links in any layer.
    score : ndarray of float64, shape (n,)
        Share of the strongest other label less that of its own, over the layers: from −1, where all
        neighbours share the sample's label, to 1, where all have one other label.
    """

    classes: NDArray[np.generic]
    own_share: NDArray[np.float64]
    neighbor_code: NDArray[np.int64]
    score: NDArray[np.float64]


def neighbor_votes(graphs: Sequence[KnnGraph], labels: ArrayLike) -> Votes:
    """Ask the neighbours of every sample for their labels, in all layers.

    Parameters
    ----------
    graphs : sequence of KnnGraph
        One a layer, in order of depth, over the same n nodes.
    labels : array, shape (n,)
        Class of each node.

    Returns
    -------
    Votes
        Shares by layer, and over the layers.

    Raises
    ------
    GraphError
        For no layers, and as in `graphs.modularity.modularity`.

    Notes
    -----
    Links count as in A = (D + Dᵀ)/2: those that a sample chose and those that chose it. Layers are
    weighted by Q², negative Q as 0: where classes are mixed, neighbours have little to say. Without
    any layer of positive Q the last one counts alone.

    Examples
    --------
    >>> links = KnnGraph(
    ...     indices=np.array([[1], [0], [1]], dtype=np.int32), weights=np.ones((3, 1), np.float32),
    ...     metric="cosine", engine="reference", exact=True,
    ... )
    >>> votes = neighbor_votes([links], ["cat", "cat", "dog"])
    >>> votes.own_share.round(2).tolist(), votes.score.round(2).tolist()
    ([[1.0, 0.67, 0.0]], [-1.0, -0.33, 1.0])
    """
    if not graphs:
        raise GraphError("there are no layers to ask", "give the neighbours of at least one")
    classes, codes = np.unique(np.asarray(labels), return_inverse=True)
    n, own = len(codes), np.empty((len(graphs), len(codes)))
    curve = np.array([float(modularity(one.indices, one.weights, codes)) for one in graphs])
    weights = np.maximum(curve, 0.0) ** 2
    if not weights.any():
        weights[-1] = 1.0
    profile = csr_array((n, len(classes)))
    for layer, graph in enumerate(graphs):
        shares = _shares(graph, codes, len(classes))
        own[layer] = shares[np.arange(n), codes]
        profile = profile + shares * (weights[layer] / weights.sum())
    return Votes(
        classes=classes,
        own_share=own,
        neighbor_code=_largest(profile)[1],
        score=_largest(profile, leave_out=codes)[0] - profile[np.arange(n), codes],
    )


def _shares(graph: KnnGraph, codes: NDArray[np.intp], classes: int) -> csr_array:
    """Share of every node's weight that each label holds, shape (n, c)."""
    n, sources = graph.n_nodes, np.repeat(np.arange(graph.n_nodes), graph.k)
    targets = graph.indices.ravel()
    halves = np.maximum(graph.weights.astype(np.float64).ravel(), 0.0) / 2
    cells = (np.r_[sources, targets], np.r_[codes[targets], codes[sources]])
    votes = csr_array((np.r_[halves, halves], cells), shape=(n, classes))
    votes.eliminate_zeros()
    total = np.repeat(votes.sum(axis=1), np.diff(votes.indptr))
    votes.data = votes.data / total
    return votes


def _largest(
    profile: csr_array, *, leave_out: NDArray[np.intp] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Largest value of every row and its column, ties to the lower; 0 and −1 for an empty row."""
    rows = np.repeat(np.arange(profile.shape[0]), np.diff(profile.indptr))
    columns, values = profile.indices.astype(np.int64), profile.data
    if leave_out is not None:
        keep = columns != leave_out[rows]
        rows, columns, values = rows[keep], columns[keep], values[keep]
    order = np.lexsort((columns, -values, rows))
    first = order[np.unique(rows[order], return_index=True)[1]]
    largest = np.zeros(profile.shape[0])
    place = np.full(profile.shape[0], -1, dtype=np.int64)
    largest[rows[first]], place[rows[first]] = values[first], columns[first]
    return largest, place


def settled_layer(own_share: ArrayLike) -> NDArray[np.int64]:
    """Find the layer from which on most of a sample's neighbours carry its label.

    Parameters
    ----------
    own_share : array of float, shape (L, n)
        From `neighbor_votes`.

    Returns
    -------
    ndarray of int64, shape (n,)
        First layer of the last stretch above one half that lasts to the end; L for a sample that is
        not settled in the last layer.

    Examples
    --------
    >>> settled_layer([[0.6, 0.9, 0.2], [0.4, 0.9, 0.7], [0.7, 0.9, 0.5]]).tolist()
    [2, 0, 3]
    """
    mixed = ~(np.asarray(own_share, dtype=np.float64) > 0.5)
    return np.where(mixed.any(axis=0), len(mixed) - np.argmax(mixed[::-1], axis=0), 0)


def sample_table(
    graphs: Sequence[KnnGraph],
    nodes: pd.DataFrame,
    layers: Sequence[str],
    *,
    class_names: Mapping[int, str] | None = None,
    variant: str = "clean",
    repeat: int = 0,
) -> pd.DataFrame:
    """Build the table ``samples`` of a node set: one row a sample, in node order.

    Parameters
    ----------
    graphs : sequence of KnnGraph
        One a layer, in order of depth.
    nodes : DataFrame
        The node table: ``node, sample, label, label_name`` and, where there are any, ``predicted``.
    layers : sequence of str
        Name of each layer.
    class_names : mapping of int to str, optional
        Names of all classes; without it, predictions of a class that no sample has are nameless.
    variant, repeat
        What the first columns say.

    Returns
    -------
    DataFrame
        The columns are described in `graphs.metric_rows`.

    Raises
    ------
    GraphError
        As in `neighbor_votes`.
    """
    labels = nodes["label"].to_numpy(np.int32)
    votes = neighbor_votes(graphs, labels)
    names = (
        nodes.groupby("label", sort=True)["label_name"].first()
        if class_names is None
        else pd.Series(class_names)
    )
    settled = settled_layer(votes.own_share)
    n, suspect = len(nodes), settled == len(graphs)
    place = _numbers(settled, ~suspect)
    carried = _numbers(votes.classes[votes.neighbor_code], votes.neighbor_code >= 0)
    predicted = _predictions(nodes)
    return pd.DataFrame(
        {
            "variant": variant,
            "repeat": np.full(n, repeat, dtype=np.int32),
            "node": np.arange(n, dtype=np.int32),
            "sample": nodes["sample"].to_numpy(np.int64),
            "label": labels,
            "label_name": nodes["label_name"].to_numpy(),
            "predicted": predicted,
            "predicted_name": _named(predicted, names),
            "neighbor_label": carried,
            "neighbor_label_name": _named(carried, names),
            "settled_index": place,
            "settled_layer": _named(place, pd.Series([*layers])),
            "lost": _lost(votes.own_share, layers),
            "own_share": votes.own_share[-1],
            "score": votes.score,
            "rank": _ranks(votes.score, suspect),
            "suspect": suspect,
        }
    )


def _ranks(score: NDArray[np.float64], suspect: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Count suspects first, by falling score; equal up to rounding is equal, and goes by node."""
    order = np.lexsort((np.arange(len(score)), -score.round(12), ~suspect))
    ranks = np.empty(len(score), dtype=np.int32)
    ranks[order] = np.arange(1, len(score) + 1)
    return ranks


def _predictions(nodes: pd.DataFrame) -> NDArray[Any]:
    predicted = np.full(len(nodes), np.nan)
    if "predicted" in nodes.columns:
        predicted = nodes["predicted"].to_numpy(np.float64, na_value=np.nan)
    return _numbers(predicted, ~np.isnan(predicted))


def _numbers(values: NDArray[Any], known: NDArray[np.bool_]) -> NDArray[Any]:
    """Integers of which some may be missing, as pandas reads them from a file."""
    return values.astype(np.int32) if known.all() else np.where(known, values, np.nan)


def _named(numbers: NDArray[Any], names: "pd.Series[str]") -> NDArray[np.object_]:
    """Name every number; None where it is missing or has none."""
    found = pd.Series(numbers).map(names)
    return found.astype(object).where(found.notna(), None).to_numpy()


def _lost(own_share: NDArray[np.float64], layers: Sequence[str]) -> list[str]:
    """Layers at which a sample loses the majority that it had in the layer before."""
    most = own_share > 0.5
    lost = most[:-1] & ~most[1:]
    names = np.array([*layers[1:]], dtype=object)
    return [",".join(names[column]) for column in lost.T]
