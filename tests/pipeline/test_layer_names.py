"""Which layers a specification names, in which order, and what is no layer."""

import pytest
import torch
from torch import nn

from graphs.errors import LayerError, ModelError
from pipeline.hooks import resolve_layers
from pipeline.models import load_model


def images(count=4, channels=3, side=32):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, channels, side, side, generator=generator)


def names(model, spec, example=None):
    return [layer.name for layer in resolve_layers(model, spec, example)]


@pytest.fixture(scope="module")
def model():
    return load_model("resnet8")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("blocks", ["relu", "layer1.0", "layer2.0", "layer3.0"]),
        ("reference", ["conv1", "layer1.0", "layer2.0", "layer3.0"]),
        ("layer*.*", ["layer1.0", "layer2.0", "layer3.0"]),
        ("layer?", ["layer1", "layer2", "layer3"]),
        ("layer[12].0", ["layer1.0", "layer2.0"]),
        ("layer[!12].0", ["layer3.0"]),
        ("**.conv2", ["layer1.0.conv2", "layer2.0.conv2", "layer3.0.conv2"]),
        ("layer3.0, conv1", ["conv1", "layer3.0"]),
        (["linear", "bn1", "bn*"], ["bn1", "linear"]),
    ],
)
def test_specifications(model, spec, expected):
    assert names(model, spec) == expected


def test_all_is_every_module_that_can_be_read(model):
    found = names(model, "all")
    assert found[:3] == ["conv1", "bn1", "relu"]
    assert found[-2:] == ["avgpool", "linear"]
    assert len(found) == sum(1 for _ in model.modules()) - 1
    assert "0" not in names(nn.Sequential(nn.LSTM(4, 4)), "all", torch.zeros(1, 3, 4))


def test_layers_are_numbered_in_execution_order(model):
    layers = resolve_layers(model, "layer3.0,relu", images(1))
    assert [(layer.index, layer.name) for layer in layers] == [(0, "relu"), (1, "layer3.0")]
    assert layers[1].shape == (64, 8, 8)


def test_no_match_lists_near_names(model):
    with pytest.raises(LayerError, match=r"no layer matches 'layer1\.3'; near names: .*layer1\.0"):
        resolve_layers(model, "relu,layer1.3")


def test_a_layer_that_never_runs():
    idle = nn.Sequential(nn.Linear(3, 3))
    idle[0].aux = nn.Linear(3, 2)
    with pytest.raises(LayerError, match=r"layer 0\.aux never runs .*; leave it out"):
        resolve_layers(idle, "0.aux", torch.zeros(1, 3))


def test_a_layer_whose_output_is_a_tuple():
    with pytest.raises(
        LayerError,
        match=r"layer 0 \(LSTM\) cannot be read: its output is a tuple, not a tensor; ch",
    ):
        resolve_layers(nn.Sequential(nn.LSTM(4, 4)), "0", torch.zeros(1, 3, 4))


def test_a_layer_without_the_batch_in_front():
    with pytest.raises(
        LayerError, match=r"layer 0 \(Flatten\) cannot be read: its output of shape"
    ):
        resolve_layers(nn.Sequential(nn.Flatten(0)), "0", torch.zeros(1, 3))


@pytest.mark.parametrize("spec", ["", " , ", []])
def test_nothing_named(model, spec):
    with pytest.raises(LayerError, match="no layer was named; give blocks"):
        resolve_layers(model, spec)


def test_an_example_that_does_not_fit(model):
    with pytest.raises(ModelError, match=r"cannot run on an input of shape \(1, 32, 32\)"):
        resolve_layers(model, "blocks", images(1, channels=1))
