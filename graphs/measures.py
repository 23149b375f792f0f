"""From the graphs of the layers to the metric tables.

What each column means stands in `graphs.metric_rows`, which builds the rows of one layer, and in
`graphs.temporal_rows`, which builds those that need several.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from graphs.communities import leiden, partition_agreement
from graphs.confidence import bootstrap_interval, permutation_null
from graphs.errors import GraphError
from graphs.matching import MATCHED, Overlap, match_communities
from graphs.metric_rows import class_rows, community_rows, layer_row, node_rows, pair_rows
from graphs.modularity import Modularity, modularity, modularity_of_edges
from graphs.neighbors.knn_graph import KnnGraph
from graphs.rewiring import rewired_modularity
from graphs.snapshots import DynamicGraph, Snapshot
from graphs.temporal_rows import agreement_columns, event_rows, flow_rows


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerMeasures:
    """The metric tables of one layer.

    Attributes
    ----------
    layers : DataFrame
        One row a layer. ``modularity`` is exactly the sum (`math.fsum`) of the layer's terms in
        ``classes``, ``modularity_leiden`` of those in ``communities``.
    classes : DataFrame
        One row a layer and class.
    class_pairs : DataFrame
        One row a layer and pair of classes.
    communities : DataFrame
        One row a layer and Leiden community.
    nodes : DataFrame
        One row a layer and node.
    """

    layers: pd.DataFrame
    classes: pd.DataFrame = field(repr=False)
    class_pairs: pd.DataFrame = field(repr=False)
    communities: pd.DataFrame = field(repr=False)
    nodes: pd.DataFrame = field(repr=False)

    @property
    def matched(self) -> NDArray[np.int32]:
        """Matched community of every node, shape (n,): what the next layer is matched to."""
        return self.nodes["matched"].to_numpy(np.int32)


@dataclass(frozen=True, kw_only=True, eq=False)
class MetricTables:
    """The metric tables of any number of layers, node sets and variants.

    Attributes
    ----------
    layers, classes, class_pairs, communities, nodes : DataFrame
        As in `LayerMeasures`; ``layers`` also compares each layer's communities with those of the
        layer before.
    flows : DataFrame
        One row a pair of communities of neighbouring layers that share samples.
    events : DataFrame
        One row a birth, merge, split or death of a community.
    """

    layers: pd.DataFrame
    classes: pd.DataFrame = field(repr=False)
    class_pairs: pd.DataFrame = field(repr=False)
    communities: pd.DataFrame = field(repr=False)
    nodes: pd.DataFrame = field(repr=False)
    flows: pd.DataFrame = field(repr=False)
    events: pd.DataFrame = field(repr=False)


def measure_layer(
    snapshot: Snapshot,
    knn: KnnGraph,
    nodes: pd.DataFrame,
    *,
    variant: str = "clean",
    repeat: int = 0,
    previous_communities: ArrayLike | None = None,
    seed: int = 0,
    rewirings: int = 0,
) -> LayerMeasures:
    """Measure one layer.

    Parameters
    ----------
    snapshot : Snapshot
        The undirected graph of the layer.
    knn : KnnGraph
        The directed list that the snapshot was built from.
    nodes : DataFrame
        The node table: at least ``label`` and ``label_name``, in node order.
    variant, repeat
        What the first columns of every table say.
    previous_communities : array of int, shape (n,), optional
        ``matched`` of the layer before; without it the numbers start anew.
    seed : int
        For Leiden, permutations and draws. Each layer begins anew with it: layers can be measured
        in any order, and have the same permutations and draws of nodes.
    rewirings : int
        How many rewired graphs Leiden's optimum is compared with (`graphs.rewiring`).

    Returns
    -------
    LayerMeasures
        The rows of this layer in its five tables.

    Raises
    ------
    GraphError
        When the parts are not of the same nodes, or for one class only; the layer is named.

    Notes
    -----
    Modularity as in Lu et al. 2022, eq. 2; the other measures in `graphs.metric_rows`.
    """
    _check_nodes(snapshot, knn, nodes)
    labels = nodes["label"].to_numpy(np.int32)
    classes = _class_modularity(snapshot, knn, labels)
    community = leiden(snapshot, seed=seed)
    found = modularity_of_edges(snapshot.edges, snapshot.weights, community)
    where = {
        "variant": variant,
        "repeat": np.int32(repeat),
        "layer_index": np.int32(snapshot.layer_index),
        "layer": snapshot.layer,
    }
    codes = np.searchsorted(classes.classes, labels)
    names = nodes.groupby("label", sort=True)["label_name"].first()
    null = permutation_null(knn.indices, knn.weights, codes, seed=seed)
    measures = LayerMeasures(
        layers=layer_row(
            snapshot,
            knn,
            where,
            classes=classes,
            found=found,
            agreement=partition_agreement(labels, community),
            null=null,
            interval=bootstrap_interval(knn, codes, seed=seed),
            rewired=rewired_modularity(snapshot, rewirings=rewirings, seed=seed),
        ),
        classes=class_rows(where, classes, names=names, overlap=Overlap.of(codes, community)),
        class_pairs=pair_rows(where, null, names=names),
        # until they are matched to those of the layer before, communities keep their numbers
        communities=community_rows(
            where,
            found,
            matched=np.unique(community),
            names=names,
            overlap=Overlap.of(community, codes),
        ),
        nodes=node_rows(snapshot, where, labels=labels, community=community, matched=community),
    )
    if previous_communities is None:
        return measures
    return match_layer(measures, previous_communities)


def _class_modularity(snapshot: Snapshot, knn: KnnGraph, labels: NDArray[np.int32]) -> Modularity:
    try:
        return modularity(knn.indices, knn.weights, labels)
    except GraphError as error:
        raise GraphError(f"{snapshot.title}: {error.problem}", error.remedy) from error


def match_layer(measures: LayerMeasures, previous_communities: ArrayLike) -> LayerMeasures:
    """Give the communities of a measured layer the numbers of those they came from.

    Measuring a layer needs no other layer; only this does.

    Parameters
    ----------
    measures : LayerMeasures
        As `measure_layer` returns them.
    previous_communities : array of int, shape (n,)
        ``matched`` of the layer before.

    Returns
    -------
    LayerMeasures
        The same with other numbers in ``matched``.

    Raises
    ------
    GraphError
        When the two layers have different numbers of nodes.
    """
    community = measures.nodes["community"].to_numpy(np.int32)
    matched = match_communities(previous_communities, community, threshold=MATCHED)
    first = np.unique(community, return_index=True)[1]
    return replace(
        measures,
        communities=measures.communities.assign(matched=matched[first]),
        nodes=measures.nodes.assign(matched=matched),
    )


def measure_dynamic_graph(
    graph: DynamicGraph,
    knn_graphs: Sequence[KnnGraph],
    *,
    variant: str = "clean",
    repeat: int = 0,
    seed: int = 0,
) -> MetricTables:
    """Measure every layer of one node set, community numbers matched through depth.

    Parameters
    ----------
    graph : DynamicGraph
        The snapshots and their nodes.
    knn_graphs : sequence of KnnGraph
        The directed list of each snapshot.
    variant, repeat, seed
        As in `measure_layer`.

    Returns
    -------
    MetricTables
        The tables, layers in order of depth.

    Raises
    ------
    GraphError
        When a snapshot has no directed list, and as in `measure_layer`.
    """
    if len(knn_graphs) != len(graph.snapshots):
        raise GraphError(
            f"{graph.name} has {len(graph.snapshots)} layers, but {len(knn_graphs)} neighbour "
            "lists were given",
            "give one KnnGraph a layer",
        )
    measures: list[LayerMeasures] = []
    for snapshot, knn in zip(graph.snapshots, knn_graphs, strict=True):
        previous = measures[-1].matched if measures else None
        measures.append(
            measure_layer(
                snapshot,
                knn,
                graph.nodes,
                variant=variant,
                repeat=repeat,
                previous_communities=previous,
                seed=seed,
            )
        )
    return follow(measures)


def follow(measures: Iterable[LayerMeasures]) -> MetricTables:
    """Put the layers of one node set together, and add what only several of them can tell.

    Parameters
    ----------
    measures : iterable of LayerMeasures
        At least one, in order of depth, communities matched.

    Returns
    -------
    MetricTables
        Tables with a new index from 0.

    Raises
    ------
    GraphError
        For no layers at all.
    """
    tables = _stack(measures, LayerMeasures)
    nodes = tables["nodes"]
    tables["layers"] = tables["layers"].assign(**agreement_columns(nodes))
    return MetricTables(**tables, flows=flow_rows(nodes), events=event_rows(nodes))


def collect(tables: Iterable[MetricTables]) -> MetricTables:
    """Put the tables of several repeats or variants under each other, in the order given.

    Parameters
    ----------
    tables : iterable of MetricTables
        At least one.

    Returns
    -------
    MetricTables
        Tables with a new index from 0.

    Raises
    ------
    GraphError
        For no tables at all.
    """
    return MetricTables(**_stack(tables, MetricTables))


def _stack(
    tables: Iterable[LayerMeasures | MetricTables], kind: type[LayerMeasures | MetricTables]
) -> dict[str, pd.DataFrame]:
    parts = list(tables)
    if not parts:
        raise GraphError("there are no measured layers to put together", "measure a layer first")
    return {
        table.name: pd.concat([getattr(part, table.name) for part in parts], ignore_index=True)
        for table in fields(kind)
    }


def _check_nodes(snapshot: Snapshot, knn: KnnGraph, nodes: pd.DataFrame) -> None:
    for column in ("label", "label_name"):
        if column not in nodes.columns:
            raise GraphError(
                f"the node table has no column {column!r}: it has {', '.join(nodes.columns)}",
                "give label and label_name of every node",
            )
    if not snapshot.n_nodes == knn.n_nodes == len(nodes):
        raise GraphError(
            f"{snapshot.title}: the graph has {snapshot.n_nodes} nodes, the neighbour list "
            f"{knn.n_nodes}, the node table {len(nodes)}",
            "pass the three of one run and layer",
        )
