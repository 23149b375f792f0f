"""Parquet files of one integer and one list of fixed length a row, written at the disk's speed.

Arrow's writer makes two level numbers for every float of a list, which costs several times as much
as the disk: 0.6 GB/s on a processor that copies 5. For lists that are all there and all of one
length the levels are known: runs that take a few bytes a row. The values are then written as they
lie in memory. Every reader of Parquet reads the file; what Arrow writes for the same rows differs
in the run lengths alone.

Layout: Apache Parquet format 2.9, data pages of version 1, encodings PLAIN and RLE, no compression.
"""

import base64
import zlib
from functools import cached_property
from typing import BinaryIO, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from graphs.thrift_compact import STRUCT, Value, array, binary, i16, i32, i64, struct, varint

MAGIC: Final = b"PAR1"
PAGE_BYTES: Final = 1 << 20
CREATED_BY: Final = "stratagraph"

# numbers of parquet.thrift
_INT32, _FLOAT, _FIXED = 1, 4, 7
_REQUIRED, _REPEATED = 0, 2
_PLAIN, _RLE = 0, 3
_LIST = 3
_LOGICAL_LIST, _LOGICAL_FLOAT16 = 3, 15
_UNCOMPRESSED = 0
_DATA_PAGE = 0
_VERSION = 2


class ListFile:
    """A Parquet file while it is written, one row group a call.

    Parameters
    ----------
    stream : binary file
        Open for writing, empty.
    schema : pyarrow.Schema
        Two columns that are never null: an int32, and a fixed-size list of float32 or float16.
    """

    def __init__(self, stream: BinaryIO, schema: pa.Schema) -> None:
        self._stream, self._schema = stream, schema
        self._number, self._list = schema
        self._length = int(self._list.type.list_size)
        self._half = self._list.type.value_type == pa.float16()
        self._dtype = np.dtype("<f2" if self._half else "<f4")
        self._position = 0
        self._groups: list[Value] = []
        self._rows = 0
        self._levels: dict[int, bytes] = {}
        self._put(MAGIC)

    def write_group(self, numbers: NDArray[np.int32], values: NDArray[np.floating]) -> range:
        """Append a row group: `numbers` of shape (b,), `values` (b, D), b > 0; return its bytes."""
        values = np.ascontiguousarray(values, self._dtype)
        if values.shape != (len(numbers), self._length):
            raise ValueError(
                f"values of shape {values.shape} for {len(numbers)} rows of {self._length}"
            )
        start, rows = self._position, len(numbers)
        self._page(b"", np.ascontiguousarray(numbers, "<i4"), count=rows)
        between = self._position
        step = max(1, PAGE_BYTES // (self._length * self._dtype.itemsize))
        for at in range(0, rows, step):
            part = values[at : at + step]
            self._page(self._list_levels(len(part)), part, count=part.size)
        end = self._position
        numbers_chunk = _chunk(_INT32, self._number_path, start, size=between - start, count=rows)
        lists_chunk = _chunk(
            _FIXED if self._half else _FLOAT,
            self._list_path,
            between,
            size=end - between,
            count=values.size,
        )
        group = {
            1: array([numbers_chunk, lists_chunk]),
            2: i64(end - start),
            3: i64(rows),
            5: i64(start),
            6: i64(end - start),
            7: i16(len(self._groups)),
        }
        self._groups.append(struct(group))
        self._rows += rows
        return range(start, end)

    def close(self) -> None:
        """Write the footer; the stream stays open."""
        facts = {
            **(self._schema.metadata or {}),
            b"ARROW:schema": base64.b64encode(self._schema.serialize()),
        }
        pairs = [struct({1: binary(key), 2: binary(value)}) for key, value in facts.items()]
        fields = {
            1: i32(_VERSION),
            2: array(self._elements()),
            3: i64(self._rows),
            4: array(self._groups, kind=STRUCT),
            5: array(pairs),
            6: binary(CREATED_BY),
        }
        footer = struct(fields).data
        self._put(footer + len(footer).to_bytes(4, "little") + MAGIC)

    def _put(self, data: bytes | memoryview) -> None:
        self._stream.write(data)
        self._position += len(data)

    def _page(self, levels: bytes, values: NDArray[np.generic], *, count: int) -> None:
        raw = values.data.cast("B")
        size = len(levels) + len(raw)
        checksum = zlib.crc32(raw, zlib.crc32(levels))
        about = {1: i32(count), 2: i32(_PLAIN), 3: i32(_RLE), 4: i32(_RLE)}
        header = {
            1: i32(_DATA_PAGE),
            2: i32(size),
            3: i32(size),
            4: i32(checksum - (1 << 32) if checksum >> 31 else checksum),
            5: struct(about),
        }
        self._put(struct(header).data + levels)
        self._put(raw)

    def _list_levels(self, rows: int) -> bytes:
        """Repetition levels (0 begins a row, 1 continues it), then definition levels (all 1)."""
        if rows not in self._levels:
            row = _run(1, 0) + (_run(self._length - 1, 1) if self._length > 1 else b"")
            parts = (row * rows, _run(rows * self._length, 1))
            self._levels[rows] = b"".join(len(p).to_bytes(4, "little") + p for p in parts)
        return self._levels[rows]

    @cached_property
    def _number_path(self) -> Value:
        return array([binary(self._number.name)])

    @cached_property
    def _list_path(self) -> Value:
        names = (self._list.name, "list", self._list.type.value_field.name)
        return array([binary(name) for name in names])

    def _elements(self) -> list[Value]:
        """Columns as a tree, flattened depth first."""
        required, half = i32(_REQUIRED), struct({_LOGICAL_FLOAT16: struct({})})
        leaf = {1: i32(_FIXED), 2: i32(self._dtype.itemsize)} if self._half else {1: i32(_FLOAT)}
        root = {3: required, 4: binary("schema"), 5: i32(2)}
        number = {1: i32(_INT32), 3: required, 4: binary(self._number.name)}
        outer = {3: required, 4: binary(self._list.name), 5: i32(1), 6: i32(_LIST)}
        outer[10] = struct({_LOGICAL_LIST: struct({})})
        middle = {3: i32(_REPEATED), 4: binary("list"), 5: i32(1)}
        leaf |= {3: required, 4: binary(self._list.type.value_field.name)}
        leaf |= {10: half} if self._half else {}
        return [struct(fields) for fields in (root, number, outer, middle, leaf)]


def _run(count: int, level: int) -> bytes:
    """`count` times the same level of one bit (RLE)."""
    return varint(count << 1) + bytes([level])


def _chunk(kind: int, path: Value, start: int, *, size: int, count: int) -> Value:
    facts = {
        1: i32(kind),
        2: array([i32(_PLAIN), i32(_RLE)]),
        3: path,
        4: i32(_UNCOMPRESSED),
        5: i64(count),
        6: i64(size),
        7: i64(size),
        9: i64(start),
    }
    return struct({2: i64(0), 3: struct(facts)})
