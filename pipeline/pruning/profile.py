"""What a network costs: parameters and multiply-accumulates."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from pipeline.tracing import evaluating, run_model


@dataclass(frozen=True, kw_only=True)
class MacCount:
    """Multiply-accumulates of one image.

    Attributes
    ----------
    total : int
        Of the whole network.
    modules : dict of str to int
        By name of the module, what it holds included; modules without any are left out.
    """

    total: int
    modules: dict[str, int]


def count_parameters(model: nn.Module) -> int:
    """Count a network's parameters, trained or frozen, shared ones once.

    Examples
    --------
    >>> count_parameters(nn.Linear(3, 2))
    8
    """
    return sum(parameter.numel() for parameter in model.parameters())


def count_macs(model: nn.Module, input_shape: Sequence[int]) -> MacCount:
    """Count the multiply-accumulates of convolutions, matrix products and attention.

    Normalisation, activation, pooling and additions are not counted, as in the literature on
    pruning.

    Parameters
    ----------
    model : Module
        Left as it was.
    input_shape : sequence of int
        Shape of one image: channels, height, width.

    Raises
    ------
    ModelError
        When the network cannot run on such an input.

    Examples
    --------
    >>> count_macs(nn.Sequential(nn.Conv2d(3, 4, 3, padding=1)), (3, 8, 8)).total
    6912
    """
    first = next(model.parameters(), torch.zeros(()))
    image = torch.zeros(1, *input_shape, device=first.device, dtype=first.dtype)
    fused = torch.backends.mha.get_fastpath_enabled()
    counter = FlopCounterMode(display=False)
    try:
        # The counter does not know the fused transformer kernel.
        torch.backends.mha.set_fastpath_enabled(False)
        with evaluating(model), torch.no_grad(), counter:
            run_model(model, image)
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    root = type(model).__name__
    modules = {
        name.removeprefix(root).removeprefix("."): sum(counts.values()) // 2
        for name, counts in counter.get_flop_counts().items()
        if name != "Global"
    }
    return MacCount(total=int(counter.get_total_flops()) // 2, modules=modules)
