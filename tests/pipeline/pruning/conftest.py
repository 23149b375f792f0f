"""Networks for surgery."""

import pytest
import torch
from torch import nn

from pipeline.models import load_model
from pipeline.pruning.parts import find_parts

SHAPE = (3, 32, 32)


@pytest.fixture(scope="session")
def randomized():
    """Build a network whose normalisation does something."""

    def build(name, shape=SHAPE):
        model = load_model(name, input_shape=shape)
        generator = torch.Generator().manual_seed(1)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(generator=generator)
                module.running_var.uniform_(0.5, 2, generator=generator)
        return model

    return build


@pytest.fixture(scope="module")
def resnet(randomized):
    """A ResNet20 and its parts."""
    model = randomized("resnet20")
    return model, find_parts(model, SHAPE)
