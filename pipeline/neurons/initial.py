"""Weights that training starts from."""

import numpy as np
import torch
from torch import nn

from graphs.errors import ModelError
from pipeline.neurons.masks import weights_of
from pipeline.neurons.recipe import Initial

MODULES = 10
INSIDE, BETWEEN = 4.6, 0.6  # 1 + 0.4 (modules - 1) and 1 - 0.4: on average 1


@torch.no_grad()
def initialize_neurons(
    model: nn.Module, initial: Initial = "glorot", *, seed: int = 0, first: bool = False
) -> nn.Module:
    """Draw the weights of a network.

    Parameters
    ----------
    model : Module
        Changed in place.
    initial : {"glorot", "clusterable", "default"}
        As in `pipeline.neurons.recipe.NeuronRecipe`.
    seed : int
        Of the weights and of the modules.
    first : bool
        Whether `clusterable` also scales the first layer.

    Returns
    -------
    Module
        `model`.

    Raises
    ------
    ModelError
        When the network has no linear or convolutional layer, or `clusterable` is asked of one
        whose layers do not follow one another.

    Notes
    -----
    Glorot & Bengio (2010), equation 16. Clusterable: Filan et al. (2021).
    """
    if initial == "default":
        return model
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
            nn.init.xavier_uniform_(module.weight, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    if initial == "clusterable":
        _scale(model, seed=seed, first=first)
    return model


def _scale(model: nn.Module, *, seed: int, first: bool) -> None:
    weights = weights_of(model)
    widths = [weights[0].shape[1], *(weight.shape[0] for weight in weights)]
    if any(weight.shape[1] != width for weight, width in zip(weights, widths, strict=False)):
        raise ModelError(
            f"{type(model).__name__} is no chain of layers: modules cannot be followed through it",
            "choose an MLP, or other initial weights",
        )
    generator = np.random.default_rng([seed, MODULES])
    modules = [torch.from_numpy(generator.integers(MODULES, size=width)) for width in widths]
    modules[-1] = torch.arange(widths[-1]) % MODULES
    for place, weight in enumerate(weights):
        if place == 0 and not first:
            continue
        same = modules[place + 1][:, None] == modules[place][None, :]
        factor = torch.where(same, INSIDE, BETWEEN).to(weight)
        weight.mul_(factor.reshape(*factor.shape, *[1] * (weight.ndim - 2)))
