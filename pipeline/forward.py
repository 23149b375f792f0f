"""One pass of a network over images, batch by batch: what stage 1 writes and `analyze` keeps."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pipeline.data import ImageData
from pipeline.hooks import capture
from pipeline.layer_info import LayerInfo, Pool
from pipeline.placement import place
from pipeline.tracing import like_parameters, run_model, trace_layers

LARGEST_BATCH = 256
Dtype = Literal["float32", "float16"]


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

    Four batches may be held at once (computed, handed over, waiting, being written), the network
    needs about as much for its own maps, and allocators keep some of what they freed: a sixteenth
    of `memory` is one batch's share.

    Parameters
    ----------
    values : int
        Activations of one image over all layers, counted in float32.
    memory : int
        Bytes.

    Examples
    --------
    >>> batch_size(values=102_400, memory=4 << 30), batch_size(values=10**9, memory=4 << 30)
    (256, 1)
    """
    fitting = max(1, memory // (16 * 4 * max(1, values)))
    return int(min(LARGEST_BATCH, 1 << (fitting.bit_length() - 1)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Forward:
    """A network that is ready to run over images and give what its layers put out.

    Attributes
    ----------
    model : Module
        On its device, in its memory format, in eval mode.
    data : ImageData
        The images.
    layers : tuple of LayerInfo
        What is kept.
    pool, dtype
        See `pipeline.hooks.capture`.
    size : int
        Images a batch.
    device, memory_format
        Where the images go and how they lie there.
    """

    model: nn.Module
    data: ImageData
    layers: tuple[LayerInfo, ...]
    pool: Pool
    dtype: Dtype
    size: int
    device: torch.device
    memory_format: torch.memory_format

    @classmethod
    def prepare(
        cls,
        model: nn.Module,
        data: ImageData,
        layers: tuple[LayerInfo, ...],
        *,
        memory: int,
        device: torch.device,
        pool: Pool = "none",
        dtype: Dtype = "float32",
    ) -> "Forward":
        """Move the network to its device and choose a batch size that fits into `memory`.

        A batch counts what is stored of it or twice its largest map, whichever is more: the input
        and output of a layer are there at the same time, also of layers that are not kept.
        """
        stored = sum(layer.stored_values(pool) for layer in layers)
        largest = max(layer.values for layer in trace_layers(model, data.images([0])))
        return cls(
            model=model,
            data=data,
            layers=layers,
            pool=pool,
            dtype=dtype,
            size=batch_size(max(stored, 2 * largest), memory),
            device=device,
            memory_format=place(model, device, data.images([0])),
        )

    def batches(self, samples: NDArray[np.int64], nodes: range) -> Iterator[Batch]:
        """Run over part of a node set; the next batch is decoded while one is computed.

        Parameters
        ----------
        samples : ndarray of int64, shape (n,)
            The node set: position in the data set of every node.
        nodes : range
            Which nodes of the set.
        """
        kind = torch.float32 if self.dtype == "float32" else torch.float16

        def decode(start: int) -> tuple[NDArray[np.int32], torch.Tensor]:
            part = np.arange(start, min(start + self.size, nodes.stop), dtype=np.int32)
            return part, self.data.images(samples[part])

        with (
            ThreadPoolExecutor(1) as decoder,
            capture(self.model, self.layers, pool=self.pool, dtype=kind) as captured,
            torch.inference_mode(),
        ):
            coming = decoder.submit(decode, nodes.start)
            for start in range(nodes.start, nodes.stop, self.size):
                part, pixels = coming.result()
                if start + self.size < nodes.stop:
                    coming = decoder.submit(decode, start + self.size)
                images = like_parameters(self.model, pixels.to(self.device))
                images = images.to(memory_format=self.memory_format)
                predicted, confidence = _predict(run_model(self.model, images))
                outputs = {name: value.numpy() for name, value in captured.outputs.items()}
                yield Batch(part, outputs, predicted, confidence)


def _predict(logits: object) -> tuple[NDArray[np.int32] | None, NDArray[np.float32] | None]:
    """Class and probability, where the output is a table of logits."""
    if not isinstance(logits, torch.Tensor) or logits.ndim != 2:
        return None, None
    confidence, predicted = torch.softmax(logits.float(), dim=1).max(dim=1)
    return predicted.to(torch.int32).cpu().numpy(), confidence.cpu().numpy()
