import itertools
import os

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from graphs.errors import CorruptFileError, SchemaError
from graphs.schema import COLUMNS, KEY, TABLE_NAMES, activation_schema
from graphs.shards import LayerRows
from graphs.tables import (
    ShardWriter,
    largest_group,
    read_frame,
    read_metadata,
    read_shard,
    shard_size,
    write_table,
)

EDGES = pd.DataFrame(
    {
        "source": np.array([0, 1], np.int32),
        "target": np.array([1, 0], np.int32),
        "rank": np.array([1, 1], np.int16),
        "weight": np.array([0.5, 0.25], np.float32),
    }
)


def write_shard(path, values, *, first=0, dtype="float32", batch=300):
    values = np.asarray(values, dtype)
    with ShardWriter(path, values.shape[1], dtype=dtype, metadata={"layer": "conv"}) as shard:
        for at in range(0, len(values), batch):
            part = values[at : at + batch]
            shard.write(np.arange(first + at, first + at + len(part), dtype=np.int32), part)
    return path


def test_a_table_reads_back_in_pandas_and_here(tmp_path):
    path = write_table(EDGES, tmp_path / "edges.parquet", "edges", metadata={"k": "1"})
    pd.testing.assert_frame_equal(pd.read_parquet(path), EDGES)
    pd.testing.assert_frame_equal(read_frame(path, "edges"), EDGES)
    assert read_metadata(path, "edges") == {"schema": "edges/1", "k": "1"}


def test_the_same_table_is_the_same_file(tmp_path):
    files = [write_table(EDGES, tmp_path / name, "edges") for name in ("a", "b")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_further_columns_follow_those_of_the_schema(tmp_path):
    frame = EDGES.assign(note="x")[["note", *EDGES.columns]]
    path = write_table(frame, tmp_path / "a", "edges")
    assert pq.read_schema(path).names == [*EDGES.columns, "note"]


@pytest.mark.parametrize("name", TABLE_NAMES)
def test_every_table_says_what_it_is_and_names_are_unique(name):
    names = COLUMNS[name].names
    assert len(names) == len(set(names))


def retitled(path, title):
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({KEY: title} if title else {}), path)
    return path


@pytest.mark.parametrize(
    ("title", "message"),
    [
        ("edges/2", "is of schema edges/2, this version reads edges/1; use the version"),
        ("nodes/1", "is of schema nodes/1, this version reads edges/1"),
        ("", "does not say what it is: stratagraph.schema is missing"),
    ],
)
def test_other_tables_and_versions_are_refused(tmp_path, title, message):
    path = retitled(write_table(EDGES, tmp_path / "edges.parquet", "edges"), title)
    with pytest.raises(SchemaError, match=message):
        read_frame(path, "edges")


def test_a_missing_column_or_another_type_is_refused(tmp_path):
    path = tmp_path / "edges.parquet"
    for table, message in (
        (pa.table({"source": pa.array([1], pa.int32())}), "has no column 'target': it has source"),
        (pa.table({"source": pa.array([1.0])}), "column 'source' is double, not int32"),
    ):
        pq.write_table(table.replace_schema_metadata({KEY: "edges/1"}), path)
        with pytest.raises(SchemaError, match=message):
            read_frame(path, "edges")


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "missing"])
def test_damaged_files_are_named(tmp_path, damage):
    values = np.random.default_rng(0).normal(size=(40, 50))
    path = write_shard(tmp_path / "part-00000.parquet", values)
    content = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    else:
        content[len(content) // 2] ^= 0x10
        end = {"cut": len(content) // 2, "empty": 0, "flipped": None}[damage]
        path.write_bytes(content[:end])
    with pytest.raises(
        CorruptFileError, match=r"part-00000\.parquet is (truncated|missing).*again"
    ):
        list(read_shard(path))


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_shards_hold_what_was_written_in_row_groups_of_256(tmp_path, dtype):
    values = np.random.default_rng(0).normal(size=(600, 7)).astype(dtype)
    path = write_shard(tmp_path / "a.parquet", values, dtype=dtype)
    assert shard_size(path) == (600, 7)
    assert largest_group(path) == 256
    _, nodes, read = zip(*read_shard(path), strict=True)
    np.testing.assert_array_equal(np.concatenate(nodes), np.arange(600))
    np.testing.assert_array_equal(np.concatenate(read), values)
    file = pq.ParquetFile(path)
    assert max(file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)) <= 256
    field = file.schema_arrow.field("activation")
    assert field == activation_schema(7, dtype).field("activation")
    assert not field.nullable
    np.testing.assert_array_equal(np.stack(pd.read_parquet(path)["activation"]), values)


def test_an_unfinished_shard_has_no_name(tmp_path):
    with pytest.raises(ZeroDivisionError):
        with ShardWriter(tmp_path / "a.parquet", 2, dtype="float32", metadata={}) as shard:
            shard.write(np.arange(3, dtype=np.int32), np.ones((3, 2), np.float32))
            1 / 0  # noqa: B018
    assert os.listdir(tmp_path) == []


@pytest.fixture
def layer(tmp_path):
    values = np.random.default_rng(0).normal(size=(1000, 5)).astype(np.float32)
    bounds = [0, 400, 700, 1000]
    parts = [
        write_shard(tmp_path / f"part-{i:05d}.parquet", values[a:b], first=a, batch=130)
        for i, (a, b) in enumerate(itertools.pairwise(bounds))
    ]
    return parts, values


@pytest.mark.parametrize(
    "rows", [slice(0, 1000), slice(0, 1), slice(399, 401), slice(256, 720), slice(990, 5000)]
)
def test_rows_of_a_layer_are_read_over_shard_borders(layer, rows):
    parts, values = layer
    read = LayerRows(parts)
    assert read.shape == values.shape
    np.testing.assert_array_equal(read[rows], values[rows])


def test_shards_out_of_order_are_noticed(layer):
    parts, _ = layer
    with pytest.raises(CorruptFileError, match="holds nodes 400 to 529 where 0 should begin"):
        LayerRows([parts[1], parts[0]])[0:1000]


def test_shards_of_other_widths_are_noticed(layer, tmp_path):
    parts, _ = layer
    other = write_shard(tmp_path / "part-00009.parquet", np.ones((3, 6)), first=1000)
    with pytest.raises(CorruptFileError, match="differ in their values per sample"):
        LayerRows([*parts, other])
    with pytest.raises(CorruptFileError, match="no shards"):
        LayerRows([])
