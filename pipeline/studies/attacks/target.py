"""The network under attack: it takes pixels from 0 to 1 and gives logits."""

import time

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from graphs.errors import ModelError
from pipeline.data import ImageData
from pipeline.data.normalization import Normalization
from pipeline.placement import place
from pipeline.tracing import like_parameters, trace_layers

VALUE = 4  # bytes
LARGEST = 256  # images at a time
Pixels = NDArray[np.float32]


class TimeIsUp(Exception):  # noqa: N818 (no error: the work ends here)
    """Raised in the middle of an attack when its time is over."""


class Target(nn.Module):
    """A network with its normalisation in front, so that attacks work on pixels.

    Parameters
    ----------
    model : Module
        Takes normalised images (b, C, H, W), gives logits (b, classes).
    data : ImageData
        The images that it is for: their normalisation is put in front.
    device : torch.device
        Where it runs.
    memory : int
        Bytes that the maps of a batch and their gradients may take.

    Raises
    ------
    ModelError
        When it cannot run on the images, or gives something else than logits.
    """

    def __init__(
        self, model: nn.Module, data: ImageData, device: torch.device, *, memory: int
    ) -> None:
        super().__init__()
        self.model, self.until = model.eval(), float("inf")
        self.requires_grad_(requires_grad=False)
        self.memory_format = place(model, device, data.images([0]))
        values = sum(layer.values for layer in trace_layers(model, data.images([0])))
        self.size = max(1, min(LARGEST, memory // (2 * VALUE * max(1, values))))
        self.device = device
        self.mean, self.std = _statistics(data.normalization, device)
        self.shape = data.input_shape
        self.classes = self._count_classes(data.images([0]))

    def _count_classes(self, images: Tensor) -> int:
        with torch.inference_mode():
            logits = self.model(like_parameters(self.model, images))
        if not isinstance(logits, Tensor) or logits.ndim != 2 or logits.shape[1] < 2:
            raise ModelError(
                f"{type(self.model).__name__} gives no table of logits, one row an image",
                "attack a classifier; a factory may wrap a network so that it gives logits alone",
            )
        return int(logits.shape[1])

    def forward(self, pixels: Tensor) -> Tensor:
        """Give the logits of images in [0, 1]."""
        if time.monotonic() > self.until:
            raise TimeIsUp
        images = like_parameters(self.model, (pixels - self.mean) / self.std)
        logits: Tensor = self.model(images.to(memory_format=self.memory_format))
        return logits.float()

    def logits(self, pixels: Pixels) -> Pixels:
        """Give the logits of images in [0, 1], shape (n, C, H, W), as an array (n, classes)."""
        with torch.inference_mode():
            parts = [
                self(torch.from_numpy(pixels[start : start + self.size]).to(self.device)).cpu()
                for start in range(0, len(pixels), self.size)
            ]
        found: Pixels = torch.cat(parts).numpy().astype(np.float32)
        return found

    def predict(self, pixels: Pixels) -> NDArray[np.int64]:
        """Give the class of every image, shape (n,)."""
        classes: NDArray[np.int64] = np.argmax(self.logits(pixels), axis=1).astype(np.int64)
        return classes


def _statistics(normalization: Normalization, device: torch.device) -> tuple[Tensor, Tensor]:
    mean, std = (
        torch.tensor(values, device=device).view(1, -1, 1, 1)
        for values in (normalization.mean, normalization.std)
    )
    return mean, std
