"""Neuron graphs as GraphML and GEXF: layers from left to right, clusters as colours."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import triu

from graphs.export.attributes import Column, ColumnType, community_column, doubles
from graphs.export.colors import class_colors
from graphs.export.gexf import GEXF_TYPES, NAMESPACE
from graphs.export.graphml import (
    FOOTER,
    GraphValue,
    graph_data,
    graph_start,
    header,
    node_lines,
)
from graphs.export.output import write_checked
from graphs.export.text import escape_column, gephi_text, xml_attribute
from graphs.neuron_graph import NeuronGraph

MOST_EDGES = 50_000
"""Graph programs are slow beyond so many: the strongest are written."""

EDGE_KEYS: tuple[tuple[str, ColumnType], ...] = (("weight", "double"), ("inside", "boolean"))
ACROSS, HEIGHT = 300.0, 1000.0  # between layers; of a layer


@dataclass(frozen=True, kw_only=True, eq=False)
class NeuronExport:
    """A clustered neuron graph, as graph files have it.

    Attributes
    ----------
    graph : NeuronGraph
        The graph.
    labels : ndarray of int, shape (n,)
        Cluster of each node.
    network : str
        Its name.
    """

    graph: NeuronGraph
    labels: NDArray[np.integer]
    network: str

    @cached_property
    def edges(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Pairs of nodes, shape (m, 2), and their weights: the strongest, ties by node."""
        upper = triu(self.graph.adjacency, format="coo")
        pairs = np.column_stack((upper.row, upper.col)).astype(np.int64)
        order = np.lexsort((pairs[:, 1], pairs[:, 0], -upper.data))[:MOST_EDGES]
        order = order[np.lexsort((pairs[order, 1], pairs[order, 0]))]
        return pairs[order], upper.data[order]

    @property
    def left_out(self) -> int:
        """Edges that are not written."""
        return int(self.graph.adjacency.nnz) // 2 - len(self.edges[1])

    @cached_property
    def ids(self) -> list[str]:
        """Identify a neuron by layer and unit: ``L02_u17``."""
        pairs = zip(self.graph.layer.tolist(), self.graph.unit.tolist(), strict=True)
        return [f"L{layer:02d}_u{unit}" for layer, unit in pairs]

    @cached_property
    def layers(self) -> list[str]:
        """Name of each node's layer."""
        names = [gephi_text(name, what="a layer") for name in self.graph.layer_names]
        return [names[layer] for layer in self.graph.layer.tolist()]

    @cached_property
    def named(self) -> list[str]:
        """What is written beside a node: layer and unit."""
        units = self.graph.unit.tolist()
        return [f"{layer} {unit}" for layer, unit in zip(self.layers, units, strict=True)]

    @cached_property
    def places(self) -> NDArray[np.float64]:
        """Coordinates: a column a layer, in it cluster over cluster."""
        return neuron_places(self.graph, self.labels) * [ACROSS, HEIGHT]

    @cached_property
    def colors(self) -> list[str]:
        """Colour of each node's cluster."""
        colors = class_colors(int(self.labels.max()) + 1)
        return [colors[label] for label in self.labels.tolist()]

    @cached_property
    def columns(self) -> list[Column]:
        """Attributes of nodes."""
        graph = self.graph
        return [
            Column("layer", "string", self.layers),
            Column("layer_index", "int", [str(value) for value in graph.layer.tolist()]),
            Column("unit", "int", [str(value) for value in graph.unit.tolist()]),
            community_column("cluster", self.labels),
            Column("degree", "int", [str(n) for n in np.diff(graph.adjacency.indptr).tolist()]),
            Column("strength", "double", doubles(np.asarray(graph.adjacency.sum(axis=1)))),
        ]

    @cached_property
    def facts(self) -> list[GraphValue]:
        """What is true of the graph as a whole."""
        return [
            ("network", "string", gephi_text(self.network, what="the graph")),
            ("clusters", "int", str(int(self.labels.max()) + 1)),
            ("edges_left_out", "int", str(self.left_out)),
        ]

    def edge_rows(self) -> Iterator[tuple[str, str, float, str]]:
        """Both ends, the weight, and whether the edge stays in its cluster."""
        pairs, weights = self.edges
        inside = np.equal(*self.labels[pairs].T).tolist()
        for (a, b), weight, same in zip(pairs.tolist(), weights.tolist(), inside, strict=True):
            yield self.ids[a], self.ids[b], weight, "true" if same else "false"


