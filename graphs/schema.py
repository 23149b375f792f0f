"""Names and versions of every table, and checks: the contract with those who read the files.

Columns and types stand in `graphs.columns`. Every file says in its metadata what it is:
``stratagraph.schema = "edges/1"``. Columns are added within a version, never renamed or removed.
"""

from typing import Literal, get_args

import pyarrow as pa

from graphs.columns import neurons, pruning, runs, studies
from graphs.errors import SchemaError

TableName = Literal[
    "nodes",
    "activations",
    "edges",
    "layers",
    "classes",
    "class_pairs",
    "communities",
    "node_metrics",
    "samples",
    "flows",
    "events",
    "ablation",
    "dynamics",
    "random",
    "compare",
    "similarity",
    "tsne",
    "multislice",
    "multislice_nodes",
    "adversarial",
    "prune",
    "copies",
    "criteria",
    "agreement",
    "prune_compare",
    "single_layers",
    "lesion_sets",
    "lesions",
    "lesion_classes",
    "dependencies",
    "neurons",
    "neuron_clusters",
    "neuron_layers",
    "neuron_partition",
    "neuron_shuffles",
    "neuron_nulls",
]
TABLE_NAMES: tuple[TableName, ...] = get_args(TableName)
VERSION = 1
KEY = "stratagraph.schema"
# which stage writes a table of a run, where it is not the third
_STAGES = {"nodes": "activations", "activations": "activations", "edges": "edges"}

_ALL = runs.TABLES | studies.TABLES | pruning.TABLES | neurons.TABLES
COLUMNS: dict[TableName, pa.Schema] = {name: _ALL[name] for name in TABLE_NAMES}


def activation_schema(values: int, dtype: Literal["float32", "float16"]) -> pa.Schema:
    """Return the schema of one layer's activations.

    A non-nullable list of fixed size reads back several times faster than a nullable one.
    """
    kind = pa.float32() if dtype == "float32" else pa.float16()
    element = pa.field("element", kind, nullable=False)
    return COLUMNS["activations"].append(
        pa.field("activation", pa.list_(element, values), nullable=False)
    )


def label(name: TableName) -> str:
    """Return what stands in a file's metadata: name and version.

    Examples
    --------
    >>> label("edges")
    'edges/1'
    """
    return f"{name}/{VERSION}"


def write_again(name: TableName) -> str:
    """Return the remedy for a table that cannot be read: what writes it.

    Examples
    --------
    >>> write_again("edges"), write_again("tsne")
    ('run `stratagraph edges` again', 'repeat the command that wrote it')
    """
    if name not in runs.TABLES:
        return "repeat the command that wrote it"
    return f"run `stratagraph {_STAGES.get(name, 'communities')}` again"


def validate(schema: pa.Schema, name: TableName, *, where: str) -> None:
    """Check that a file's schema is a known version of the table that a reader expects.

    Parameters
    ----------
    schema : pyarrow.Schema
        The schema as read, with its metadata.
    name : str
        The table that is expected.
    where : str
        The file, for the message.

    Raises
    ------
    SchemaError
        When the file is another table, another version, or lacks a column.
    """
    found = (schema.metadata or {}).get(KEY.encode(), b"").decode()
    if not found:
        raise SchemaError(
            f"{where} does not say what it is: {KEY} is missing from its metadata",
            "write it with stratagraph, other programs drop the metadata",
        )
    if found != label(name):
        raise SchemaError(
            f"{where} is of schema {found}, this version reads {label(name)}",
            "use the version of stratagraph that wrote it, or run the stage again",
        )
    for column in COLUMNS[name]:
        if column.name not in schema.names:
            raise SchemaError(
                f"{where} has no column {column.name!r}: it has {', '.join(schema.names)}",
                write_again(name),
            )
        kind = schema.field(column.name).type
        if kind != column.type:
            raise SchemaError(
                f"{where}: column {column.name!r} is {kind}, not {column.type}",
                write_again(name),
            )
