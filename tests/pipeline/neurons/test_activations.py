import numpy as np
import pytest
import torch
from torch import nn

from graphs.errors import LayerError
from pipeline.data import load_data
from pipeline.neurons.activations import neuron_activations


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 10)).eval()


def test_maps_are_their_mean_size_and_the_sign_of_outputs_stays(model):
    data = load_data("digits")
    found = neuron_activations(model, data, ["3", "0"], samples=50, seed=1)
    assert list(found) == ["3", "0"]
    chosen = np.sort(np.random.default_rng(1).permutation(len(data))[:50])
    images = data.images(chosen)
    with torch.no_grad():
        maps = model[0](images).reshape(50, 3, -1)
        assert found["0"] == pytest.approx(maps.abs().mean(dim=2).numpy(), rel=1e-5)
        assert found["3"] == pytest.approx(model(images).numpy(), rel=1e-4, abs=1e-5)
    assert (found["3"] < 0).any()


def test_what_is_no_layer_is_refused(model):
    with pytest.raises(LayerError, match="no layer '7'"):
        neuron_activations(model, load_data("digits"), ["7"])
