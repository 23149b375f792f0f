"""Torchvision's classifiers by name.

Torchvision takes two seconds to import, which most runs can save: it is imported where it is used.
"""

from http.client import HTTPException

from torch import nn

from graphs.errors import ModelError, WeightsError
from pipeline.near_names import near_names

PREFIX = "torchvision:"

# Without it these two warn that their default initialisation will change.
_INITIALIZED = ("googlenet", "inception_v3")


def torchvision_names() -> list[str]:
    """Names of all classifiers, with the prefix ``torchvision:``.

    Examples
    --------
    >>> "torchvision:resnet18" in torchvision_names()
    True
    """
    from torchvision import models

    return [PREFIX + name for name in models.list_models(module=models)]


def build_torchvision(name: str, *, classes: int, pretrained: bool) -> nn.Module:
    """Build a classifier of torchvision.

    Parameters
    ----------
    name : str
        With or without the prefix ``torchvision:``.
    classes : int
        Outputs. Pretrained networks keep the outputs that they were trained with.
    pretrained : bool
        Whether to take torchvision's default weights, downloaded once.

    Raises
    ------
    ModelError
        When torchvision has no such classifier.
    WeightsError
        When the weights cannot be downloaded or do not arrive whole.
    """
    short = name.removeprefix(PREFIX).lower()
    if PREFIX + short not in torchvision_names():
        near = ", ".join(near_names(PREFIX + short, torchvision_names()))
        raise ModelError(f"torchvision has no classifier {short!r}", f"near names: {near}")
    if not pretrained:
        options = {"init_weights": True} if short in _INITIALIZED else {}
        return _get(short, {"num_classes": classes, **options})
    try:
        return _get(short, {"weights": "DEFAULT", "progress": False})
    except (OSError, HTTPException, RuntimeError, ValueError) as error:
        # urllib's errors are OSErrors; a damaged download is a RuntimeError.
        cause = " ".join(str(error).split()) or type(error).__name__
        raise WeightsError(
            f"the default weights of {name} cannot be had: {cause}",
            "connect to the internet, or put the file into torch's cache and name it by --weights",
        ) from error


def _get(name: str, options: dict[str, object]) -> nn.Module:
    from torchvision import models

    return models.get_model(name, **options)  # type: ignore[no-any-return]  # untyped
