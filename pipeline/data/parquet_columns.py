"""Which columns of a Parquet file hold images and labels, found by type and metadata."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from graphs.errors import DataError
from pipeline.data.labels import check_labels

LABEL_COLUMNS = ("label", "labels", "fine_label", "class", "target", "y")


@dataclass(frozen=True)
class Columns:
    """Where images and labels are.

    Attributes
    ----------
    image : str
        Name of the image column.
    image_bytes : str
        What to read of it: the column, or the field ``bytes`` of its struct.
    label : str
        Name of the label column.
    label_names : tuple of str, optional
        Names of the classes, where the file's Hugging Face metadata has them.
    """

    image: str
    image_bytes: str
    label: str
    label_names: tuple[str, ...] | None


def find_columns(schema: pa.Schema, where: str) -> Columns:
    """Find the image and the label column.

    The image column is the first struct with a binary field ``bytes``, else the first binary
    column. The label column is the first that the Hugging Face metadata calls a class label,
    else the first of `LABEL_COLUMNS` that is there.

    Parameters
    ----------
    schema : pyarrow.Schema
        Of the file, with its metadata.
    where : str
        The file, for messages.

    Raises
    ------
    DataError
        When there is no such column; the columns are listed.
    """
    have = ", ".join(f"{field.name} ({_short(field.type)})" for field in schema)
    image = _find_image(schema)
    if image is None:
        raise DataError(
            f"{where} has no image column, it has {have}",
            "store images as a struct with the binary field bytes",
        )
    features = _features(schema)
    named = (name for name in schema.names if features.get(name, {}).get("_type") == "ClassLabel")
    label = next(named, None) or next(
        (name for name in LABEL_COLUMNS if name in schema.names), None
    )
    if label is None:
        raise DataError(
            f"{where} has no label column, it has {have}", "call the column of the classes label"
        )
    names = features.get(label, {}).get("names")
    label_names = tuple(map(str, names)) if isinstance(names, list) and names else None
    nested = pa.types.is_struct(schema.field(image).type)
    return Columns(image, f"{image}.bytes" if nested else image, label, label_names)


def number_labels(
    values: pa.ChunkedArray, columns: Columns, where: str
) -> tuple[NDArray[np.int64], tuple[str, ...] | None]:
    """Class numbers, and class names where they are known.

    Labels that are strings are numbered by the names in the metadata, else in sorted order.

    Parameters
    ----------
    values : pyarrow.ChunkedArray, shape (n,)
        The label column.
    columns : Columns
        What `find_columns` found.
    where : str
        The file, for messages.

    Raises
    ------
    DataError
        When a label is missing, negative, or neither a whole number nor a string.
    """
    if values.null_count:
        first = values.to_pylist().index(None)
        raise DataError(
            f"sample {first} of {where} has no label in column {columns.label}",
            "remove it or choose a split with labels",
        )
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        name = f"{where}, column {columns.label}"
        return check_labels(values.to_numpy(), name), columns.label_names
    words = values.to_pylist()
    names = columns.label_names or tuple(sorted(set(words)))
    numbers = {name: number for number, name in enumerate(names)}
    unknown = next((word for word in words if word not in numbers), None)
    if unknown is not None:
        raise DataError(
            f"{where} has the label {unknown!r}, its metadata names {', '.join(names[:10])}",
            "add the class to the metadata or mend the label",
        )
    return check_labels(np.array([numbers[word] for word in words], np.int64), where), names


def _find_image(schema: pa.Schema) -> str | None:
    def is_binary(kind: pa.DataType) -> bool:
        return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))

    def first(fields: Iterable[pa.Field]) -> str | None:
        return next((field.name for field in fields), None)

    structs = (
        field
        for field in schema
        if pa.types.is_struct(field.type)
        and (index := field.type.get_field_index("bytes")) >= 0
        and is_binary(field.type.field(index).type)
    )
    return first(structs) or first(field for field in schema if is_binary(field.type))


def _features(schema: pa.Schema) -> dict[str, dict[str, Any]]:
    text = (schema.metadata or {}).get(b"huggingface")
    try:
        features = json.loads(text)["info"]["features"] if text else {}
    # Foreign metadata: where it is of another form the columns are found without it.
    except (ValueError, KeyError, TypeError):
        return {}
    if not isinstance(features, dict):
        return {}
    return {name: kind for name, kind in features.items() if isinstance(kind, dict)}


def _short(kind: pa.DataType) -> str:
    return "struct" if pa.types.is_struct(kind) else str(kind)
