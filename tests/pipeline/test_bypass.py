"""Layers that are passed over for a while."""

import pytest
import torch
from torch import nn

from pipeline.bypass import bypassed


def test_in_place_activations_do_not_reach_around_a_bypassed_layer():
    model = nn.Sequential(
        nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 3), nn.ReLU(inplace=True), nn.Linear(3, 2)
    ).eval()
    x = torch.randn(4, 3)
    with torch.inference_mode():
        expected = model[4](model[1](model[0](x)))
        with bypassed(model, ["2", "3"]):
            assert torch.equal(model(x), expected)
        assert "forward" not in model[2].__dict__
        assert not torch.equal(model(x), expected)


def test_a_bypass_ends_with_an_exception():
    model = nn.Sequential(nn.Linear(3, 3))
    with pytest.raises(ZeroDivisionError), bypassed(model, ["0"]):
        raise ZeroDivisionError
    assert "forward" not in model[0].__dict__
