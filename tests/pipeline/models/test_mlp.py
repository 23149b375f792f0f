import pytest
import torch

from graphs.errors import ModelError
from pipeline.models.mlp import MLP


def test_parameters_counted_by_hand():
    model = MLP((1, 28, 28), hidden=(128, 64))
    expected = (784 * 128 + 128) + (128 * 64 + 64) + (64 * 10 + 10)
    assert sum(parameter.numel() for parameter in model.parameters()) == expected


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32)])
def test_any_input_shape(shape):
    assert MLP(shape, classes=3)(torch.zeros(2, *shape)).shape == (2, 3)


@pytest.mark.parametrize("hidden", [(), (8, 0)])
def test_no_hidden_layer(hidden):
    with pytest.raises(ModelError, match=r"hidden layers .* make no MLP; give at least one width"):
        MLP((1, 8, 8), hidden=hidden)
