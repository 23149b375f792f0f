import pytest
import torch
from torch import nn

from graphs.errors import ModelError
from pipeline.models.mlp import MLP
from pipeline.neurons.masks import weights_of
from pipeline.neurons.penalties import MeanEigenvalue, penalty, require_chain, rescale_neurons
from pipeline.neurons.recipe import NeuronRecipe


def test_gradient_reaches_the_weights():
    torch.manual_seed(0)
    weights = [
        torch.randn(5, 6).double().requires_grad_(),
        torch.randn(4, 5).double().requires_grad_(),
    ]
    assert torch.autograd.gradcheck(lambda *w: MeanEigenvalue.apply(2, *w), weights, atol=1e-7)


def test_sum_of_penalties():
    torch.manual_seed(0)
    weights = [torch.randn(5, 6), torch.randn(4, 5)]
    recipe = NeuronRecipe(l1=0.1, l2=0.2, clusterability=0.3, eigenvalues=2)
    expected = (
        0.1 * sum(w.abs().sum() for w in weights)
        + 0.2 * sum((w**2).sum() for w in weights)
        + 0.3 * MeanEigenvalue.apply(2, *weights)
    )
    assert float(penalty(weights, recipe)) == pytest.approx(float(expected))
    assert float(penalty(weights, NeuronRecipe())) == 0


def test_rescaling_changes_no_output():
    torch.manual_seed(0)
    model = MLP((1, 3, 3), hidden=(6, 5)).double()
    nn.init.uniform_(model.net[1].bias)
    with torch.no_grad():
        model.net[1].weight[2] = 0
        model.net[1].bias[2] = 0  # a neuron that nothing enters stays
    images = torch.rand(4, 1, 3, 3, dtype=torch.float64)
    before = model(images)
    layers = require_chain(model)
    rescale_neurons(layers)
    assert torch.allclose(model(images), before)
    for layer in layers[:-1]:
        norm = (layer.weight.square().sum(dim=1) + layer.bias.square()).sqrt()
        expected = torch.full_like(norm, 2**0.5)
        if layer is layers[0]:
            expected[2] = 0
        assert torch.allclose(norm, expected)


def test_networks_that_are_no_mlp_are_refused():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 5))
    with pytest.raises(ModelError, match="no MLP"):
        require_chain(model)
    assert len(weights_of(model)) == 2
