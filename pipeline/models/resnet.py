"""Residual networks for small images: He's 6n+2 family and the CIFAR form of ResNet-18 to -152.

Names of parameters are those of the checkpoints in circulation: ``conv1``, ``bn1``,
``layer1.0.conv1`` ..., ``linear``; a convolutional shortcut is ``shortcut.0`` and ``shortcut.1``.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn
from torch.nn import functional as F

from graphs.errors import ModelError
from pipeline.models.initialization import initialize

Shortcut = Literal["A", "B"]

CIFAR_DEPTHS = (8, 14, 20, 32, 44, 56, 110)
"""Depths 6n+2 that are offered by name (He et al. 2016, section 4.2)."""


class PaddedShortcut(nn.Module):
    """Option A: subsample, and pad the new channels with zeros on both sides; no parameters.

    Parameters
    ----------
    stride : int
        Every how many pixels are kept.
    extra : int
        Channels to add.
    """

    def __init__(self, stride: int, extra: int) -> None:
        super().__init__()
        self.stride = stride
        self.padding = (0, 0, 0, 0, extra // 2, extra - extra // 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the input subsampled and widened."""
        return F.pad(x[:, :, :: self.stride, :: self.stride], self.padding)


def _shortcut(inputs: int, outputs: int, stride: int, option: Shortcut) -> nn.Module:
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    if option == "A":
        return PaddedShortcut(stride, outputs - inputs)
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (He et al. 2016, figure 5 left).

    Parameters
    ----------
    inputs, width : int
        Channels before and inside.
    stride : int
        Of the first convolution.
    shortcut : {"A", "B"}
        Padded identity, or 1x1 convolution, where the shape changes.
    """

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int, *, shortcut: Shortcut) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut = _shortcut(inputs, width, stride, shortcut)
        self.relu2 = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return relu(F(x) + shortcut(x))."""
        out = self.relu1(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return self.relu2(out + self.shortcut(x))  # type: ignore[no-any-return]  # Module.__call__


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions and a shortcut (He et al. 2016, figure 5 right).

    Parameters
    ----------
    inputs, width : int
        Channels before the block and in its 3x3 convolution; four times `width` leave it.
    stride : int
        Of the 3x3 convolution.
    shortcut : {"A", "B"}
        Padded identity, or 1x1 convolution, where the shape changes.
    """

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int, *, shortcut: Shortcut) -> None:
        super().__init__()
        outputs = width * self.expansion
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu2 = nn.ReLU()
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.shortcut = _shortcut(inputs, outputs, stride, shortcut)
        self.relu3 = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return relu(F(x) + shortcut(x))."""
        out = self.relu1(self.bn1(self.conv1(x)))
        out = self.relu2(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return self.relu3(out + self.shortcut(x))  # type: ignore[no-any-return]  # Module.__call__


class ResNet(nn.Module):
    """A 3x3 stem, stages of residual blocks, global average, one linear layer.

    Parameters
    ----------
    block : type
        `BasicBlock` or `Bottleneck`.
    blocks : sequence of int
        Blocks in each stage, at least one; the second and later stages halve the image.
    widths : sequence of int
        Channels of each stage, before the block's expansion.
    shortcut : {"A", "B"}
        What bridges a change of shape.
    classes, channels : int
        Outputs, and channels of the images.

    Raises
    ------
    ModelError
        When the stages do not fit the widths, or one is empty.
    """

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        blocks: Sequence[int],
        *,
        widths: Sequence[int],
        shortcut: Shortcut,
        classes: int = 10,
        channels: int = 3,
    ) -> None:
        super().__init__()
        if len(blocks) != len(widths) or min(blocks, default=0) < 1:
            raise ModelError(
                f"blocks {list(blocks)} do not fit this ResNet of {len(widths)} stages",
                f"give {len(widths)} numbers of at least 1",
            )
        self.blocks = tuple(blocks)
        self.conv1 = nn.Conv2d(channels, widths[0], 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU()
        inputs = widths[0]
        self.stage_names: list[str] = []
        for stage, (count, width) in enumerate(zip(blocks, widths, strict=True)):
            layers: list[nn.Module] = []
            for position in range(count):
                stride = 2 if stage > 0 and position == 0 else 1
                layers.append(block(inputs, width, stride, shortcut=shortcut))
                inputs = width * block.expansion
            self.stage_names.append(f"layer{stage + 1}")
            self.add_module(self.stage_names[-1], nn.Sequential(*layers))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(inputs, classes)
        initialize(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits, shape (n, classes)."""
        out = self.relu(self.bn1(self.conv1(x)))
        for name in self.stage_names:
            out = self.get_submodule(name)(out)
        return self.linear(self.avgpool(out).flatten(1))  # type: ignore[no-any-return]  # as above


def cifar_resnet(
    blocks: Sequence[int], *, shortcut: Shortcut = "A", classes: int = 10, channels: int = 3
) -> ResNet:
    """He's network of depth 6n+2 for CIFAR: three stages, 16, 32 and 64 channels.

    Parameters
    ----------
    blocks : sequence of int
        Blocks in each of the three stages: (9, 9, 9) is ResNet56.
    shortcut : {"A", "B"}
        Padded identity (no parameters), or 1x1 convolutions where the shape changes.
    classes, channels : int
        Outputs, and channels of the images.

    Notes
    -----
    He et al. (2016), "Deep Residual Learning for Image Recognition", section 4.2.

    Examples
    --------
    >>> sum(p.numel() for p in cifar_resnet((9, 9, 9)).parameters())
    853018
    """
    return ResNet(
        BasicBlock,
        blocks,
        widths=(16, 32, 64),
        shortcut=shortcut,
        classes=classes,
        channels=channels,
    )


RESNET_BLOCKS: dict[int, tuple[type[BasicBlock] | type[Bottleneck], tuple[int, ...]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
    152: (Bottleneck, (3, 8, 36, 3)),
}
"""Block and blocks in each stage by depth (He et al. 2016, table 1)."""


def resnet(
    depth: int, blocks: Sequence[int] | None = None, *, classes: int = 10, channels: int = 3
) -> ResNet:
    """ResNet-18 to -152 in CIFAR form: 3x3 stem of stride 1, no max-pooling.

    Parameters
    ----------
    depth : {18, 34, 50, 101, 152}
        Which kind of block, and how many by default.
    blocks : sequence of int, optional
        Blocks in each of the four stages, for a network of another depth.
    classes, channels : int
        Outputs, and channels of the images.

    Examples
    --------
    >>> sum(p.numel() for p in resnet(18).parameters())
    11173962
    """
    block, default = RESNET_BLOCKS[depth]
    return ResNet(
        block,
        default if blocks is None else blocks,
        widths=(64, 128, 256, 512),
        shortcut="B",
        classes=classes,
        channels=channels,
    )
