import pytest
import torch
from torch import nn

from graphs.errors import ModelError
from pipeline.models import load_model
from pipeline.models.example import example_input


@pytest.mark.parametrize(
    ("build", "shape"),
    [
        (lambda: load_model("mlp", input_shape=(1, 9, 9)), (1, 1, 9, 9)),
        (lambda: load_model("resnet8", input_shape=(1, 8, 8)), (1, 1, 32, 32)),
        (lambda: load_model("torchvision:alexnet"), (1, 3, 224, 224)),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), (1, 1, 8, 8)),
    ],
)
def test_a_size_that_fits(build, shape):
    assert example_input(build()).shape == shape


def test_the_mode_is_restored():
    model = load_model("resnet8").train()
    example_input(model)
    assert model.training
    assert model.bn1.num_batches_tracked == 0


def test_nothing_fits():
    with pytest.raises(ModelError, match=r"Linear runs on none of the image sizes .*; give an ex"):
        example_input(nn.Linear(7, 2))


def test_precision_of_the_network():
    assert example_input(load_model("mlp").double()).dtype == torch.float64
