"""Parquet files: written whole or not at all, checked when read. Nothing else writes Parquet."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from graphs.errors import CorruptFileError
from graphs.files import explain_os_error, replacing
from graphs.places import remote
from graphs.schema import COLUMNS, KEY, TableName, activation_schema, label, validate, write_again

ROW_GROUP = 256
PREFIX = "stratagraph."


def write_table(
    frame: pd.DataFrame, path: Path, name: TableName, *, metadata: Mapping[str, str] | None = None
) -> Path:
    """Write a data frame as the table `name`.

    Parameters
    ----------
    frame : DataFrame
        At least the columns of the table's schema; more follow in their own order.
    path : Path
        File to write; its folder is made.
    name : str
        Which table it is (`graphs.schema.TABLE_NAMES`).
    metadata : mapping of str to str, optional
        Further metadata, each key stored as ``stratagraph.<key>``.

    Returns
    -------
    Path
        `path`.
    """
    known = COLUMNS[name]
    extra = [column for column in frame.columns if column not in known.names]
    inferred = pa.Table.from_pandas(frame[extra], preserve_index=False).schema if extra else []
    schema = pa.schema([*known, *inferred]).with_metadata(_metadata(name, metadata))
    table = pa.Table.from_pandas(frame[schema.names], schema=schema, preserve_index=False)
    # from_pandas adds pandas' own metadata, which names library versions: not the same file twice
    table = table.replace_schema_metadata(schema.metadata)
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)
    return path


def read_frame(path: Path, name: TableName) -> pd.DataFrame:
    """Read a table into pandas, after checking what it is.

    Raises
    ------
    CorruptFileError
        When the file is missing, truncated or damaged.
    SchemaError
        When it is another table or another version.
    """
    with _open(path, name) as file:
        try:
            frame: pd.DataFrame = file.read().to_pandas()
        except (OSError, pa.ArrowException) as error:
            raise _corrupt(path, error, name) from error
    return frame


def read_metadata(path: Path, name: TableName) -> dict[str, str]:
    """Read what a file says of itself, without its rows: keys without ``stratagraph.``."""
    with _open(path, name) as file:
        pairs = (file.schema_arrow.metadata or {}).items()
        found = {key.decode(): value.decode() for key, value in pairs}
    return {key[len(PREFIX) :]: value for key, value in found.items() if key.startswith(PREFIX)}


class ShardWriter:
    """Write a range of samples of one layer as a shard, a batch at a time.

    Use as a context manager: the shard gets its name when the block ends well.

    Parameters
    ----------
    path : Path
        ``…/layer=003/part-00000.parquet``.
    values : int
        Values per sample, D.
    dtype : {"float32", "float16"}
        How they are stored.
    metadata : mapping of str to str
        Layer index, name, shape, module type and the digest of what the shard was made from.
    """

    def __init__(
        self,
        path: Path,
        values: int,
        *,
        dtype: Literal["float32", "float16"],
        metadata: Mapping[str, str],
    ) -> None:
        schema = activation_schema(values, dtype)
        self._schema = schema.with_metadata(_metadata("activations", metadata))
        self._path = path
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            temporary = stack.enter_context(replacing(self._path))
            self._writer = stack.enter_context(
                pq.ParquetWriter(
                    temporary,
                    self._schema,
                    compression="none",
                    use_dictionary=False,
                    write_statistics=False,
                    write_page_checksum=True,
                )
            )
            self._stack = stack.pop_all()
        return self

    def write(self, nodes: NDArray[np.int32], activations: NDArray[np.floating]) -> None:
        """Append samples, shape (b,) and (b, D): one row group, or more where b > 256."""
        kind = self._schema.field("activation").type
        rows = pa.FixedSizeListArray.from_arrays(pa.array(activations.reshape(-1)), type=kind)
        columns = [pa.array(nodes, pa.int32()), rows]
        batch = pa.Table.from_arrays(columns, schema=self._schema)
        try:
            self._writer.write_table(batch, row_group_size=ROW_GROUP)
        except OSError as error:
            raise explain_os_error(error, self._path) from error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)


def shard_size(path: Path) -> tuple[int, int]:
    """Return rows and values per row of a shard, from its footer alone."""
    with _open(path, "activations") as file:
        kind = file.schema_arrow.field("activation").type
        return file.metadata.num_rows, kind.list_size


def largest_group(path: Path) -> int:
    """Return how many rows of a shard are read at once at most, from its footer alone."""
    with _open(path, "activations") as file:
        groups = range(file.num_row_groups)
        return max((file.metadata.row_group(group).num_rows for group in groups), default=0)


def read_shard(
    path: Path, *, start: int = 0, stop: int | None = None
) -> Iterator[tuple[int, NDArray[np.int32], NDArray[np.floating]]]:
    """Read the row groups of a shard that hold some of its rows `start` to `stop`.

    Every page is compared with its checksum.

    Yields
    ------
    tuple
        Row of the shard where the group begins, its nodes (b,) and activations (b, D).

    Raises
    ------
    CorruptFileError
        When the file is truncated or damaged.
    """
    with _open(path, "activations") as file:
        size = file.schema_arrow.field("activation").type.list_size
        after = 0
        for group in range(file.num_row_groups):
            at, after = after, after + file.metadata.row_group(group).num_rows
            if after <= start or (stop is not None and at >= stop):
                continue
            try:
                table = file.read_row_group(group)
            except (OSError, pa.ArrowException) as error:
                raise _corrupt(path, error, "activations") from error
            rows = table.column("activation").combine_chunks()
            values = rows.flatten().to_numpy(zero_copy_only=True).reshape(-1, size)
            yield at, table.column("node").to_numpy(), values


def _open(path: Path, name: TableName) -> pq.ParquetFile:
    try:
        # at a URL, only the bytes of the rows that are asked for travel: both columns in one go
        source, together = (path.open("rb"), True) if remote(path) else (path, False)
        file = pq.ParquetFile(source, page_checksum_verification=True, pre_buffer=together)
    except FileNotFoundError:
        raise CorruptFileError(
            f"{path} is missing", f"{write_again(name)}; what is there is kept"
        ) from None
    except (OSError, pa.ArrowException) as error:
        raise _corrupt(path, error, name) from error
    try:
        validate(file.schema_arrow, name, where=str(path))
    except BaseException:
        file.close()
        raise
    return file


def _corrupt(path: Path, error: Exception, name: TableName) -> CorruptFileError:
    reason = str(error).splitlines()[0].rstrip(".;")
    return CorruptFileError(
        f"{path} is truncated or damaged ({reason})",
        f"delete it and {write_again(name)}; what is whole is kept",
    )


def _metadata(name: TableName, extra: Mapping[str, str] | None) -> dict[str, str]:
    return {KEY: label(name), **{PREFIX + key: value for key, value in (extra or {}).items()}}
