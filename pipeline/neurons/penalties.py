"""What is added to the loss, and the scale of neurons."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from graphs.eigenvalues import laplacian_eigenvalues
from graphs.errors import ModelError
from pipeline.neurons.masks import weights_of
from pipeline.neurons.recipe import NeuronRecipe

NORM = 2**0.5  # of what enters a hidden neuron, as after He's initialisation


class MeanEigenvalue(torch.autograd.Function):
    """Mean of the smallest eigenvalues above the first, as a function of weights.

    Called as ``MeanEigenvalue.apply(count, *weights)`` with weights of shape (out, in).
    """

    @staticmethod
    def forward(ctx: Any, count: int, *weights: Tensor) -> Tensor:
        """Compute the eigenvalues in float64, and keep the gradient."""
        matrices = [weight.detach().cpu().numpy().T for weight in weights]
        found = laplacian_eigenvalues(matrices, count)
        ctx.gradients = [
            torch.from_numpy(gradient.T).to(weight)
            for gradient, weight in zip(found.gradients, weights, strict=True)
        ]
        return weights[0].new_tensor(found.values.mean())

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        """Scale the gradient."""
        return (None, *(outer[0] * gradient for gradient in ctx.gradients))


def penalty(weights: Sequence[Tensor], recipe: NeuronRecipe) -> Tensor:
    """Sum the penalties of a recipe: L1, L2 and clusterability.

    Examples
    --------
    >>> weights = [torch.tensor([[1.0, -2.0]])]
    >>> penalty(weights, NeuronRecipe(l1=0.5, l2=0.25)).item()
    2.75
    """
    total = weights[0].new_zeros(())
    if recipe.l1:
        total = total + recipe.l1 * sum(weight.abs().sum() for weight in weights)
    if recipe.l2:
        total = total + recipe.l2 * sum(weight.square().sum() for weight in weights)
    if recipe.clusterability:
        mean: Tensor = MeanEigenvalue.apply(recipe.eigenvalues, *weights)
        total = total + recipe.clusterability * mean
    return total


def require_chain(model: nn.Module) -> list[nn.Linear]:
    """Return the linear layers of an MLP.

    Raises
    ------
    ModelError
        When the network has convolutions, or its layers do not follow one another.
    """
    layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
    follow = all(a.out_features == b.in_features for a, b in pairwise(layers))
    if len(layers) != len(weights_of(model)) or not follow:
        raise ModelError(
            f"{type(model).__name__} is no MLP: clusterability and rescaling know only these",
            "choose an MLP, or leave these options out",
        )
    return layers


@torch.no_grad()
def rescale_neurons(layers: Sequence[nn.Linear]) -> None:
    """Bring what enters each hidden neuron, bias included, to norm sqrt(2).

    Outgoing weights change the other way round, so that a network with ReLU computes the same.
    Neurons that nothing enters stay.

    Parameters
    ----------
    layers : sequence of Linear
        One after the other; changed in place.
    """
    for layer, following in pairwise(layers):
        square = layer.weight.square().sum(dim=1)
        if layer.bias is not None:
            square += layer.bias.square()
        factor = torch.where(square > 0, NORM / square.sqrt(), 1.0)
        layer.weight.mul_(factor[:, None])
        if layer.bias is not None:
            layer.bias.mul_(factor)
        following.weight.div_(factor[None, :])
