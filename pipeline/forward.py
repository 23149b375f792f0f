"""One pass of a network over images, batch by batch: what stage 1 writes and `analyze` keeps."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pipeline.data import ImageData
from pipeline.hooks import capture
from pipeline.tracing import LayerInfo, Pool

LARGEST_BATCH = 256


@dataclass(frozen=True)
class Batch:
    """What one batch of images gave.

    Attributes
    ----------
    nodes : ndarray of int32, shape (b,)
        Positions within the node set.
    activations : dict of str to ndarray, each of shape (b, D)
        Flattened output of every layer, by layer name.
    predicted : ndarray of int32, shape (b,), or None
        Class of the largest logit, where the network gives logits.
    confidence : ndarray of float32, shape (b,), or None
        Softmax probability of that class.
    """

    nodes: NDArray[np.int32]
    activations: dict[str, NDArray[np.floating]]
    predicted: NDArray[np.int32] | None
    confidence: NDArray[np.float32] | None


def batch_size(values: int, memory: int) -> int:
    """Return how many images fit a batch: a power of two up to 256.

    Three batches may be held at once (computed, waiting, being written), and the network needs
    room of its own: an eighth of `memory` is one batch's share.

    Parameters
    ----------
    values : int
        Activations of one image over all layers, counted in float32.
    memory : int
        Bytes.

    Examples
    --------
    >>> batch_size(values=102_400, memory=1 << 30), batch_size(values=10**9, memory=1 << 30)
    (256, 1)
    """
    fitting = max(1, memory // (8 * 4 * max(1, values)))
    return int(min(LARGEST_BATCH, 1 << (fitting.bit_length() - 1)))


def place(model: nn.Module, device: torch.device) -> nn.Module:
    """Move a network to its device, in the memory format that is fastest there.

    Convolutions run up to twice as fast with the channels last, on the CPU as on a GPU.
    """
    if any(isinstance(module, nn.Conv2d) for module in model.modules()):
        return model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
    return model.to(device)


def forward_batches(
    model: nn.Module,
    data: ImageData,
    samples: NDArray[np.int64],
    *,
    layers: Sequence[LayerInfo],
    nodes: range,
    size: int,
    device: torch.device,
    pool: Pool = "none",
    dtype: Literal["float32", "float16"] = "float32",
) -> Iterator[Batch]:
    """Run `model` over part of a node set and give every layer's output.

    The next batch of images is decoded while one is computed.

    Parameters
    ----------
    model : Module
        In eval mode, on its device (`place`).
    data : ImageData
        The images.
    samples : ndarray of int64, shape (n,)
        The node set: position in the data set of every node.
    layers : sequence of LayerInfo
        What to keep.
    nodes : range
        Which nodes of the set.
    size : int
        Images a batch.
    device : torch.device
        Where the model is.
    pool, dtype
        See `pipeline.hooks.capture`.
    """
    starts = range(nodes.start, nodes.stop, size)
    kind = torch.float32 if dtype == "float32" else torch.float16

    def decode(start: int) -> tuple[NDArray[np.int32], torch.Tensor]:
        part = np.arange(start, min(start + size, nodes.stop), dtype=np.int32)
        return part, data.images(samples[part])

    with (
        ThreadPoolExecutor(1) as decoder,
        capture(model, layers, pool=pool, dtype=kind) as captured,
        torch.inference_mode(),
    ):
        coming = decoder.submit(decode, nodes.start)
        for start in starts:
            part, pixels = coming.result()
            if start + size < nodes.stop:
                coming = decoder.submit(decode, start + size)
            logits = model(_move(pixels, device))
            predicted, confidence = _predict(logits)
            outputs = {name: value.numpy() for name, value in captured.outputs.items()}
            yield Batch(part, outputs, predicted, confidence)


def _move(pixels: torch.Tensor, device: torch.device) -> torch.Tensor:
    return pixels.to(device, memory_format=torch.channels_last)


def _predict(logits: object) -> tuple[NDArray[np.int32] | None, NDArray[np.float32] | None]:
    """Class and probability, where the output is a table of logits."""
    if not isinstance(logits, torch.Tensor) or logits.ndim != 2:
        return None, None
    confidence, predicted = torch.softmax(logits.float(), dim=1).max(dim=1)
    return predicted.to(torch.int32).cpu().numpy(), confidence.cpu().numpy()
