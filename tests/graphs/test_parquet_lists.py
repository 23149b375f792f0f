"""Files of our own Parquet writer, read back by Arrow and pandas and compared with Arrow's own."""

import io
import zlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs import parquet_lists
from graphs.parquet_lists import ListFile
from graphs.schema import activation_schema

METADATA = {b"stratagraph.schema": b"activations/1", b"word": "Größe".encode()}


def write(groups, length, *, dtype="float32"):
    """Write groups of rows; return the file, and its rows as Arrow has them."""
    schema = activation_schema(length, dtype).with_metadata(METADATA)
    stream = io.BytesIO()
    file = ListFile(stream, schema)
    for numbers, values in groups:
        file.write_group(numbers, values)
    file.close()
    pieces = [np.asarray(values, dtype) for _, values in groups]
    flat = np.concatenate([np.empty((0, length), dtype), *pieces]).reshape(-1)
    rows = pa.FixedSizeListArray.from_arrays(pa.array(flat), type=schema.field("activation").type)
    numbers = np.concatenate([np.empty(0, np.int32), *(numbers for numbers, _ in groups)])
    return stream.getvalue(), pa.Table.from_arrays([pa.array(numbers), rows], schema=schema)


def groups_of(sizes, length, *, dtype="float32", seed=0):
    rng = np.random.default_rng(seed)
    return [
        (rng.integers(-9, 9, size, dtype=np.int32), rng.normal(size=(size, length)).astype(dtype))
        for size in sizes
    ]


def arrow_file(table, **options):
    stream = io.BytesIO()
    pq.write_table(
        table, stream, compression="none", use_dictionary=False, write_statistics=False, **options
    )  # fmt: skip
    return pq.ParquetFile(stream)


def columns_of(file):
    """What a footer says of its columns, without places and sizes."""
    return [
        {key: column.to_dict()[key]
         for key in ("physical_type", "path_in_schema", "compression", "num_values")}
        for group in range(file.num_row_groups)
        for column in map(file.metadata.row_group(group).column, range(2))
    ]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 40), max_size=4),
    length=st.integers(1, 40),
    dtype=st.sampled_from(["float32", "float16"]),
)
def test_arrow_reads_what_was_written(sizes, length, dtype):
    data, table = write(groups_of(sizes, length, dtype=dtype), length, dtype=dtype)
    file = pq.ParquetFile(io.BytesIO(data), page_checksum_verification=True)
    assert file.read().equals(table, check_metadata=True)
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == sizes


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize(("sizes", "length"), [([3, 2], 5), ([300], 1), ([4, 4, 1], 1 << 17)])
def test_the_footer_is_that_of_arrow(sizes, length, dtype):
    data, table = write(groups_of(sizes, length, dtype=dtype), length, dtype=dtype)
    ours = pq.ParquetFile(io.BytesIO(data))
    theirs = arrow_file(table, row_group_size=sizes[0])
    assert ours.schema.equals(theirs.schema)
    assert ours.schema_arrow.equals(theirs.schema_arrow, check_metadata=True)
    assert columns_of(ours) == columns_of(theirs)
    assert ours.metadata.num_rows == sum(sizes)


def test_pandas_reads_it(tmp_path):
    groups = groups_of([5, 3], 4)
    (tmp_path / "a.parquet").write_bytes(write(groups, 4)[0])
    frame = pd.read_parquet(tmp_path / "a.parquet")
    np.testing.assert_array_equal(np.stack(frame["activation"]), np.vstack([g[1] for g in groups]))
    np.testing.assert_array_equal(frame["node"], np.concatenate([g[0] for g in groups]))


def test_a_reader_without_arrows_schema_sees_lists_of_floats():
    data, table = write(groups_of([6], 3), 3)
    plain = pq.read_table(io.BytesIO(data.replace(b"ARROW:schema", b"ARROW:absent")))
    assert plain.schema.field("activation").type == pa.list_(
        pa.field("element", pa.float32(), nullable=False)
    )
    assert plain.column("activation").to_pylist() == table.column("activation").to_pylist()


@pytest.mark.parametrize("page", [1, 100, 1 << 20])
def test_pages_hold_whole_rows_and_their_checksums_are_right(monkeypatch, page):
    monkeypatch.setattr(parquet_lists, "PAGE_BYTES", page)
    data, table = write(groups_of([50], 11), 11)
    file = pq.ParquetFile(io.BytesIO(data), page_checksum_verification=True)
    assert file.read().equals(table)
    chunk = file.metadata.row_group(0).column(1)
    pages = -(-50 // max(1, page // 44))
    headers = chunk.total_compressed_size - 50 * 44
    assert 20 * pages < headers < (40 + 4 * 50) * pages + 4 * 50


@pytest.mark.parametrize("place", [0.02, 0.3, 0.6])
def test_a_flipped_bit_is_found(place):
    data, _ = write(groups_of([40, 40], 50), 50)
    broken = bytearray(data)
    broken[int(len(data) * place)] ^= 4
    with pytest.raises(OSError, match=r"CRC|checksum|Thrift|page|Parquet"):
        pq.ParquetFile(io.BytesIO(broken), page_checksum_verification=True).read()


def test_the_checksum_is_that_of_zlib():
    numbers, values = groups_of([3], 4)[0]
    data, _ = write([(numbers, values)], 4)
    size, start = 3 * 4, data.index(numbers.tobytes())
    expected = zlib.crc32(numbers.tobytes())
    signed = expected - (1 << 32) if expected >> 31 else expected
    assert data[start : start + size] == numbers.tobytes()
    zigzag = 2 * signed if signed >= 0 else -2 * signed - 1
    assert parquet_lists.varint(zigzag) in data[:start]


def test_strided_and_other_types_are_copied():
    wide = np.arange(24.0).reshape(4, 6)
    data, _ = write([(np.arange(4, dtype=np.int32), wide[:, ::2])], 3)
    read = pq.read_table(io.BytesIO(data)).column("activation").to_pylist()
    np.testing.assert_array_equal(read, wide[:, ::2])


def test_rows_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"values of shape \(2, 3\) for 2 rows of 4"):
        write([(np.arange(2, dtype=np.int32), np.ones((2, 3), np.float32))], 4)


def test_an_empty_file():
    data, table = write([], 3)
    assert pq.read_table(io.BytesIO(data)).equals(table)
