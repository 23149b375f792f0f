"""The compact protocol of Thrift, as much of it as the metadata of a Parquet file needs.

A value is its type and its bytes; `struct` puts values together by field number. Layout: Apache
Thrift, *thrift-compact-protocol*; the field numbers are those of Apache Parquet's `parquet.thrift`.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

STRUCT: Final = 12
_I16, _I32, _I64, _BINARY, _LIST = 4, 5, 6, 8, 9
_LONGEST_SHORT_LIST: Final = 14
_LARGEST_STEP: Final = 15


class Value(NamedTuple):
    """Something encoded: the number of its type, and its bytes."""

    kind: int
    data: bytes


def varint(number: int) -> bytes:
    """Encode a number from 0 on, seven bits a byte, the lowest first.

    Examples
    --------
    >>> varint(300).hex()
    'ac02'
    """
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def i16(number: int) -> Value:
    """Encode an integer of 16 bits."""
    return Value(_I16, _zigzag(number))


def i32(number: int) -> Value:
    """Encode an integer of 32 bits.

    Examples
    --------
    >>> i32(-1).data.hex(), i32(1).data.hex()
    ('01', '02')
    """
    return Value(_I32, _zigzag(number))


def i64(number: int) -> Value:
    """Encode an integer of 64 bits."""
    return Value(_I64, _zigzag(number))


def binary(data: bytes | str) -> Value:
    """Encode bytes, or a text as UTF-8."""
    data = data.encode() if isinstance(data, str) else data
    return Value(_BINARY, varint(len(data)) + data)


def array(values: Sequence[Value], *, kind: int | None = None) -> Value:
    """Encode a list of values of one type; `kind` says which, where it may be empty.

    Examples
    --------
    >>> array([i32(1), i32(2)]).data.hex()
    '250204'
    """
    kind, count = values[0].kind if kind is None else kind, len(values)
    if count <= _LONGEST_SHORT_LIST:
        head = bytes([count << 4 | kind])
    else:
        head = bytes([0xF0 | kind]) + varint(count)
    return Value(_LIST, head + b"".join(value.data for value in values))


def struct(fields: Mapping[int, Value]) -> Value:
    """Encode a struct (or a union) from its fields by number, in rising order.

    Examples
    --------
    >>> struct({1: i32(1), 4: i32(2)}).data.hex()
    '1502350400'
    """
    out, before = bytearray(), 0
    for number, value in fields.items():
        if not 0 < number - before <= _LARGEST_STEP:
            raise ValueError(f"field {number} cannot follow field {before}")
        out.append((number - before) << 4 | value.kind)
        out += value.data
        before = number
    out.append(0)
    return Value(STRUCT, bytes(out))


def _zigzag(number: int) -> bytes:
    return varint(2 * number if number >= 0 else -2 * number - 1)
