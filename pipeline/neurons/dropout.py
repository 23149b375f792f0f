"""Dropout after every ReLU of a network that has none."""

import torch
from torch import Tensor, nn

from graphs.errors import ModelError

LEVELS = 2**16


class QuickDropout(nn.Dropout):
    """Dropout whose random bits are drawn 64 at a time.

    torch draws one number for each value, which takes longer on a CPU than the layers of an MLP.
    The share is rounded to a multiple of 2^-16.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (torch's name for it)
        """Drop values while training."""
        if not self.training or not self.p:
            return input
        words = -(-input.numel() // 4)
        bits = torch.empty(words, dtype=torch.int64, device=input.device).random_(-(2**63), None)
        level = round(self.p * LEVELS) - LEVELS // 2
        kept = bits.view(torch.int16)[: input.numel()].view(input.shape) >= level
        return input * (kept * (1 / (1 - self.p)))


def add_dropout(model: nn.Module, share: float) -> nn.Module:
    """Drop outputs of each ReLU at random while training; names of parameters stay.

    Parameters
    ----------
    model : Module
        Changed in place.
    share : float
        Probability with which an output is set to 0.

    Returns
    -------
    Module
        `model`.

    Raises
    ------
    ModelError
        When it has no ReLU module.

    Examples
    --------
    >>> add_dropout(nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)), 0.5)[1]
    Sequential(
      (0): ReLU()
      (1): QuickDropout(p=0.5, inplace=False)
    )
    """
    places = [
        (parent, name)
        for parent in list(model.modules())
        for name, child in parent.named_children()
        if isinstance(child, nn.ReLU)
    ]
    if not places:
        raise ModelError(
            f"{type(model).__name__} has no ReLU module after which to drop outputs",
            "leave out --dropout",
        )
    for parent, name in places:
        setattr(parent, name, nn.Sequential(getattr(parent, name), QuickDropout(share)))
    return model
