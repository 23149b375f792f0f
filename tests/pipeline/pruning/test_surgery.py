"""Surgery against networks in which blocks do nothing, and against networks built smaller."""

import copy

import pytest
import torch
from torch import nn

from graphs.errors import PlanError
from pipeline.models import load_model
from pipeline.pruning.parts import find_parts
from pipeline.pruning.surgery import remove_parts

SHAPE = (3, 32, 32)


def names_at(parts, *places):
    return [parts[place].name for place in places]


def images(shape=SHAPE):
    return torch.randn(3, *shape, generator=torch.Generator().manual_seed(2))


def test_identity_is_the_network_whose_residual_branches_give_zero(resnet):
    model, parts = resnet
    pruned = remove_parts(model, parts, names_at(parts, 2, 6), input_shape=SHAPE).model
    zeroed = copy.deepcopy(model)
    for name in names_at(parts, 2, 6):
        # F(x) = 0: the block gives relu(0 + x), and x is no longer below zero here
        last = zeroed.get_submodule(name).bn2
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
    with torch.inference_mode():
        assert torch.equal(pruned(images()), zeroed(images()))
        assert not torch.equal(pruned(images()), model(images()))


def test_the_original_is_untouched(resnet):
    model, parts = resnet
    before = {name: value.clone() for name, value in model.state_dict().items()}
    pruned = remove_parts(model, parts, names_at(parts, 1), input_shape=SHAPE).model
    with torch.no_grad():
        for value in pruned.parameters():
            value.zero_()
    assert list(model.state_dict()) == list(before)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_what_is_left_is_the_zoos_network_of_that_depth(resnet):
    model, parts = resnet
    pruned = remove_parts(model, parts, names_at(parts, 2, 3, 6, 9), input_shape=SHAPE).model
    small = load_model("resnet20[1,2,2]")
    small.load_state_dict(pruned.state_dict())
    with torch.inference_mode():
        assert torch.equal(small(images()), pruned(images()))


def test_a_chain_loses_whole_layers(randomized):
    model = randomized("vgg11")
    parts = find_parts(model, SHAPE)
    pruned = remove_parts(model, parts, names_at(parts, 7), input_shape=SHAPE).model
    assert list(pruned.state_dict()) == list(load_model("vgg11[1,1,2,2,1]").state_dict())


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["layer1.7"], r"no layer 'layer1\.7'; near names: layer1\.\d"),
        (["layer2.0"], "layer2.0 cannot be removed: it changes the shape"),
        (["relu"], "relu cannot be removed: it is the first layer"),
    ],
)
def test_layers_that_cannot_go_are_named(resnet, names, said):
    model, parts = resnet
    with pytest.raises(PlanError, match=said):
        remove_parts(model, parts, names, input_shape=SHAPE)
