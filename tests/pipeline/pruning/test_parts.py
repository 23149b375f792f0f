"""Which layers can go: networks whose answer is known."""

import pytest
import torch
from torch import nn

from pipeline.models import load_model
from pipeline.pruning import count_macs, count_parameters
from pipeline.pruning.parts import find_parts, find_stages


def removable(name, shape=(3, 32, 32)):
    parts = find_parts(load_model(name, input_shape=shape), shape)
    return [part.index for part in parts if not part.problem], [
        len(stage) for stage in find_stages(parts)
    ]


@pytest.mark.parametrize(
    ("name", "free", "stages"),
    [
        # a stem, then three stages: the first block of the second and third changes the shape
        ("resnet20", [1, 2, 3, 5, 6, 8, 9], [3, 3, 3]),
        ("vgg19", [1, 3, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15], [2, 2, 4, 4, 4]),
        ("vgg11", [3, 5, 6, 7], [1, 1, 2, 2, 2]),
        # bottlenecks: the first block widens, in the first stage too
        ("resnet50", [2, 3, 5, 6, 7, 9, 10, 11, 12, 13, 15, 16], [3, 4, 6, 3]),
    ],
)
def test_the_zoo(name, free, stages):
    assert removable(name) == (free, stages)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "free", "stages"),
    [
        ("torchvision:resnet18", 5, [2, 2, 2, 2]),
        ("torchvision:vgg11_bn", 4, [1, 1, 2, 2, 2]),
        ("torchvision:mobilenet_v2", 10, [1, 2, 3, 4, 3, 3, 1]),
        ("torchvision:convnext_tiny", 18, [3, 3, 9, 3]),
        ("torchvision:densenet121", 0, [1, 1, 1, 1]),
    ],
)
def test_torchvision(name, free, stages):
    found, sizes = removable(name, (3, 64, 64))
    assert (len(found), sizes) == (free, stages)


@pytest.mark.slow
def test_torchvisions_transformer():
    found, stages = removable("torchvision:vit_b_32", (3, 224, 224))
    assert (found, stages) == (list(range(1, 13)), [12])


def test_costs_add_up_to_the_network_without_its_head():
    model = load_model("resnet20")
    parts = find_parts(model, (3, 32, 32))
    head = model.linear
    assert sum(part.parameters for part in parts) == count_parameters(model) - 650
    assert sum(part.macs for part in parts) == count_macs(model, (3, 32, 32)).total - 640
    assert sum(p.numel() for p in head.parameters()) == 64 * 10 + 10


class Reused(nn.Module):
    """One convolution that runs twice, one that shares its weights, one with two inputs."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.twice = nn.Conv2d(4, 4, 3, padding=1)
        self.first = nn.Conv2d(4, 4, 1)
        self.second = nn.Conv2d(4, 4, 1)
        self.second.weight = self.first.weight
        self.free = nn.Conv2d(4, 4, 1)
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        x = self.twice(self.twice(self.stem(x)))
        x = self.free(self.second(self.first(x)))
        return self.head(x.mean((2, 3)))


def test_what_cannot_go_is_said():
    parts = find_parts(Reused(), (1, 6, 6))
    problems = {part.name: part.problem for part in parts}
    assert problems == {
        "stem": "it is the first layer",
        "twice": "twice runs 2 times",
        "first": "first shares its weights with another module",
        "second": "second shares its weights with another module",
        "free": None,
    }


class Added(nn.Module):
    """Shortcuts in the network's own forward, of one layer and of two; a U-Net's around a stage."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.alone = nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4))
        self.relu = nn.ReLU()  # of the sum, although it follows a layer of the branch
        self.first, self.second = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)
        self.gate = nn.Conv2d(4, 4, 1)
        self.down, self.deep = nn.Conv2d(4, 4, 2, stride=2), nn.Conv2d(4, 4, 1)
        self.up = nn.ConvTranspose2d(4, 4, 2, stride=2)
        self.copied, self.free = nn.Conv2d(4, 4, 1), nn.Conv2d(8, 8, 1)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        x = self.stem(x)
        x = self.relu(x + self.alone(x))
        x = x + self.second(self.first(x).relu())
        x = x * self.gate(x).sigmoid()
        x = x + self.up(self.deep(self.down(x)))
        x = self.free(torch.cat([x, self.copied(x)], dim=1))
        return self.head(x.mean((2, 3)))


def test_no_layer_goes_around_which_data_are_added():
    problems = {part.name: part.problem for part in find_parts(Added(), (1, 6, 6))}
    beside = "data go around it and join its output"
    assert problems == {
        "stem": "it is the first layer",
        "relu": beside,  # x + alone(x) would become x + x
        "first": beside,
        "second": beside,
        "gate": beside,
        "down": "it changes the shape 4x6x6 -> 4x3x3",
        "deep": None,  # what goes down and up again remains a branch
        "up": "it changes the shape 4x3x3 -> 4x6x6",
        "copied": None,
        "free": None,
    }


def test_a_change_of_shape_is_named():
    parts = find_parts(load_model("resnet20"), (3, 32, 32))
    assert parts[4].problem == "it changes the shape 16x32x32 -> 32x16x16"


def test_the_network_is_left_as_it_was():
    model = load_model("resnet8").train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    find_parts(model, (3, 32, 32))
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())
