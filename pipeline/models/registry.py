"""One door to every network: the zoo, torchvision, a user's file."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from graphs.errors import ModelError, WeightsError
from pipeline.models.torchvision_zoo import PREFIX, build_torchvision, torchvision_names
from pipeline.models.user_file import build_from_file
from pipeline.models.weights import load_weights
from pipeline.models.zoo import ZOO, build
from pipeline.near_names import near_names

IMAGENET_CLASSES = 1000


def model_names() -> list[str]:
    """Names of all networks that need no file.

    Examples
    --------
    >>> "resnet20" in model_names(), "torchvision:vit_b_16" in model_names()
    (True, True)
    """
    return [*ZOO, *torchvision_names()]


def load_model(
    name: str,
    *,
    weights: str | Path | None = None,
    classes: int | None = None,
    input_shape: Sequence[int] = (3, 32, 32),
    seed: int = 0,
) -> nn.Module:
    """Build a network, load its weights, and return it in eval mode.

    Parameters
    ----------
    name : str
        A name of the zoo (``resnet20``, ``vgg16``, ``mlp``, ``resnet56[2,3,6]``),
        ``torchvision:NAME``, ``path/file.py:factory`` with a factory that takes no arguments, or
        the ``model.pt`` of a pruned network.
    weights : str or Path, optional
        A file; ``"default"`` for torchvision's own; None or ``"random"`` for what the seed draws
        (a factory may load weights itself, a pruned network has its own).
    classes : int, optional
        Outputs: 10 by default, 1,000 for torchvision. Pretrained and pruned networks and factories
        decide themselves.
    input_shape : sequence of int
        Channels, height and width of the images, for the networks of the zoo.
    seed : int
        Seed of the random weights; torch's global generator is left alone.

    Raises
    ------
    ModelError
        When there is no such network, or it cannot be built.
    WeightsError
        When the weights cannot be read or do not fit.

    Examples
    --------
    >>> model = load_model("resnet20", classes=100)
    >>> model.training, model(torch.zeros(1, 3, 32, 32)).shape
    (False, torch.Size([1, 100]))
    """
    if classes is not None and classes < 1:
        raise ModelError(f"classes={classes} makes no classifier", "give at least 1")
    choice = None if weights in (None, "random") else str(weights)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if name.startswith(PREFIX):
            count = IMAGENET_CLASSES if classes is None else classes
            model = build_torchvision(name, classes=count, pretrained=choice == "default")
            choice = None if choice == "default" else choice
        elif name.endswith(".pt"):
            model = _restore(Path(name), seed=seed)
        elif ":" in name:
            model = build_from_file(name)
        else:
            model = _build_own(name, classes=classes or 10, input_shape=input_shape)
    if choice == "default":
        raise WeightsError(f"{name} has no default weights", "give a file or 'random'")
    if choice is not None:
        load_weights(model, Path(choice).expanduser(), name=name)
    return model.eval()


def _restore(path: Path, *, seed: int) -> nn.Module:
    # imported where it is needed: few networks come from a file of ours
    from pipeline.pruning.saved import read_architecture, restore_network

    about = read_architecture(path)
    shape = about.input_shape
    base = load_model(about.model, classes=about.classes, input_shape=shape, seed=seed)
    return restore_network(path, base)


def _build_own(name: str, *, classes: int, input_shape: Sequence[int]) -> nn.Module:
    model = build(name.lower(), classes=classes, input_shape=input_shape)
    if model is not None:
        return model
    if name.endswith(".py"):
        raise ModelError(f"{name} names a file without a factory", "give path/file.py:factory")
    near = near_names(name, ZOO, limit=4)
    if PREFIX + name.lower() in torchvision_names():
        near = [PREFIX + name.lower(), *near]
    raise ModelError(f"there is no model {name!r}", f"near names: {', '.join(near)}")
