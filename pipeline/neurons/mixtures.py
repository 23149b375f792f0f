"""Data sets made of others: two images in one, random labels, small images."""

from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from graphs.errors import DataError
from pipeline.data import ImageData, parse_normalization
from pipeline.data.arrays import ArraySource

Mixture = Literal[
    "none", "halves-same", "halves-diff", "stacked-same", "stacked-diff", "random-labels", "small"
]
MIXTURES: tuple[str, ...] = get_args(Mixture)
SMALL = 7  # pixels a side

Pixels = NDArray[np.float32]


def mix(data: ImageData, mixture: Mixture, *, seed: int = 0) -> ImageData:
    """Make a data set of another.

    Parameters
    ----------
    data : ImageData
        Held in memory whole.
    mixture : str
        ``halves-same``: two images of one class, each at half its width, side by side.
        ``halves-diff``: two images of any classes, the label being the sum of theirs modulo the
        number of classes. ``stacked-same`` and ``stacked-diff``: the same as channels.
        ``random-labels``: labels without regard to the images. ``small``: 7x7 pixels.
        ``none``: as it is.
    seed : int
        Of partners and labels. Give training and test images the same one.

    Returns
    -------
    ImageData
        As many images; each is the left half or first channel of one.

    Raises
    ------
    DataError
        When the mixture is unknown, or the width odd where halves are asked for.

    Notes
    -----
    Filan et al. (2021), section on mixture data sets.

    Examples
    --------
    >>> from pipeline.data import load_data
    >>> digits = load_data("digits")
    >>> mix(digits, "halves-same").input_shape, mix(digits, "stacked-diff").input_shape
    ((1, 8, 8), (2, 8, 8))
    """
    if mixture not in MIXTURES:
        raise DataError(f"mixture {mixture!r} is unknown", f"choose {', '.join(MIXTURES)}")
    if mixture == "none":
        return data
    generator = np.random.default_rng([seed, *data.split.encode()])
    images, labels = data.images(np.arange(len(data))).numpy(), data.labels
    if mixture == "random-labels":
        labels = generator.integers(len(data.label_names), size=len(labels))
    elif mixture == "small":
        images = F.interpolate(
            torch.from_numpy(images), size=(SMALL, SMALL), mode="bilinear", antialias=True
        ).numpy()
    else:
        partners, labels = _pair(data, mixture, generator)
        join = _halves if mixture.startswith("halves") else _stacked
        images = join(images, images[partners])
    source = ArraySource(pixels=images, labels=labels, label_names=data.label_names)
    return ImageData(
        name=f"{data.name} {mixture}",
        split=data.split,
        source=source,
        normalization=parse_normalization("none"),  # these images are normalised already
    )


def _pair(
    data: ImageData, mixture: str, generator: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give each image a partner; return the partners and the labels of the pairs."""
    labels = data.labels
    if mixture.endswith("same"):
        partners = np.empty(len(labels), np.int64)
        for number in np.unique(labels):
            members = np.flatnonzero(labels == number)
            partners[members] = generator.choice(members, size=len(members))
        return partners, labels
    partners = generator.integers(len(labels), size=len(labels))
    return partners, (labels + labels[partners]) % len(data.label_names)


def _halves(left: Pixels, right: Pixels) -> Pixels:
    width = left.shape[-1]
    if width % 2:
        raise DataError(f"images {width} pixels wide have no halves", "choose another mixture")
    narrow = [(side[..., ::2] + side[..., 1::2]) / 2 for side in (left, right)]
    return np.concatenate(narrow, axis=-1)


def _stacked(first: Pixels, second: Pixels) -> Pixels:
    return np.concatenate([first, second], axis=1)
