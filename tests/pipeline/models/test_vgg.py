from itertools import pairwise

import pytest
import torch
from torch import nn

from graphs.errors import ModelError
from pipeline.models.vgg import small_vgg, vgg


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(
    # kuangliu/pytorch-cifar has the same features with one linear layer, 512 to 10:
    # 9.23, 9.42, 14.73, 20.04 million
    ("depth", "one_linear_layer"),
    [(11, 9_231_114), (13, 9_416_010), (16, 14_728_266), (19, 20_040_522)],
)
def test_parameters_are_the_published_ones_plus_two_hidden_layers(depth, one_linear_layer):
    assert parameters(vgg(depth)) == one_linear_layer + 2 * (512 * 512 + 512)


def test_convolutions_of_vgg16_counted_by_hand():
    widths = [3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
    # weights, bias, and the two vectors of the normalisation
    expected = sum(9 * a * b + b + 2 * b for a, b in pairwise(widths))
    assert parameters(vgg(16).features) == expected


def test_each_convolution_is_followed_by_normalisation_and_a_relu_module():
    features = list(vgg(19).features)
    places = [i for i, module in enumerate(features) if isinstance(module, nn.Conv2d)]
    assert len(places) == 16
    assert all(isinstance(features[i + 1], nn.BatchNorm2d) for i in places)
    assert all(isinstance(features[i + 2], nn.ReLU) for i in places)


def test_pooling_on_32_pixels_is_the_ordinary_one():
    model = vgg(11).eval()
    plain = nn.Sequential(
        *(nn.MaxPool2d(2) if isinstance(m, nn.MaxPool2d) else m for m in model.features)
    )
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    features = plain(x)
    assert features.shape == (2, 512, 1, 1)
    assert torch.equal(model.classifier(features.flatten(1)), model(x))


@pytest.mark.parametrize("side", [8, 28, 32, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_other_sizes(side, channels):
    x = torch.zeros(2, channels, side, side)
    assert vgg(11, channels=channels, classes=7).eval()(x).shape == (2, 7)
    assert small_vgg(channels=channels, classes=7).eval()(x).shape == (2, 7)


def test_depth_is_configurable():
    model = vgg(19, (2, 2, 4, 4, 1))
    assert sum(isinstance(m, nn.Conv2d) for m in model.modules()) == 13


@pytest.mark.parametrize("convolutions", [(1, 1), (2, 2, 3, 0, 1)])
def test_convolutions_that_do_not_fit(convolutions):
    with pytest.raises(ModelError, match=r"convolutions .* do not fit this VGG of 5 stages; give"):
        vgg(16, convolutions)
