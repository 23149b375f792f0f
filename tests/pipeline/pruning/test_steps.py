from types import SimpleNamespace

import pytest
import torch

from graphs.errors import PlanError
from pipeline.models import load_model
from pipeline.pruning.parts import find_parts
from pipeline.pruning.steps import carry_over, order_of_steps
from pipeline.pruning.surgery import remove_parts

SHAPE = (1, 8, 8)


def plan(surgery="identity", **figures):
    names = ["a", "b", "c", "d"]
    layers = [{"name": name} for name in names]
    for key, values in figures.items():
        for layer, value in zip(layers, values, strict=True):
            layer[key] = value
    return SimpleNamespace(surgery=surgery, layers=layers, removed=["b", "c", "d"])


def test_the_lowest_score_goes_first():
    assert order_of_steps(plan(score=[0, 3, 1, 2])) == ["c", "d", "b"]
    assert order_of_steps(plan(increment=[None, 3, None, 2])) == ["d", "b", "c"]
    assert order_of_steps(plan()) == ["b", "c", "d"]


def test_depth_cannot_go_step_by_step():
    with pytest.raises(PlanError, match=r"--iterative removes one .* surgery 'depth'; make a plan"):
        order_of_steps(plan("depth"))


@pytest.mark.parametrize("order", [("layer1.1", "layer1.0"), ("layer2.1", "layer1.1")])
def test_weights_follow_their_layers(order):
    model = load_model("resnet14", input_shape=SHAPE)
    parts = find_parts(model, SHAPE)
    first = remove_parts(model, parts, order[:1], input_shape=SHAPE)
    torch.manual_seed(1)
    for value in first.model.parameters():  # as tuning would
        value.data.normal_()
    both = sorted(order)
    second = remove_parts(model, parts, both, input_shape=SHAPE)
    second.model.load_state_dict(carry_over(first, second))
    # the same layer, under its name in the network after the first step
    name = {"layer1.0": "layer1.0", "layer1.1": "layer1.1"}[order[1]]
    expected = remove_parts(first.model, find_parts(first.model, SHAPE), [name], input_shape=SHAPE)
    x = torch.randn(3, *SHAPE)
    with torch.no_grad():
        assert torch.equal(second.model(x), expected.model(x))
