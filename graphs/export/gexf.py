"""GEXF 1.3: all layers in one file, with the layer as time."""

import json
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Literal, get_args

from graphs.errors import ExportError
from graphs.export.attributes import (
    Column,
    ExportAttributes,
    check_layers,
    layer_columns,
    node_colors,
    node_ids,
    node_labels,
    static_columns,
)
from graphs.export.output import write_checked
from graphs.export.pairs import pair_table
from graphs.export.text import escape_column, gephi_text, xml_attribute, xml_text
from graphs.snapshots import DynamicGraph

Representation = Literal["interval", "timestamp"]

NAMESPACE = "http://gexf.net/1.3"
# Less than half the distance of two layers: bounds are closed, touching intervals show two layers.
HALF_WIDTH = 0.4
GEXF_TYPES = {"int": "integer"}


def write_dynamic_gexf(
    dynamic: DynamicGraph,
    path: Path,
    *,
    attributes: ExportAttributes | None = None,
    representation: Representation = "interval",
) -> Path:
    """Write all layers as one dynamic GEXF 1.3 file for Gephi's timeline; layer k is time k.

    Edges have a spell and a weight for each layer they stand in; nodes, which stand in all, have
    ``community``, ``strength`` and ``degree`` by layer beside what never changes.

    Parameters
    ----------
    dynamic : DynamicGraph
        The graphs over one node set.
    path : Path
        ``….gexf`` or ``….gexf.gz``; no other dot in the name.
    attributes : ExportAttributes, optional
        Layout, communities and modularity.
    representation : {"interval", "timestamp"}
        Layer k as the time [k - 0.4, k + 0.4], which NetworkX reads as well, or as the instant k,
        which is smaller and right under Gephi's averaging estimator too.

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
    if representation not in get_args(Representation):
        raise ExportError(
            f"there is no time representation {representation!r}",
            f"choose one of {', '.join(get_args(Representation))}",
        )
    attributes = attributes or ExportAttributes()
    attributes.check(dynamic)
    check_layers(dynamic)
    moments = _moments(dynamic, representation)
    fixed = static_columns(dynamic, attributes)
    changing = [
        layer_columns(dynamic, position, attributes=attributes)
        for position in range(len(dynamic.snapshots))
    ]
    lines = chain(
        _head(dynamic, attributes, representation=representation),
        _attributes("node", "dynamic", changing[0]),
        # The static block last: graphology keeps the last one of each class.
        _attributes("node", "static", fixed),
        _attributes("edge", "dynamic", [Column("weight", "double", ())]),
        _node_lines(dynamic, fixed, changing, attributes=attributes, moments=moments),
        _edge_lines(dynamic, moments),
        ("</graph></gexf>\n",),
    )
    return write_checked(path, lines, suffix=".gexf")


def _moments(dynamic: DynamicGraph, representation: Representation) -> list[str]:
    indices = [snapshot.layer_index for snapshot in dynamic.snapshots]
    if representation == "timestamp":
        return [f'timestamp="{index}"' for index in indices]
    return [f'start="{index - HALF_WIDTH:.1f}" end="{index + HALF_WIDTH:.1f}"' for index in indices]


def _head(
    dynamic: DynamicGraph, attributes: ExportAttributes, *, representation: Representation
) -> Iterator[str]:
    yield (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<gexf xmlns="{NAMESPACE}" '
        f'xmlns:viz="{NAMESPACE}/viz" version="1.3">\n<meta><creator>stratagraph</creator>'
        f"<description>{xml_text(_description(dynamic, attributes))}</description></meta>\n"
        '<graph mode="dynamic" defaultedgetype="undirected" timeformat="double" '
        f'timerepresentation="{representation}">\n'
    )


def _description(dynamic: DynamicGraph, attributes: ExportAttributes) -> str:
    facts: dict[str, object] = {
        "network": gephi_text(dynamic.name, what="the graph"),
        "layers": {
            str(layer.layer_index): gephi_text(layer.layer, what=f"layer {layer.layer_index}")
            for layer in dynamic.snapshots
        },
    }
    if attributes.modularity is not None:
        facts["modularity"] = [
            value if abs(value) <= 1 else None for value in map(float, attributes.modularity)
        ]
    for name in ("k", "metric"):
        if getattr(attributes, name) is not None:
            facts[name] = getattr(attributes, name)
    return json.dumps(facts, ensure_ascii=False)


def _attributes(kind: str, mode: str, columns: Sequence[Column]) -> Iterator[str]:
    yield f'<attributes class="{kind}" mode="{mode}">\n'
    for column in columns:
        yield (
            f'<attribute id="{column.name}" title="{column.name}" '
            f'type="{GEXF_TYPES.get(column.type, column.type)}"/>\n'
        )
    yield "</attributes>\n"


def _node_lines(
    dynamic: DynamicGraph,
    fixed: Sequence[Column],
    changing: Sequence[Sequence[Column]],
    *,
    attributes: ExportAttributes,
    moments: Sequence[str],
) -> Iterator[str]:
    cells = [_value_cells(column, "") for column in fixed]
    for place in range(len(changing[0])):
        for columns, moment in zip(changing, moments, strict=True):
            cells.append(_value_cells(columns[place], f" {moment}"))
    looks = zip(
        node_ids(dynamic),
        node_labels(dynamic),
        _positions(dynamic, attributes),
        map(_viz_color, node_colors(dynamic)),
        strict=True,
    )
    yield "<nodes>\n"
    for (node, label, position, color), *values in zip(looks, *cells, strict=True):
        yield (
            f'<node id="{node}" label="{xml_attribute(label)}">'
            f"<attvalues>{''.join(values)}</attvalues>{position}{color}</node>\n"
        )
    yield "</nodes>\n"


def _value_cells(column: Column, moment: str) -> list[str]:
    start = f'<attvalue for="{column.name}" value="'
    end = f'"{moment}/>'
    values: Sequence[str | None] = column.values
    if column.type == "string":
        values = escape_column(column.values, xml_attribute)
    return [f"{start}{value}{end}" if value else "" for value in values]


def _positions(dynamic: DynamicGraph, attributes: ExportAttributes) -> list[str]:
    if attributes.layout is None:
        return [""] * dynamic.n_nodes
    return [f'<viz:position x="{x!r}" y="{y!r}"/>' for x, y in attributes.layout.tolist()]


def _viz_color(color: str) -> str:
    red, green, blue = bytes.fromhex(color[1:])
    return f'<viz:color r="{red}" g="{green}" b="{blue}"/>'


def _edge_lines(dynamic: DynamicGraph, moments: Sequence[str]) -> Iterator[str]:
    table, ids = pair_table(dynamic), node_ids(dynamic)
    when = [moments[position] for position in table.positions.tolist()]
    values = [
        f'<attvalue for="weight" value="{weight!r}" {moment}/>'
        for weight, moment in zip(table.weights.tolist(), when, strict=True)
    ]
    spells = [f"<spell {moment}/>" for moment in when]
    starts = table.starts.tolist()
    yield "<edges>\n"
    for (a, b), first, stop in zip(table.pairs.tolist(), starts[:-1], starts[1:], strict=True):
        one, other = ids[a], ids[b]
        yield (
            f'<edge id="{one}-{other}" source="{one}" target="{other}">'
            f"<attvalues>{''.join(values[first:stop])}</attvalues>"
            f"<spells>{''.join(spells[first:stop])}</spells></edge>\n"
        )
    yield "</edges>\n"
