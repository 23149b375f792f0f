"""The dependencies between modules as GraphML."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pandas as pd

from graphs.export.attributes import Column, ColumnType
from graphs.export.graphml import FOOTER, graph_data, graph_start, header, node_lines
from graphs.export.output import write_checked
from graphs.export.text import gephi_text
from graphs.frames import require_columns

EDGE_KEYS: tuple[tuple[str, ColumnType], ...] = (
    ("weight", "double"),
    ("kind", "string"),
    ("lost_a_given_b", "double"),
    ("lost_b_given_a", "double"),
)
ACROSS, DOWN = 200, 100  # between layers, between modules


def write_modules_graphml(
    lesions: pd.DataFrame, dependencies: pd.DataFrame, path: Path, *, network: str
) -> Path:
    """Write important modules as nodes and their dependencies as edges.

    An edge stands for every pair that is not of the kind ``none``; the module of the earlier layer
    is its source, so that what depends on what follows from ``kind`` although edges have no
    direction. Modules lie from left to right by layer; ``weight`` is 1.

    Parameters
    ----------
    lesions : DataFrame
        The table ``lesions``.
    dependencies : DataFrame
        The table ``dependencies``; it may have no rows.
    path : Path
        ``….graphml``.
    network : str
        Name of the graph.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    TableError
        When a column is missing, or no module was tried.
    ExportError
        When a name cannot be written.
    """
    needed = ["layer_index", "layer", "module", "size", "kind", "lost", "p"]
    require_columns(lesions, "lesions", needed)
    chosen = lesions[lesions["kind"] == "important"].sort_values(["layer_index", "module"])
    height = chosen.groupby("layer_index").cumcount() * DOWN
    layers = [gephi_text(str(name), what="a layer") for name in chosen["layer"]]
    columns = [
        Column(
            "label", "string", [f"{a}/{b}" for a, b in zip(layers, chosen["module"], strict=True)]
        ),
        Column("layer", "string", layers),
        Column("layer_index", "int", _texts(chosen["layer_index"])),
        Column("cluster", "int", _texts(chosen["module"])),
        Column("neurons", "int", _texts(chosen["size"])),
        Column("lost", "double", _texts(chosen["lost"])),
        Column("p", "double", _texts(chosen["p"])),
        Column("x", "double", _texts(chosen["layer_index"] * float(ACROSS))),
        Column("y", "double", _texts(height.astype(float))),
    ]
    facts: list[tuple[str, ColumnType, str]] = [
        ("network", "string", gephi_text(network, what="the graph"))
    ]
    lines = chain(
        header(facts, columns, edge_keys=EDGE_KEYS),
        graph_start("modules"),
        graph_data(facts),
        node_lines(_ids(chosen, "layer_index", "module"), columns),
        _edge_lines(dependencies[dependencies["kind"] != "none"]),
        FOOTER,
    )
    return write_checked(path, lines, suffix=".graphml")


def _texts(values: "pd.Series[int] | pd.Series[float]") -> list[str]:
    return [repr(value) for value in values.tolist()]


def _ids(table: pd.DataFrame, layer: str, module: str) -> list[str]:
    return [f"L{a:02d}_m{b}" for a, b in zip(table[layer], table[module], strict=True)]


def _edge_lines(edges: pd.DataFrame) -> Iterator[str]:
    ends = zip(
        _ids(edges, "layer_a_index", "module_a"),
        _ids(edges, "layer_b_index", "module_b"),
        strict=True,
    )
    rest = edges[["kind", "lost_a_given_b", "lost_b_given_a"]].itertuples(index=False)
    for (a, b), (kind, first, second) in zip(ends, rest, strict=True):
        yield (
            f'<edge id="{a}-{b}" source="{a}" target="{b}"><data key="weight">1.0</data>'
            f'<data key="kind">{kind}</data>'
            f'<data key="lost_a_given_b">{float(first)!r}</data>'
            f'<data key="lost_b_given_a">{float(second)!r}</data></edge>\n'
        )
