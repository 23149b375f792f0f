import pytest
import torch
from torch import nn

from graphs.errors import ModelError
from pipeline.models.zoo import ZOO, build


def convolutions(model):
    return sum(isinstance(module, nn.Conv2d) for module in model.modules())


@pytest.mark.parametrize(
    "name", ["vgg8", "vgg11", "resnet8", "resnet14-b", "resnet20", "resnet18", "mlp"]
)
def test_networks_run_on_digits(name):
    model = build(name, classes=10, input_shape=(1, 8, 8)).eval()
    assert model(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


@pytest.mark.parametrize("name", [name for name in ZOO if name.startswith("resnet")])
def test_the_name_says_how_many_layers_have_weights(name):
    depth = int(name.removeprefix("resnet").removesuffix("-b"))
    model = build(name, classes=10, input_shape=(3, 32, 32))
    shortcuts = sum(
        isinstance(module, nn.Sequential)
        for path, module in model.named_modules()
        if path.endswith("shortcut")
    )
    assert convolutions(model) - shortcuts + 1 == depth


@pytest.mark.parametrize(("name", "linear"), [("vgg8", 2), ("vgg11", 3), ("vgg16", 3)])
def test_the_name_of_a_vgg_too(name, linear):
    model = build(name, classes=10, input_shape=(3, 32, 32))
    assert convolutions(model) + linear == int(name.removeprefix("vgg"))


def test_depth_in_brackets():
    assert build("resnet56[2,3,6]", classes=10, input_shape=(3, 32, 32)).blocks == (2, 3, 6)
    assert build("resnet20-b[1, 1, 2]", classes=10, input_shape=(3, 32, 32)).blocks == (1, 1, 2)
    assert convolutions(build("vgg16[2,2,3,3,1]", classes=10, input_shape=(3, 32, 32))) == 11


def test_widths_of_an_mlp():
    model = build("mlp-32-16", classes=10, input_shape=(1, 8, 8))
    assert [m.out_features for m in model.modules() if isinstance(m, nn.Linear)] == [32, 16, 10]


@pytest.mark.parametrize("name", ["resnet21", "resnet18-b", "vgg", "mlp-", "resnet20[]", ""])
def test_other_names_are_not_of_the_zoo(name):
    assert build(name, classes=10, input_shape=(3, 32, 32)) is None


def test_depth_that_does_not_fit():
    with pytest.raises(ModelError, match=r"model 'resnet56\[2,3\]': blocks \[2, 3\] do not fit"):
        build("resnet56[2,3]", classes=10, input_shape=(3, 32, 32))
