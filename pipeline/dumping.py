"""Writing one node set's activations, part by part, so that a killed run goes on where it was."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from graphs.errors import ActivationError, CorruptFileError, LayerError, SchemaError
from graphs.files import digest_json
from graphs.runs import RepeatFolder, holds
from graphs.tables import ShardWriter, read_frame, shard_size, write_table
from pipeline.data import ImageData
from pipeline.forward import Batch, Forward
from pipeline.layer_info import LayerInfo

PART_ROWS = 2048
WAITING = 1  # batches that may wait for the writer


@dataclass(frozen=True)
class NodeSet:
    """One repeat: which samples, where they go, and what they are made from.

    Attributes
    ----------
    folder : RepeatFolder
        Where its files lie.
    samples : ndarray of int64, shape (n,)
        Position in the data set of every node.
    identity : str
        Digest of network, images and options: whose run it is.
    digest : str
        Digest of the identity and the samples.
    layers : tuple of LayerInfo
        What is kept of each sample.
    """

    folder: RepeatFolder
    samples: NDArray[np.int64]
    identity: str
    digest: str
    layers: tuple[LayerInfo, ...]

    def parts(self) -> list[range]:
        """Ranges of nodes; each is one shard of every layer."""
        n = len(self.samples)
        return [range(at, min(at + PART_ROWS, n)) for at in range(0, n, PART_ROWS)]

    def layer_digest(self, layer: LayerInfo) -> str:
        """Digest of what one layer's shards are made from."""
        return digest_json({"set": self.digest, "layer": layer.name})

    def metadata(self) -> dict[str, str]:
        """Return what the node table says of itself."""
        return {"digest": self.digest, "identity": self.identity}

    def shard_metadata(self, layer: LayerInfo) -> dict[str, str]:
        """Return what a shard of one layer says of itself."""
        return {
            "digest": self.layer_digest(layer),
            "identity": self.identity,
            "layer_index": str(layer.index),
            "layer": layer.name,
            "shape": "x".join(map(str, layer.shape)),
            "module_type": layer.type,
        }

    def missing_parts(self) -> list[range]:
        """Parts of which a shard, or the predictions, are not there or not whole."""
        complete = holds(self.folder.nodes, "nodes", self.digest)
        return [
            nodes
            for part, nodes in enumerate(self.parts())
            if not (complete or holds(self.folder.prediction(part), "nodes", self.digest))
            or not all(self._has_shard(layer, part, len(nodes)) for layer in self.layers)
        ]

    def _has_shard(self, layer: LayerInfo, part: int, rows: int) -> bool:
        path = self.folder.shard(layer.index, part)
        if not holds(path, "activations", self.layer_digest(layer)):
            return False
        try:
            return shard_size(path)[0] == rows
        except (CorruptFileError, SchemaError):
            return False


def dump_node_set(
    node_set: NodeSet, parts: Sequence[range], forward: Forward, *, advance: Callable[[int], None]
) -> None:
    """Compute and write the missing parts of a node set, then its node table.

    Parameters
    ----------
    node_set : NodeSet
        What to write and where.
    parts : sequence of range
        Which parts are missing.
    forward : Forward
        The network and the images.
    advance : callable
        Told how many images are done.

    Raises
    ------
    ActivationError
        When a layer puts out a number that is not finite.
    """
    for nodes in parts:
        dump_part(node_set, nodes, forward, advance=advance)
    finish_node_set(node_set)


def dump_part(
    node_set: NodeSet, nodes: range, forward: Forward, *, advance: Callable[[int], None]
) -> None:
    """Compute and write one part of a node set: a shard of every layer, then its predictions.

    Parameters
    ----------
    node_set : NodeSet
        What to write and where.
    nodes : range
        One of its `parts`.
    forward, advance
        As in `dump_node_set`.

    Raises
    ------
    ActivationError
        When a layer puts out a number that is not finite.
    """
    with _PartWriter(node_set, nodes, forward) as writer:
        for batch in forward.batches(node_set.samples, nodes):
            writer.put(batch)
            advance(len(batch.nodes))


def finish_node_set(node_set: NodeSet) -> None:
    """Write the node table from the predictions of all parts, and remove these."""
    if not holds(node_set.folder.nodes, "nodes", node_set.digest):
        _write_nodes(node_set)
    _remove_predictions(node_set.folder)