def neuron_places(graph: NeuronGraph, labels: NDArray[np.integer]) -> NDArray[np.float64]:
    """Place neurons by layer (x, from 0) and, within it, by cluster and unit (y, from 0 to 1).

    Returns
    -------
    ndarray of float64, shape (n, 2)
    """
    places = np.empty((graph.n_nodes, 2))
    places[:, 0] = graph.layer
    for layer in range(len(graph.widths)):
        nodes = np.flatnonzero(graph.layer == layer)
        order = nodes[np.argsort(labels[nodes], kind="stable")]
        places[order, 1] = (np.arange(len(nodes)) + 0.5) / len(nodes)
    return places


def write_neurons_graphml(export: NeuronExport, path: Path) -> Path:
    """Write a clustered neuron graph as GraphML.

    Nodes carry ``label, layer, layer_index, unit, cluster, degree, strength, x, y, color``, edges
    ``weight`` and ``inside`` (whether both ends are in one cluster). Of more than 50,000 edges the
    strongest are written, and ``edges_left_out`` says how many are not.

    Parameters
    ----------
    export : NeuronExport
        The graph.
    path : Path
        ``….graphml`` or ``….graphml.gz``.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    ExportError
        When a name cannot be written.
    RunError, ResourceError
        When the file cannot be written.
    """
    x, y = export.places.T
    columns = [
        Column("label", "string", export.named),
        *export.columns,
        Column("x", "double", doubles(x)),
        Column("y", "double", doubles(y)),
        Column("color", "string", export.colors),
    ]
    edges = (
        f'<edge id="{a}-{b}" source="{a}" target="{b}"><data key="weight">{weight!r}</data>'
        f'<data key="inside">{inside}</data></edge>\n'
        for a, b, weight, inside in export.edge_rows()
    )
    lines = chain(
        header(export.facts, columns, edge_keys=EDGE_KEYS),
        graph_start("neurons"),
        graph_data(export.facts),
        node_lines(export.ids, columns),
        edges,
        FOOTER,
    )
    return write_checked(path, lines, suffix=".graphml")


def write_neurons_gexf(export: NeuronExport, path: Path) -> Path:
    """Write a clustered neuron graph as GEXF 1.3, with what `write_neurons_graphml` has.

    Parameters
    ----------
    export : NeuronExport
        The graph.
    path : Path
        ``….gexf`` or ``….gexf.gz``.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    ExportError, RunError, ResourceError
        As `write_neurons_graphml`.
    """
    return write_checked(path, _gexf_lines(export), suffix=".gexf")


def _gexf_lines(export: NeuronExport) -> Iterator[str]:
    told = ", ".join(f"{name} {value}" for name, _, value in export.facts)
    yield (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<gexf xmlns="{NAMESPACE}" '
        f'xmlns:viz="{NAMESPACE}/viz" version="1.3">\n<meta><creator>stratagraph</creator>'
        f"<description>{xml_attribute(told)}</description></meta>\n"
        '<graph mode="static" defaultedgetype="undirected">\n<attributes class="node">\n'
    )
    for column in export.columns:
        yield _attribute(column.name, column.type)
    yield '</attributes>\n<attributes class="edge">\n'
    yield _attribute("inside", "boolean") + "</attributes>\n<nodes>\n"
    cells = [_cells(column) for column in export.columns]
    for node, label, (x, y), color, *values in zip(
        export.ids,
        escape_column(export.named, xml_attribute),
        export.places.tolist(),
        export.colors,
        *cells,
        strict=True,
    ):
        red, green, blue = bytes.fromhex(color[1:])
        yield (
            f'<node id="{node}" label="{label}"><attvalues>{"".join(values)}</attvalues>'
            f'<viz:position x="{x!r}" y="{y!r}"/><viz:color r="{red}" g="{green}" b="{blue}"/>'
            "</node>\n"
        )
    yield "</nodes>\n<edges>\n"
    for a, b, weight, inside in export.edge_rows():
        yield (
            f'<edge id="{a}-{b}" source="{a}" target="{b}" weight="{weight!r}"><attvalues>'
            f'<attvalue for="inside" value="{inside}"/></attvalues></edge>\n'
        )
    yield "</edges>\n</graph></gexf>\n"


def _attribute(name: str, kind: ColumnType) -> str:
    return f'<attribute id="{name}" title="{name}" type="{GEXF_TYPES.get(kind, kind)}"/>\n'


def _cells(column: Column) -> list[str]:
    values = column.values
    if column.type == "string":
        values = escape_column(column.values, xml_attribute)
    return [f'<attvalue for="{column.name}" value="{value}"/>' for value in values]
