"""An input that a network accepts, for when no data are at hand."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from graphs.errors import ModelError
from pipeline.tracing import evaluating, run_model

_SIDES = (32, 224, 28, 8)


def example_input(model: nn.Module) -> Tensor:
    """Return one blank image of a size that the network can run on.

    The network's own attribute ``input_shape`` is tried first, then squares of 32, 224, 28 and 8
    pixels, with the channels that its first convolution takes.

    Parameters
    ----------
    model : Module
        Any image classifier.

    Returns
    -------
    Tensor, shape (1, C, H, W)

    Raises
    ------
    ModelError
        When the network runs on none of these.

    Examples
    --------
    >>> example_input(nn.Sequential(nn.Flatten(), nn.Linear(784, 10))).shape
    torch.Size([1, 1, 28, 28])
    """
    first = next(model.parameters(), torch.zeros(()))
    for shape in _shapes(model):
        image = torch.zeros(1, *shape, device=first.device, dtype=first.dtype)
        try:
            with evaluating(model), torch.no_grad():
                run_model(model, image)
        except ModelError:
            continue
        return image
    raise ModelError(
        f"{type(model).__name__} runs on none of the image sizes {_SIDES}",
        "give an example of its input, or an attribute input_shape = (channels, height, width)",
    )


def _shapes(model: nn.Module) -> Iterator[tuple[int, ...]]:
    own = getattr(model, "input_shape", None)
    if isinstance(own, tuple):
        yield own
    first = next((m for m in model.modules() if isinstance(m, nn.Conv2d)), None)
    for channels in (3, 1) if first is None else (first.in_channels,):
        for side in _SIDES:
            yield channels, side, side
