"""Which weights survive magnitude pruning."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from graphs.errors import ModelError


def weights_of(model: nn.Module) -> list[Tensor]:
    """Return the weights of the linear and convolutional layers, in order; no biases.

    Raises
    ------
    ModelError
        When there are none.

    Examples
    --------
    >>> [tuple(weight.shape) for weight in weights_of(nn.Sequential(nn.Linear(3, 2), nn.ReLU()))]
    [(2, 3)]
    """
    found = [
        module.weight
        for module in model.modules()
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d)
    ]
    if not found:
        raise ModelError(
            f"{type(model).__name__} has no linear or convolutional layer",
            "choose a network with weights",
        )
    return found


def magnitude_mask(weight: Tensor, sparsity: float) -> Tensor:
    """Mark the largest absolute values of one tensor.

    Parameters
    ----------
    weight : Tensor
        Of any shape.
    sparsity : float
        Share of the values to leave out, from 0 to 1.

    Returns
    -------
    Tensor of the same shape and type
        1 for the round(size (1 - sparsity)) values of the largest magnitude, ties by index; 0 for
        the others.

    Examples
    --------
    >>> magnitude_mask(torch.tensor([[0.1, -3.0], [2.0, -2.0]]), 0.5).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    size = weight.detach().abs().flatten()
    kept = round(len(size) * (1 - sparsity))
    if kept == 0:
        return torch.zeros_like(weight)
    # NumPy's partition takes a tenth of the time of torch's kthvalue.
    threshold = float(np.partition(size.cpu().numpy(), len(size) - kept)[len(size) - kept])
    mask = (size >= threshold).to(size)
    # Where the smallest value that stays is held by too many, the last of them go.
    surplus = int(mask.sum(dtype=torch.int64)) - kept
    if surplus:
        mask[(size == threshold).nonzero().flatten()[-surplus:]] = 0
    return mask.view_as(weight)


@torch.no_grad()
def choose_masks(weights: Sequence[Tensor], sparsity: float) -> list[Tensor]:
    """Mark the weights that survive, each tensor by itself."""
    return [magnitude_mask(weight, sparsity) for weight in weights]


@torch.no_grad()
def apply_masks(weights: Sequence[Tensor], masks: Sequence[Tensor]) -> None:
    """Set the other weights to 0, in place."""
    torch._foreach_mul_(list(weights), list(masks))
