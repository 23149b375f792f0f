"""VGG with batch normalisation for small images."""

from collections.abc import Sequence

import torch
from torch import nn

from graphs.errors import ModelError
from pipeline.models.initialization import initialize

VGG_CONVOLUTIONS: dict[int, tuple[int, ...]] = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
"""Convolutions before each pooling, by depth (Simonyan & Zisserman 2015, table 1: A, B, D, E)."""

SMALL_CONVOLUTIONS = (2, 2, 2)
"""Of ``vgg8``, the small member of the family: six convolutions and two linear layers."""


class VGG(nn.Module):
    """Stages of Conv-BN-ReLU, each ended by max-pooling, and linear layers.

    Parameters
    ----------
    convolutions : sequence of int
        Convolutions in each stage, at least one.
    widths : sequence of int
        Channels of each stage.
    hidden : sequence of int
        Widths of the linear layers before the last.
    classes, channels : int
        Outputs, and channels of the images.

    Raises
    ------
    ModelError
        When the convolutions do not fit the widths, or a stage is empty.

    Notes
    -----
    Pooling rounds up, so that images smaller than 32x32 pass all stages; on 32x32 this changes
    nothing. What is left is averaged to one pixel, which 32x32 images reach by pooling alone.
    """

    def __init__(
        self,
        convolutions: Sequence[int],
        *,
        widths: Sequence[int],
        hidden: Sequence[int],
        classes: int = 10,
        channels: int = 3,
    ) -> None:
        super().__init__()
        if len(convolutions) != len(widths) or min(convolutions, default=0) < 1:
            raise ModelError(
                f"convolutions {list(convolutions)} do not fit this VGG of {len(widths)} stages",
                f"give {len(widths)} numbers of at least 1",
            )
        self.convolutions = tuple(convolutions)
        features: list[nn.Module] = []
        for count, width in zip(convolutions, widths, strict=True):
            for _ in range(count):
                features += [
                    nn.Conv2d(channels, width, 3, padding=1),
                    nn.BatchNorm2d(width),
                    nn.ReLU(),
                ]
                channels = width
            features.append(nn.MaxPool2d(2, ceil_mode=True))
        self.features = nn.Sequential(*features)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        head: list[nn.Module] = []
        for width in hidden:
            head += [nn.Linear(channels, width), nn.ReLU()]
            channels = width
        self.classifier = nn.Sequential(*head, nn.Linear(channels, classes))
        initialize(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits, shape (n, classes)."""
        out = self.avgpool(self.features(x)).flatten(1)
        return self.classifier(out)  # type: ignore[no-any-return]  # Module.__call__ is untyped


def vgg(
    depth: int, convolutions: Sequence[int] | None = None, *, classes: int = 10, channels: int = 3
) -> VGG:
    """VGG-11 to -19 with batch normalisation in CIFAR form, heads FC-512, FC-512, FC-C.

    Parameters
    ----------
    depth : {11, 13, 16, 19}
        How many convolutions each of the five stages has by default.
    convolutions : sequence of int, optional
        Convolutions in each stage, for a network of another depth.
    classes, channels : int
        Outputs, and channels of the images.

    Notes
    -----
    Lu et al. (2022), appendix B.

    Examples
    --------
    >>> sum(isinstance(m, nn.Conv2d) for m in vgg(16).modules())
    13
    """
    return VGG(
        VGG_CONVOLUTIONS[depth] if convolutions is None else convolutions,
        widths=(64, 128, 256, 512, 512),
        hidden=(512, 512),
        classes=classes,
        channels=channels,
    )


def small_vgg(
    convolutions: Sequence[int] | None = None, *, classes: int = 10, channels: int = 3
) -> VGG:
    """``vgg8``: three stages of 16, 32 and 64 channels, for images as small as 8x8.

    Parameters
    ----------
    convolutions : sequence of int, optional
        Convolutions in each of the three stages, (2, 2, 2) by default.
    classes, channels : int
        Outputs, and channels of the images.

    Examples
    --------
    >>> small_vgg(channels=1)(torch.zeros(2, 1, 8, 8)).shape
    torch.Size([2, 10])
    """
    return VGG(
        SMALL_CONVOLUTIONS if convolutions is None else convolutions,
        widths=(16, 32, 64),
        hidden=(64,),
        classes=classes,
        channels=channels,
    )
