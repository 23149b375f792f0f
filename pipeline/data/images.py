"""ImageData: labelled images behind one interface, wherever they come from."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.utils.data import Dataset

from graphs.errors import DataError
from pipeline.data.normalization import Normalization


class ImageSource(Protocol):
    """What a source of images offers; `ImageData` does the rest.

    Attributes
    ----------
    labels : ndarray of int64, shape (n,)
        Class of every sample, known without decoding an image.
    label_names : tuple of str
        Name of each class.
    shape : tuple of int
        Channels, height and width that every image has.
    """

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class of every sample."""

    @property
    def label_names(self) -> tuple[str, ...]:
        """Name of each class."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""

    def read(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        """Images as uint8 (b, H, W, C) or float32 (b, C, H, W) in the units of the source."""

    def digest(self) -> str:
        """SHA-256 of what determines the images and labels."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageData(Dataset[tuple[Tensor, int]]):
    """Labelled images of one size; a map-style data set.

    A sample is known by its position in the source, 0 ... n-1.

    Attributes
    ----------
    name, split : str
        What was asked for: ``"cifar10"``, ``"test"``.
    source : ImageSource
        Where the images are read from.
    normalization : Normalization
        Applied to images in [0, 1].
    channels : int, optional
        Channels that the model needs: a grey image is repeated over 3.

    Raises
    ------
    DataError
        When the source has another number of channels than is needed.

    Examples
    --------
    >>> from pipeline.data import load_data
    >>> digits = load_data("digits", split="test")
    >>> digits.input_shape, tuple(digits.images([0, 1]).shape), digits.label_names[:3]
    ((1, 8, 8), (2, 1, 8, 8), ('0', '1', '2'))
    """

    name: str
    split: str
    source: ImageSource
    normalization: Normalization
    channels: int | None = None

    def __post_init__(self) -> None:
        have, need = self.source.shape[0], self.channels
        if need is not None and need != have and have != 1:
            raise DataError(
                f"the images of {self.name} have {have} channels, {need} asked for",
                f"use a model for {have} channels",
            )
        self.normalization.require_channels(self.input_shape[0])

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class of every sample, shape (n,); no image is decoded."""
        return self.source.labels

    @property
    def label_names(self) -> tuple[str, ...]:
        """Name of each class 0 ... C-1."""
        return self.source.label_names

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the model's input."""
        channels, height, width = self.source.shape
        return (self.channels or channels, height, width)

    def __len__(self) -> int:
        return len(self.source.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.images([index])[0], int(self.labels[index])

    def images(self, indices: ArrayLike) -> Tensor:
        """Normalised images, float32 of shape (b, C, H, W); only these are decoded.

        Parameters
        ----------
        indices : array_like of int, shape (b,)
            Positions in the data set.

        Raises
        ------
        DataError
            When a position is outside the set or an image cannot be read.
        """
        values = self.source.read(self._positions(indices))
        if values.dtype == np.uint8:
            pixels = torch.from_numpy(values).permute(0, 3, 1, 2).contiguous().float().div(255)
        else:
            pixels = torch.from_numpy(values)
        if self.channels is not None and self.channels != pixels.shape[1]:
            pixels = pixels.repeat(1, self.channels, 1, 1)
        return self.normalization(pixels)

    def raw(self, indices: ArrayLike) -> NDArray[np.uint8]:
        """Images to look at, uint8 of shape (b, H, W, C), neither normalised nor repeated.

        Sources of floats are taken as [0, 1]; an image that leaves that range is stretched
        from its own minimum to its maximum.
        """
        values = self.source.read(self._positions(indices))
        if values.dtype == np.uint8:
            return values
        low = values.min(axis=(1, 2, 3), keepdims=True)
        high = values.max(axis=(1, 2, 3), keepdims=True)
        outside = (low < 0) | (high > 1)
        low, high = np.where(outside, low, 0), np.where(outside, high, 1)
        scaled = (values - low) / np.where(high > low, high - low, 1)
        pixels: NDArray[np.uint8] = np.rint(scaled * 255).astype(np.uint8).transpose(0, 2, 3, 1)
        return np.ascontiguousarray(pixels)

    def digest(self) -> str:
        """SHA-256 of what determines the model's input: the source and its preparation."""
        parts = {
            "source": self.source.digest(),
            "shape": self.input_shape,
            "mean": self.normalization.mean,
            "std": self.normalization.std,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def _positions(self, indices: ArrayLike) -> NDArray[np.int64]:
        positions = np.asarray(indices, dtype=np.int64).reshape(-1)
        outside = (positions < 0) | (positions >= len(self))
        if outside.any():
            raise DataError(
                f"sample {positions[outside][0]} is not in {self.name}, which has {len(self)}",
                f"choose positions from 0 to {len(self) - 1}",
            )
        return positions


def hash_arrays(*arrays: NDArray[Any], names: Sequence[str] = ()) -> str:
    """SHA-256 of arrays (type, shape, values) and class names."""
    digest = hashlib.sha256(json.dumps(list(names)).encode())
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
