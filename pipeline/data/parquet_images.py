"""Images in Parquet files, in the layout of the Hugging Face hub."""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from graphs.errors import DataError
from pipeline.data.decoding import EncodedImage, ImageDecoder, ResizeCrop, probe_decoder
from pipeline.data.labels import name_classes
from pipeline.data.parquet_columns import find_columns, number_labels
from pipeline.data.splits import (
    SPLIT_NAMES,
    names_split,
    note_other_split,
    refuse_other_splits,
    split_names,
)

# Sets of at most this size stay in memory once read; of others a few row groups do.
KEEP_BYTES = 512 * 2**20
KEEP_GROUPS = 4
# What pyarrow raises on a file that is damaged or cut short.
ARROW_ERRORS = (pa.ArrowException, OSError)


@dataclass(frozen=True)
class RowGroup:
    """A piece of a Parquet file that is read at once."""

    file: Path
    number: int
    column: str


@dataclass(frozen=True, kw_only=True, eq=False)
class ParquetSource:
    """Encoded images read by row group and decoded when asked for.

    Attributes
    ----------
    files : tuple of Path
        The parts, in order.
    groups : tuple of RowGroup
        All row groups, in order.
    starts : ndarray of int64, shape (groups + 1,)
        Position of the first sample of each row group, and the number of samples.
    labels, label_names
        Class of every sample, name of each class.
    decoder : ImageDecoder
        Gives every image its shape.
    keep : int
        Row groups that stay in memory.
    """

    files: tuple[Path, ...]
    groups: tuple[RowGroup, ...]
    starts: NDArray[np.int64]
    labels: NDArray[np.int64]
    label_names: tuple[str, ...]
    decoder: ImageDecoder
    keep: int
    cache: "OrderedDict[RowGroup, pa.Array]" = field(default_factory=OrderedDict, repr=False)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return self.decoder.shape

    def read(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Decode the images at these positions; fastest in the order of the file."""
        numbers = np.searchsorted(self.starts, indices, side="right") - 1
        encoded: list[EncodedImage | None] = [None] * len(indices)
        # Group by group, so that shuffled positions read each row group once.
        for place in np.argsort(numbers, kind="stable"):
            index, number = int(indices[place]), int(numbers[place])
            group = self.groups[number]
            value = self._images(group)[index - int(self.starts[number])]
            encoded[place] = _encode(value, index, group.file)
        return self.decoder.decode_all([one for one in encoded if one is not None])

    def digest(self) -> str:
        """SHA-256 of the contents of all parts."""
        digest = hashlib.sha256()
        for path in self.files:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()

    def _images(self, group: RowGroup) -> pa.Array:
        if group not in self.cache:
            self.cache[group] = _read_group(group)
            while len(self.cache) > self.keep:
                self.cache.popitem(last=False)
        self.cache.move_to_end(group)
        return self.cache[group]


def open_parquet(
    path: Path, *, split: str, channels: int | None = None, size: int | None = None
) -> ParquetSource:
    """Open Parquet files of encoded images.

    Parameters
    ----------
    path : Path
        One file, which is then read whatever the split; or a folder with parts.
    split : str
        In a folder: the parts whose name, or whose folder's name, begins with the split
        (``test`` also finds ``val`` and ``validation``); where no part names a split, all.
    channels, size
        As `pipeline.data.folders.open_folder`.

    Raises
    ------
    DataError
        When there is no such file or split, a file is damaged, columns are missing, labels
        are no class numbers, or the first image cannot be read.
    """
    files = find_parts(path, split=split)
    opened = [_open(file) for file in files]
    found = [
        find_columns(one.schema_arrow, str(file)) for file, one in zip(files, opened, strict=True)
    ]
    values = [
        _read_labels(one, columns.label, file)
        for one, columns, file in zip(opened, found, files, strict=True)
    ]
    labels, names = number_labels(_join(values, files), found[0], str(path))
    groups, rows = [], []
    for file, one, columns in zip(files, opened, found, strict=True):
        for number in range(one.num_row_groups):
            groups.append(RowGroup(file, number, columns.image_bytes))
            rows.append(one.metadata.row_group(number).num_rows)
        one.close()
    fits = sum(file.stat().st_size for file in files) <= KEEP_BYTES
    first = _encode(_read_group(groups[int(np.argmax(np.array(rows) > 0))])[0], 0, files[0])
    prepare = ResizeCrop(resize=size, crop=size) if size else None
    return ParquetSource(
        files=tuple(files),
        groups=tuple(groups),
        starts=np.concatenate(([0], np.cumsum(rows))).astype(np.int64),
        labels=labels,
        label_names=name_classes(labels, names, str(path)),
        decoder=probe_decoder(first, channels=channels, prepare=prepare),
        keep=len(groups) if fits else KEEP_GROUPS,
    )


def find_parts(path: Path, *, split: str) -> list[Path]:
    """Choose the files of a split, in the order of their names.

    Raises
    ------
    DataError
        When there is none.
    """
    if path.is_file():
        note_other_split(path, split=split)
        return [path]
    files = sorted(path.rglob("*.parquet"))
    if not files:
        raise DataError(f"{path} has no .parquet files", "check --data")
    for name in split_names(split):
        chosen = [file for file in files if names_split(file, name)]
        if chosen:
            return chosen
    found = {name for name in SPLIT_NAMES for file in files if names_split(file, name)}
    refuse_other_splits(path, split=split, found=found)
    return files


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except ARROW_ERRORS as error:
        raise _damaged(path, error) from error


def _read_labels(file: pq.ParquetFile, column: str, path: Path) -> pa.ChunkedArray:
    try:
        return file.read(columns=[column]).column(column)
    except ARROW_ERRORS as error:
        raise _damaged(path, error) from error


def _read_group(group: RowGroup) -> pa.Array:
    try:
        with pq.ParquetFile(group.file) as file:
            table = file.read_row_group(group.number, columns=[group.column])
    except ARROW_ERRORS as error:
        raise _damaged(group.file, error) from error
    column = table.column(0).combine_chunks()
    return column.field("bytes") if pa.types.is_struct(column.type) else column


def _join(values: Sequence[pa.ChunkedArray], files: Sequence[Path]) -> pa.ChunkedArray:
    for value, file in zip(values, files, strict=True):
        if value.type != values[0].type:
            raise DataError(
                f"the labels of {file} are {value.type}, those of {files[0]} {values[0].type}",
                "give the parts one type of label",
            )
    return pa.chunked_array([chunk for value in values for chunk in value.chunks], values[0].type)


def _encode(value: pa.Scalar, index: int, file: Path) -> EncodedImage:
    content = value.as_py()
    where = f"sample {index} ({file})"
    if content is None:
        raise DataError(f"{where} has no image bytes", "store the bytes, not only a path")
    return EncodedImage(content, where)


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(
        f"{path} is no readable Parquet file, or cut short ({error})", "download or write it again"
    )
