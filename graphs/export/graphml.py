"""GraphML: one layer a file."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from graphs.errors import ExportError
from graphs.export.attributes import (
    Column,
    ColumnType,
    ExportAttributes,
    check_layers,
    doubles,
    layer_columns,
    node_ids,
    node_labels,
    place_columns,
    static_columns,
)
from graphs.export.output import write_checked
from graphs.export.text import escape_column, gephi_text, layer_tag, xml_text
from graphs.snapshots import DynamicGraph

NAMESPACE = "http://graphml.graphdrawing.org/xmlns"
GraphValue = tuple[str, ColumnType, str]


def write_layer_graphml(
    dynamic: DynamicGraph,
    position: int,
    path: Path,
    *,
    attributes: ExportAttributes | None = None,
) -> Path:
    """Write one layer as GraphML 1.0, which every graph program opens.

    Nodes carry ``label, class_id, class_name, sample_index, community, strength, degree, x, y,
    color`` and, where predictions are known, ``pred_id, pred_name, correct``; edges ``weight`` and
    ``same_class``; the graph ``network, layer, layer_index, modularity, k, metric``. What is not
    known is left out.

    Parameters
    ----------
    dynamic : DynamicGraph
        The graphs over one node set.
    position : int
        Which of its snapshots, from 0.
    path : Path
        ``….graphml`` or ``….graphml.gz``; no other dot in the name.
    attributes : ExportAttributes, optional
        Layout, communities and modularity.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    ExportError
        When the graph has something that graph programs would misread.
    RunError, ResourceError
        When the file cannot be written.
    """
    attributes = attributes or ExportAttributes()
    attributes.check(dynamic)
    check_layers(dynamic)
    if not 0 <= position < len(dynamic.snapshots):
        raise ExportError(
            f"there is no layer at position {position}, {dynamic.name} has "
            f"{len(dynamic.snapshots)} layers",
            "count from 0",
        )
    snapshot = dynamic.snapshots[position]
    columns = [
        Column("label", "string", node_labels(dynamic)),
        *static_columns(dynamic, attributes),
        *layer_columns(dynamic, position, attributes=attributes),
        *place_columns(dynamic, attributes),
    ]
    lines = chain(
        header(layer_facts(dynamic, position, attributes=attributes), columns, edge_keys=EDGE_KEYS),
        graph_start(layer_tag(snapshot.layer_index)),
        graph_data(layer_facts(dynamic, position, attributes=attributes)),
        node_lines(node_ids(dynamic), columns),
        _edge_lines(dynamic, position),
        FOOTER,
    )
    return write_checked(path, lines, suffix=".graphml")


EDGE_KEYS: tuple[tuple[str, ColumnType], ...] = (("weight", "double"), ("same_class", "boolean"))
FOOTER = ("</graph></graphml>\n",)


def layer_facts(
    dynamic: DynamicGraph, position: int, *, attributes: ExportAttributes
) -> list[GraphValue]:
    """Return what the file says of the graph as a whole: name, type, value."""
    snapshot = dynamic.snapshots[position]
    facts: list[GraphValue] = [
        ("layer", "string", gephi_text(snapshot.layer, what=f"layer {snapshot.layer_index}")),
        ("layer_index", "int", str(snapshot.layer_index)),
    ]
    if attributes.modularity is not None:
        value = doubles([float(attributes.modularity[position])])[0]
        facts += [("modularity", "double", value)] if value else []
    return facts + common_facts(dynamic, attributes)


def common_facts(dynamic: DynamicGraph, attributes: ExportAttributes) -> list[GraphValue]:
    """Return what is true of all layers: the network's name, k, metric."""
    facts: list[GraphValue] = [("network", "string", gephi_text(dynamic.name, what="the graph"))]
    if attributes.k is not None:
        facts.append(("k", "int", str(attributes.k)))
    if attributes.metric is not None:
        facts.append(("metric", "string", gephi_text(attributes.metric, what="the metric")))
    return facts


def header(
    facts: Sequence[GraphValue],
    columns: Sequence[Column],
    *,
    edge_keys: Sequence[tuple[str, ColumnType]],
) -> Iterator[str]:
    """Write the head of the file and every key, before anything uses it."""
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<graphml xmlns="{NAMESPACE}">\n'
    for name, kind, _ in facts:
        yield _key(f"g_{name}", name, "graph", kind)
    for column in columns:
        yield _key(column.name, column.name, "node", column.type)
    for name, kind in edge_keys:
        yield _key(name, name, "edge", kind)


def graph_start(graph_id: str) -> Iterator[str]:
    """Open the one graph of the file."""
    yield f'<graph id="{graph_id}" edgedefault="undirected">\n'


def graph_data(facts: Sequence[GraphValue]) -> Iterator[str]:
    """Write what is true of the graph as a whole; an empty word is left out."""
    yield "".join(_data(f"g_{name}", value) for name, _, value in facts if value) + "\n"


def node_lines(ids: Sequence[str], columns: Sequence[Column]) -> Iterator[str]:
    """Write the nodes, one a line; missing values are left out."""
    cells = [data_cells(column) for column in columns]
    for node, *data in zip(ids, *cells, strict=True):
        yield f'<node id="{node}">{"".join(data)}</node>\n'


def data_cells(column: Column) -> list[str]:
    """Write one column as ``<data>`` elements, an empty text where a value is missing."""
    values: Iterable[str | None] = column.values
    if column.type == "string":
        values = escape_column(column.values, xml_text)
    start = f'<data key="{column.name}">'
    return [f"{start}{value}</data>" if value else "" for value in values]


def _edge_lines(dynamic: DynamicGraph, position: int) -> Iterator[str]:
    snapshot, labels = dynamic.snapshots[position], dynamic.labels
    ids = node_ids(dynamic)
    source, target = snapshot.edges.T
    same = (labels[source] == labels[target]).tolist()
    ends = ("true</data></edge>\n", "false</data></edge>\n")
    for a, b, weight, alike in zip(
        source.tolist(), target.tolist(), snapshot.weights.tolist(), same, strict=True
    ):
        one, other = ids[a], ids[b]
        yield (
            f'<edge id="{one}-{other}" source="{one}" target="{other}"><data key="weight">'
            f'{weight!r}</data><data key="same_class">{ends[not alike]}'
        )


def _key(key_id: str, name: str, domain: str, kind: ColumnType) -> str:
    return f'<key id="{key_id}" for="{domain}" attr.name="{name}" attr.type="{kind}"/>\n'


def _data(key: str, value: str) -> str:
    return f'<data key="{key}">{xml_text(value)}</data>'
