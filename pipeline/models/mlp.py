"""Multi-layer perceptrons."""

from collections.abc import Sequence
from math import prod

import torch
from torch import nn

from graphs.errors import ModelError

HIDDEN = (128, 64)
"""Widths of the hidden layers of ``mlp``."""


class MLP(nn.Module):
    """Linear layers with ReLU between, over the flattened image.

    Parameters
    ----------
    input_shape : sequence of int
        Shape of one image: channels, height, width.
    hidden : sequence of int
        Widths of the hidden layers, at least one.
    classes : int
        Outputs.

    Raises
    ------
    ModelError
        When there is no hidden layer, or one without units.

    Examples
    --------
    >>> MLP((1, 8, 8))(torch.zeros(2, 1, 8, 8)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self, input_shape: Sequence[int], *, hidden: Sequence[int] = HIDDEN, classes: int = 10
    ) -> None:
        super().__init__()
        if min(hidden, default=0) < 1:
            raise ModelError(
                f"hidden layers {list(hidden)} make no MLP", "give at least one width of at least 1"
            )
        self.input_shape = tuple(input_shape)
        width = prod(input_shape)
        layers: list[nn.Module] = [nn.Flatten()]
        for units in hidden:
            layers += [nn.Linear(width, units), nn.ReLU()]
            width = units
        self.net = nn.Sequential(*layers, nn.Linear(width, classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits, shape (n, classes)."""
        return self.net(x)  # type: ignore[no-any-return]  # Module.__call__ is untyped
