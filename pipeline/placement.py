"""Where a network runs and how its tensors lie in memory."""

import torch
from torch import Tensor, nn

from graphs.errors import ModelError
from pipeline.tracing import evaluating, like_parameters, run_model


def place(model: nn.Module, device: torch.device, images: Tensor) -> torch.memory_format:
    """Move a network to its device, in the fastest memory format that it can run in.

    Convolutions are up to twice as fast with the channels last, on the CPU as on a GPU; a network
    that reshapes maps with ``view`` cannot run that way and keeps the plain format.

    Parameters
    ----------
    model : Module
        Moved in place.
    device : torch.device
        Where to.
    images : Tensor, shape (b, C, H, W)
        A few images to try it on.

    Returns
    -------
    torch.memory_format
        What the network now has and its images should have.

    Raises
    ------
    ModelError
        When it cannot run on the images at all.
    """
    plain, last = torch.contiguous_format, torch.channels_last
    convolutional = any(isinstance(module, nn.Conv2d) for module in model.modules())
    if convolutional and images.ndim == 4:
        try:
            answer(model, device, images, memory_format=last)
        except ModelError:
            pass  # the plain format decides whether it was the network or the format that failed
        else:
            return last
    answer(model, device, images, memory_format=plain)
    return plain


def answer(
    model: nn.Module,
    device: torch.device,
    images: Tensor,
    *,
    memory_format: torch.memory_format,
) -> object:
    """Run a network, moved to a device and memory format, on some images in eval mode.

    Raises
    ------
    ModelError
        When it cannot run on them.
    """
    # torch's hints do not know this form of the call
    model.to(device, memory_format=memory_format)  # type: ignore[call-overload]
    with evaluating(model), torch.inference_mode():
        return run_model(model, like_parameters(model, images).to(memory_format=memory_format))
