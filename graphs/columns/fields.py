"""Columns by type, and those that many tables have."""

import pyarrow as pa

Fields = list[pa.Field]


def table(*groups: Fields) -> pa.Schema:
    """Put columns together, in this order.

    Examples
    --------
    >>> table(whole("node"), real("score", null=True)).names
    ['node', 'score']
    """
    return pa.schema([field for group in groups for field in group])


def short(*names: str) -> Fields:
    """Columns of int16."""
    return _fields(pa.int16(), names)


def whole(*names: str, null: bool = False) -> Fields:
    """Columns of int32; with `null`, values may be missing."""
    return _fields(pa.int32(), names, null=null)


def large(*names: str, null: bool = False) -> Fields:
    """Columns of int64."""
    return _fields(pa.int64(), names, null=null)


def single(*names: str, null: bool = False) -> Fields:
    """Columns of float32."""
    return _fields(pa.float32(), names, null=null)


def real(*names: str, null: bool = False) -> Fields:
    """Columns of float64."""
    return _fields(pa.float64(), names, null=null)


def text(*names: str, null: bool = False) -> Fields:
    """Columns of texts."""
    return _fields(pa.string(), names, null=null)


def flag(*names: str) -> Fields:
    """Columns of truth values."""
    return _fields(pa.bool_(), names)


def _fields(kind: pa.DataType, names: tuple[str, ...], *, null: bool = False) -> Fields:
    return [pa.field(name, kind, nullable=null) for name in names]


LAYER = whole("layer_index") + text("layer")
WHERE = text("variant") + whole("repeat") + LAYER
SAMPLE = whole("node") + large("sample") + whole("label") + text("label_name")
