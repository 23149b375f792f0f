"""Mean and standard deviation of the channels, by name or as numbers."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from graphs.errors import DataError

STATISTICS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "none": ((0.0,), (1.0,)),
    # Per-pixel statistics of the training sets, values in [0, 1].
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "cifar100": ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
    "mnist": ((0.1307,), (0.3081,)),
    "fashion-mnist": ((0.2860,), (0.3530,)),
    # The values that every torchvision classifier was trained with.
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
REMEDY = f"use {', '.join(STATISTICS)} or numbers such as 0.5,0.5,0.5/0.2,0.2,0.2"


@dataclass(frozen=True)
class Normalization:
    """Channel statistics: an image x in [0, 1] becomes (x - mean) / std.

    Attributes
    ----------
    name : str
        How it was asked for.
    mean, std : tuple of float
        One value a channel, or one for all channels.
    """

    name: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def require_channels(self, channels: int) -> None:
        """Check that the statistics fit images of so many channels.

        Raises
        ------
        DataError
            When they are for another number of channels.
        """
        if len(self.mean) not in (1, channels):
            raise DataError(
                f"normalization {self.name!r} has {len(self.mean)} channels, the images have "
                f"{channels}",
                "give one mean and one standard deviation, for all channels, or one a channel",
            )

    def __call__(self, pixels: Tensor) -> Tensor:
        """Normalise float32 images, shape (b, C, H, W)."""
        if self.name == "none":
            return pixels
        mean = torch.tensor(self.mean, dtype=pixels.dtype).view(1, -1, 1, 1)
        std = torch.tensor(self.std, dtype=pixels.dtype).view(1, -1, 1, 1)
        return (pixels - mean) / std


def parse_normalization(text: str) -> Normalization:
    """Read the value of ``--normalize``.

    Parameters
    ----------
    text : str
        A name of `STATISTICS` or ``mean,.../std,...``, one value a channel or one for all.

    Raises
    ------
    DataError
        When the name is unknown, a number cannot be read, or a deviation is not positive.

    Examples
    --------
    >>> parse_normalization("mnist").mean
    (0.1307,)
    >>> parse_normalization("0.5,0.4,0.3/0.2,0.2,0.2").std
    (0.2, 0.2, 0.2)
    """
    name = text.strip().lower()
    if name in STATISTICS:
        return Normalization(name, *STATISTICS[name])
    mean_text, slash, std_text = name.partition("/")
    if not slash:
        raise DataError(f"normalization {text!r} is unknown", REMEDY)
    mean, std = _numbers(mean_text, text), _numbers(std_text, text)
    if len(mean) != len(std):
        raise DataError(
            f"normalization {text!r} has {len(mean)} mean(s) and {len(std)} deviation(s)", REMEDY
        )
    if min(std) <= 0:
        raise DataError(f"normalization {text!r} divides by {min(std):g}", REMEDY)
    return Normalization(name, mean, std)


def _numbers(part: str, text: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(value) for value in part.split(","))
    except ValueError:
        raise DataError(f"normalization {text!r}: {part!r} is no list of numbers", REMEDY) from None
    if not all(math.isfinite(number) for number in numbers):
        raise DataError(f"normalization {text!r} has a value that is not finite", REMEDY)
    return numbers
