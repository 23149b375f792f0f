"""The networks that come with the project, by name."""

import re
from collections.abc import Sequence

from torch import nn

from graphs.errors import ModelError
from pipeline.models.mlp import HIDDEN, MLP
from pipeline.models.resnet import CIFAR_DEPTHS, RESNET_BLOCKS, cifar_resnet, resnet
from pipeline.models.vgg import VGG_CONVOLUTIONS, small_vgg, vgg

ZOO: tuple[str, ...] = (
    "vgg8",
    *(f"vgg{depth}" for depth in VGG_CONVOLUTIONS),
    *(f"resnet{depth}" for depth in (*CIFAR_DEPTHS, *RESNET_BLOCKS)),
    *(f"resnet{depth}-b" for depth in CIFAR_DEPTHS),
    "mlp",
)
"""Names that `build` knows. ``-b`` takes option-B shortcuts; ``resnet56[2,3,6]`` and
``vgg16[2,2,3,3,1]`` give the blocks or convolutions of each stage; ``mlp-256-64`` the widths."""

_NAME = re.compile(
    r"(?P<base>(?P<family>[a-z]+)(?P<depth>\d+)(?P<option>-b)?)"
    r"(?:\[(?P<blocks>\d+(?:\s*,\s*\d+)*)\])?"
)
_MLP = re.compile(r"mlp(?P<hidden>(?:-\d+)*)")


def build(name: str, *, classes: int, input_shape: Sequence[int]) -> nn.Module | None:
    """Build an untrained network of the zoo; None when the name is not of the zoo.

    Parameters
    ----------
    name : str
        One of `ZOO`, or one with its depth in brackets.
    classes : int
        Outputs.
    input_shape : sequence of int
        Channels, height, width. Convolutional networks look at the channels only.

    Raises
    ------
    ModelError
        When the depth in brackets does not fit the network.

    Examples
    --------
    >>> build("resnet56[2,3,6]", classes=10, input_shape=(3, 32, 32)).blocks
    (2, 3, 6)
    """
    mlp = _MLP.fullmatch(name)
    if mlp:
        hidden = [int(width) for width in mlp["hidden"].split("-")[1:]]
        return MLP(input_shape, hidden=hidden or HIDDEN, classes=classes)
    match = _NAME.fullmatch(name)
    if not match or match["base"] not in ZOO:
        return None
    blocks = [int(count) for count in match["blocks"].split(",")] if match["blocks"] else None
    depth, channels = int(match["depth"]), input_shape[0]
    try:
        if match["base"] == "vgg8":
            return small_vgg(blocks, classes=classes, channels=channels)
        if match["family"] == "vgg":
            return vgg(depth, blocks, classes=classes, channels=channels)
        if depth in RESNET_BLOCKS:
            return resnet(depth, blocks, classes=classes, channels=channels)
        return cifar_resnet(
            blocks or ((depth - 2) // 6,) * 3,
            shortcut="B" if match["option"] else "A",
            classes=classes,
            channels=channels,
        )
    except ModelError as error:
        raise ModelError(f"model {name!r}: {error.problem}", error.remedy) from None
