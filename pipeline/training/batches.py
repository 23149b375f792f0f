"""Batches of a data set: from memory where it fits, else decoded ahead of use."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pipeline.data import ImageData

# CIFAR's 50,000 training images take 614 MB as float32.
MEMORY_BYTES = 2 * 2**30
CROP_PADDING = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class Batches:
    """Images and labels of one data set on one device.

    Attributes
    ----------
    data : ImageData
        Where the images come from.
    labels : Tensor of int64, shape (n,)
        On the device.
    images : Tensor of float32, shape (n, C, H, W), optional
        All images on the device; None where they are decoded batch by batch.
    device : torch.device
        Where batches are given out.
    """

    data: ImageData
    labels: Tensor
    images: Tensor | None
    device: torch.device

    @classmethod
    def of(
        cls, data: ImageData, device: torch.device, *, memory_bytes: int = MEMORY_BYTES
    ) -> "Batches":
        """Hold a data set in memory when its float32 images take no more than `memory_bytes`."""
        size = len(data) * int(np.prod(data.input_shape)) * 4
        held = size <= memory_bytes
        images = data.images(np.arange(len(data))).to(device) if held else None
        return cls(
            data=data,
            labels=torch.from_numpy(data.labels).to(device),
            images=images,
            device=device,
        )

    def iterate(self, order: Tensor, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Give out images (b, C, H, W) and labels (b,) in this order of positions.

        A last batch of a single image joins the batch before it: batch normalisation cannot
        train on one image.
        """
        parts = list(torch.split(order, batch_size))
        if len(parts) > 1 and len(parts[-1]) == 1:
            parts[-2:] = [torch.cat(parts[-2:])]
        images = self._decoded(parts) if self.images is None else self._held(self.images, parts)
        for part, batch in zip(parts, images, strict=True):
            yield batch, self.labels[part.to(self.device)]

    def _held(self, images: Tensor, parts: list[Tensor]) -> Iterator[Tensor]:
        for part in parts:
            yield images[part.to(self.device)]

    def _decoded(self, parts: list[Tensor]) -> Iterator[Tensor]:
        # One thread decodes the next batch while this one is computed with.
        with ThreadPoolExecutor(1) as reader:
            coming = reader.submit(self.data.images, parts[0].numpy())
            for after in range(1, len(parts) + 1):
                images = coming.result()
                if after < len(parts):
                    coming = reader.submit(self.data.images, parts[after].numpy())
                yield images.to(self.device)


def augment_crop_flip(images: Tensor, black: Tensor, *, generator: torch.Generator) -> Tensor:
    """Shift each image by up to 4 pixels and mirror every other one, at random.

    The usual augmentation for CIFAR: crop from the image padded by 4, flip with probability
    1/2 (He et al. 2016, section 4.2).

    Parameters
    ----------
    images : Tensor, shape (b, C, H, W)
        Normalised images.
    black : Tensor, shape (1, C, 1, 1)
        Value of the padding: a black pixel, normalised.
    generator : torch.Generator
        On the CPU, so that every device draws the same.

    Returns
    -------
    Tensor, shape (b, C, H, W)
        New images.
    """
    count, channels, height, width = images.shape
    shape = (count, channels, height + 2 * CROP_PADDING, width + 2 * CROP_PADDING)
    padded = black.to(images.device).expand(shape).clone()
    inner = slice(CROP_PADDING, -CROP_PADDING)
    padded[:, :, inner, inner] = images
    shifts = torch.randint(0, 2 * CROP_PADDING + 1, (2, count, 1), generator=generator)
    flips = torch.randint(0, 2, (count, 1), generator=generator).bool()
    rows = shifts[0] + torch.arange(height)
    columns = shifts[1] + torch.where(flips, torch.arange(width).flip(0), torch.arange(width))
    rows, columns = rows.to(images.device), columns.to(images.device)
    each = torch.arange(count, device=images.device)
    # Advanced indices around a slice put their axes first: (b, H, W, C).
    chosen = padded[each[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return chosen.permute(0, 3, 1, 2)
