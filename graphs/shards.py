"""One layer's activations on disk, read by rows as if they were an array."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graphs.errors import CorruptFileError
from graphs.tables import read_shard, shard_size


class LayerRows:
    """The shards of one layer: ``rows[start:stop]`` reads just those samples.

    Parameters
    ----------
    parts : sequence of Path
        ``part-00000.parquet`` and so on, in order.

    Attributes
    ----------
    shape : tuple of int
        (n, D).

    Raises
    ------
    CorruptFileError
        When a shard is missing, truncated, or its nodes do not follow on those before.
    """

    def __init__(self, parts: Sequence[Path]) -> None:
        if not parts:
            raise CorruptFileError("the layer has no shards", "run stage 1 (activations) again")
        sizes = [shard_size(part) for part in parts]
        if len({values for _, values in sizes}) != 1:
            raise CorruptFileError(
                f"the shards in {parts[0].parent} differ in their values per sample",
                "delete the folder and run stage 1 (activations) again",
            )
        self._parts = list(parts)
        # the row group read last, and the row it begins with: small blocks would read it again
        self._last: tuple[int, NDArray[np.floating]] = (0, np.empty((0, sizes[0][1]), np.float32))
        self._bounds = np.concatenate(([0], np.cumsum([rows for rows, _ in sizes])))
        self.shape = (int(self._bounds[-1]), sizes[0][1])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> NDArray[np.float32]:
        start, stop, step = rows.indices(self.shape[0])
        if step != 1:
            raise ValueError("rows are read in order: a slice without a step")
        out = np.empty((max(stop - start, 0), self.shape[1]), np.float32)
        at, values = self._last
        held = values[start - at : stop - at] if at <= start else values[:0]
        out[: len(held)] = held
        start, rest = start + len(held), out[len(held) :]
        if not len(rest):
            return out
        # lets go of it before the next one is read; a view would keep all of it
        self._last = (0, np.empty((0, self.shape[1]), np.float32))
        del values, held
        first = int(np.searchsorted(self._bounds, start, side="right")) - 1
        for part, at in zip(self._parts[first:], self._bounds[first:], strict=False):
            if at >= stop:
                break
            self._read_part(part, int(at), start, rest)
        return out

    def _read_part(self, part: Path, first: int, start: int, out: NDArray[np.float32]) -> None:
        """Copy what `out` (rows from `start` on) wants of a part whose first row is `first`."""
        stop = start + len(out)
        for row, nodes, values in read_shard(part, start=start - first, stop=stop - first):
            at = first + row
            if nodes[0] != at or nodes[-1] != at + len(nodes) - 1:
                raise CorruptFileError(
                    f"{part} holds nodes {nodes[0]} to {nodes[-1]} where {at} should begin",
                    "delete it and run stage 1 (activations) again",
                )
            low, high = max(at, start), min(at + len(nodes), stop)
            out[low - start : high - start] = values[low - at : high - at]
            self._last = (at, values)
