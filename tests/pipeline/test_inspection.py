import pytest
import torch
from torch import nn

from graphs.errors import LayerError, ModelError
from pipeline.inspection import inspect_model
from pipeline.models import load_model
from pipeline.pruning import count_macs, count_parameters

COLUMNS = ["index", "name", "type", "shape", "values", "parameters", "macs"]


def test_a_table_row_by_row():
    table = inspect_model(load_model("resnet8"), (3, 32, 32))
    assert list(table.columns) == COLUMNS
    conv = 9 * 16 * 16
    assert table.iloc[:2].values.tolist() == [
        [0, "relu", "ReLU", "16x32x32", 16 * 32**2, 9 * 3 * 16 + 2 * 16, 9 * 3 * 16 * 32**2],
        [1, "layer1.0", "BasicBlock", "16x32x32", 16 * 32**2, 2 * (conv + 32), 2 * conv * 32**2],
    ]
    assert table.attrs["after_parameters"] == 64 * 10 + 10
    assert table.attrs["after_macs"] == 64 * 10


@pytest.mark.parametrize("layers", ["blocks", "reference", "all", "layer2.0", "**.bn1,linear"])
@pytest.mark.parametrize("name", ["resnet20-b", "vgg8", "mlp", "torchvision:mobilenet_v3_small"])
def test_columns_and_remainder_add_up_to_the_totals(name, layers):
    model = load_model(name, classes=10)
    layers = layers if name == "resnet20-b" or "." not in layers else "all"
    table = inspect_model(model, (3, 32, 32), layers=layers)
    assert table.attrs["parameters"] == count_parameters(model)
    assert table.attrs["macs"] == count_macs(model, (3, 32, 32)).total
    for column in ("parameters", "macs"):
        assert table[column].sum() + table.attrs[f"after_{column}"] == table.attrs[column]
        assert (table[column] >= 0).all()


def test_what_runs_in_functions_counts_for_the_module_that_calls_them():
    class Bilinear(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(4, 4)
            self.scale = nn.Parameter(torch.ones(4, 5))

        def forward(self, x):
            return self.inner(x) @ self.scale

    model = nn.Sequential(Bilinear(), nn.Linear(5, 2))
    table = inspect_model(model, (4,), layers="0.inner,0,1")
    assert table["parameters"].tolist() == [4 * 4 + 4, 4 * 5, 5 * 2 + 2]
    assert table["macs"].tolist() == [4 * 4, 4 * 5, 5 * 2]


def test_shared_and_idle_modules():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(3, 3)
            self.again = self.first
            self.idle = nn.Linear(3, 7)

        def forward(self, x):
            return self.again(self.first(x))

    table = inspect_model(Net(), (3,), layers="all")
    assert table["parameters"].tolist() == [3 * 3 + 3]
    assert table["macs"].tolist() == [2 * 3 * 3]
    assert table.attrs["after_parameters"] == 3 * 7 + 7


def test_errors_pass_through():
    model = load_model("resnet8")
    with pytest.raises(LayerError, match="no layer matches 'nothing'"):
        inspect_model(model, (3, 32, 32), layers="nothing")
    with pytest.raises(ModelError, match=r"cannot run on an input of shape \(1, 32, 32\)"):
        inspect_model(model, (1, 32, 32))