class _PartWriter:
    """Writes one part from a thread of its own while the next batch is computed.

    The predictions are written after every shard has its name: a part that has them is whole.
    """

    def __init__(self, node_set: NodeSet, nodes: range, forward: Forward) -> None:
        self._set, self._forward = node_set, forward
        self._part = nodes.start // PART_ROWS
        self._frames: list[pd.DataFrame] = []
        self._pending: deque[Future[None]] = deque()
        self._thread = ThreadPoolExecutor(1)
        self._stack = ExitStack()

    def __enter__(self) -> "_PartWriter":
        self._shards = {
            layer.name: self._stack.enter_context(
                ShardWriter(
                    self._set.folder.shard(layer.index, self._part),
                    layer.stored_values(self._forward.pool),
                    dtype=self._forward.dtype,
                    metadata=self._set.shard_metadata(layer),
                )
            )
            for layer in self._set.layers
        }
        return self

    def put(self, batch: Batch) -> None:
        """Hand a batch to the writing thread; wait when it is behind."""
        while len(self._pending) > WAITING:
            self._pending.popleft().result()
        self._pending.append(self._thread.submit(self._write, batch))

    def _write(self, batch: Batch) -> None:
        for layer in self._set.layers:
            values = batch.activations[layer.name]
            check_values(values, layer, self._set.samples[batch.nodes], forward=self._forward)
            self._shards[layer.name].write(batch.nodes, values)
        self._frames.append(node_frame(batch, self._set.samples[batch.nodes], self._forward.data))

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: Any) -> None:
        try:
            while self._pending and kind is None:
                self._pending.popleft().result()
        except BaseException as failure:
            self._thread.shutdown(cancel_futures=True)
            self._stack.__exit__(type(failure), failure, failure.__traceback__)
            raise
        self._thread.shutdown(cancel_futures=True)
        self._stack.__exit__(kind, error, trace)
        if kind is None:
            path = self._set.folder.prediction(self._part)
            frame = pd.concat(self._frames, ignore_index=True)
            write_table(frame, path, "nodes", metadata=self._set.metadata())


def node_frame(batch: Batch, samples: NDArray[np.int64], data: ImageData) -> pd.DataFrame:
    """Return the rows of the node table for one batch."""
    labels = data.labels[samples]
    frame = pd.DataFrame(
        {
            "node": batch.nodes,
            "sample": samples,
            "label": labels.astype(np.int32),
            "label_name": [data.label_names[label] for label in labels],
        }
    )
    unknown = [None] * len(frame)
    predicted = unknown if batch.predicted is None else batch.predicted
    confidence = unknown if batch.confidence is None else batch.confidence
    frame["predicted"] = pd.Series(predicted, dtype="Int32")
    frame["confidence"] = pd.Series(confidence, dtype="Float32")
    return frame


def check_values(
    values: NDArray[np.floating],
    layer: LayerInfo,
    samples: NDArray[np.int64],
    *,
    forward: Forward,
) -> None:
    """Check that one layer's activations of a batch are finite and as many as were announced.

    Raises
    ------
    ActivationError
        Naming the layer and the sample.
    LayerError
        Where the layer's output has another size than when it was looked at.
    """
    expected = (len(samples), layer.stored_values(forward.pool))
    if values.shape != expected:
        raise LayerError(
            f"layer {layer.index} ({layer.name}) put out {values.shape} values for a batch, not "
            f"{expected}: its size depends on the batch",
            "leave the layer out with --layers",
        )
    with np.errstate(over="ignore", invalid="ignore"):
        total = values.sum(dtype=np.float32)
    # A finite sum proves it; an infinite one may be an overflow of the sum itself.
    if np.isfinite(total) or np.isfinite(values).all():
        return
    row, column = (int(at[0]) for at in np.nonzero(~np.isfinite(values)))
    where = f"layer {layer.index} ({layer.name}), sample {samples[row]}: activation {column}"
    found = "NaN" if np.isnan(values[row, column]) else "infinite"
    if forward.dtype == "float16":
        raise ActivationError(
            f"{where} is {found} in float16, whose largest number is 65504", "use --dtype float32"
        )
    raise ActivationError(
        f"{where} is {found}", "check the weights and --normalize, or leave the layer out"
    )


def _write_nodes(node_set: NodeSet) -> None:
    pieces = [
        read_frame(node_set.folder.prediction(part), "nodes")
        for part in range(len(node_set.parts()))
    ]
    frame = pd.concat(pieces, ignore_index=True)
    frame["predicted"] = frame["predicted"].astype("Int32")
    frame["confidence"] = frame["confidence"].astype("Float32")
    write_table(frame, node_set.folder.nodes, "nodes", metadata=node_set.metadata())


def _remove_predictions(folder: RepeatFolder) -> None:
    paths: list[Path] = sorted(folder.predictions.glob("*")) if folder.predictions.exists() else []
    for path in paths:
        path.unlink()
    if folder.predictions.exists():
        folder.predictions.rmdir()
