"""The union of all layers as one GraphML file, for programs that know no time."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np

from graphs.export.attributes import (
    Column,
    ColumnType,
    ExportAttributes,
    check_layers,
    community_column,
    node_ids,
    node_labels,
    place_columns,
    static_columns,
)
from graphs.export.graphml import (
    FOOTER,
    common_facts,
    graph_data,
    graph_start,
    header,
    node_lines,
)
from graphs.export.output import write_checked
from graphs.export.pairs import pair_table
from graphs.export.text import layer_tag
from graphs.snapshots import DynamicGraph


def write_union_graphml(
    dynamic: DynamicGraph, path: Path, *, attributes: ExportAttributes | None = None
) -> Path:
    """Write all layers into one GraphML file: one edge a pair that is ever linked.

    Edges carry ``weight`` (the mean over the layers that have the edge), ``w_L00``, ``w_L01`` …
    (absent where the layer has no such edge; graph-tool shows 0), ``n_layers``, ``first_layer``,
    ``last_layer``, ``layers`` as ``0|2|3`` and ``same_class``; nodes ``com_L00`` … beside what is
    the same in every layer. To see layer 3 alone, filter on edges that have a ``w_L03``.

    Parameters
    ----------
    dynamic : DynamicGraph
        The graphs over one node set.
    path : Path
        ``….graphml`` or ``….graphml.gz``; no other dot in the name.
    attributes : ExportAttributes, optional
        Layout and communities.

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
    columns = [
        Column("label", "string", node_labels(dynamic)),
        *static_columns(dynamic, attributes),
        *_communities(dynamic, attributes),
        *place_columns(dynamic, attributes),
    ]
    facts = common_facts(dynamic, attributes)
    lines = chain(
        header(facts, columns, edge_keys=_edge_keys(dynamic)),
        graph_start("union"),
        graph_data(facts),
        node_lines(node_ids(dynamic), columns),
        _edge_lines(dynamic),
        FOOTER,
    )
    return write_checked(path, lines, suffix=".graphml")


def _communities(dynamic: DynamicGraph, attributes: ExportAttributes) -> list[Column]:
    if attributes.communities is None:
        return []
    return [
        community_column(f"com_{layer_tag(snapshot.layer_index)}", row)
        for snapshot, row in zip(dynamic.snapshots, attributes.communities, strict=True)
    ]


def _edge_keys(dynamic: DynamicGraph) -> list[tuple[str, ColumnType]]:
    indices = sorted(snapshot.layer_index for snapshot in dynamic.snapshots)
    return [
        ("weight", "double"),
        *((f"w_{layer_tag(index)}", "double") for index in indices),
        ("n_layers", "int"),
        ("first_layer", "int"),
        ("last_layer", "int"),
        ("layers", "string"),
        ("same_class", "boolean"),
    ]


def _edge_lines(dynamic: DynamicGraph) -> Iterator[str]:
    table, ids, labels = pair_table(dynamic), node_ids(dynamic), dynamic.labels
    index = np.array([snapshot.layer_index for snapshot in dynamic.snapshots])[table.positions]
    depth = index.tolist()
    weights = table.weights.tolist()
    cells = [
        f'<data key="w_{layer_tag(layer)}">{weight!r}</data>'
        for layer, weight in zip(depth, weights, strict=True)
    ]
    same = np.equal(*labels[table.pairs].T).tolist()
    starts = table.starts.tolist()
    for (a, b), first, stop, alike in zip(
        table.pairs.tolist(), starts[:-1], starts[1:], same, strict=True
    ):
        one, other = ids[a], ids[b]
        layers = depth[first:stop]
        yield (
            f'<edge id="{one}-{other}" source="{one}" target="{other}"><data key="weight">'
            f"{sum(weights[first:stop]) / (stop - first)!r}</data>{''.join(cells[first:stop])}"
            f'<data key="n_layers">{stop - first}</data>'
            f'<data key="first_layer">{layers[0]}</data><data key="last_layer">{layers[-1]}</data>'
            f'<data key="layers">{"|".join(map(str, layers))}</data>'
            f'<data key="same_class">{"true" if alike else "false"}</data></edge>\n'
        )
