import pytest
import torch
from torch import nn
from torch.nn import functional as F

from graphs.errors import ModelError
from pipeline.models import load_model
from pipeline.tracing import evaluating, run_model, trace_layers


def hooks(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


class Shared(nn.Module):
    """One activation for three places, an idle head, and a tuple on the way."""

    def __init__(self):
        super().__init__()
        self.relu = nn.ReLU()
        self.head = nn.Linear(4, 2)
        self.body = nn.LSTM(4, 4, batch_first=True)
        self.idle = nn.Linear(4, 2)

    def forward(self, x):
        x = self.relu(self.relu(x))
        x, _ = self.body(x)
        return self.relu(self.head(x[:, -1]))


def test_modules_in_the_order_of_their_outputs():
    layers = trace_layers(Shared(), torch.zeros(1, 5, 4))
    assert [layer.name for layer in layers] == ["body", "head", "relu"]
    assert [layer.index for layer in layers] == [0, 1, 2]


def test_shapes_calls_and_parameters():
    body, head, relu = trace_layers(Shared(), torch.zeros(1, 5, 4))
    assert (head.type, head.shape, head.calls, head.parameters) == ("Linear", (2,), 1, 4 * 2 + 2)
    assert (relu.shape, relu.calls) == ((2,), 3)
    assert body.problem == "its output is a tuple, not a tensor"
    assert (body.shape, body.values) == ((), 1)


def test_an_output_without_the_batch_in_front():
    layers = trace_layers(nn.Sequential(nn.Flatten(0), nn.Linear(6, 1)), torch.zeros(1, 3))
    assert layers[0].problem == (
        "its output of shape (6,) for 2 samples does not have one row a sample"
    )


def test_the_network_is_left_as_it_was():
    model = load_model("resnet8").train()
    model.bn1.eval()
    modes = [module.training for module in model.modules()]
    state = {key: value.clone() for key, value in model.state_dict().items()}
    with torch.no_grad():
        trace_layers(model, torch.rand(3, 3, 32, 32))
        assert not torch.is_grad_enabled()
    assert [module.training for module in model.modules()] == modes
    assert hooks(model) == 0
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_inside_inference_mode():
    made_before = nn.Sequential(nn.Linear(3, 2))
    with torch.inference_mode():
        made_inside = nn.Sequential(nn.Linear(3, 2))
        for model in (made_before, made_inside):
            assert [layer.name for layer in trace_layers(model, torch.zeros(1, 3))] == ["0"]


def test_a_network_that_works_in_place_on_its_input():
    example = torch.full((1, 3), -1.0)
    trace_layers(nn.Sequential(nn.ReLU(inplace=True), nn.Linear(3, 2)), example)
    assert torch.equal(example, torch.full((1, 3), -1.0))


def test_precision_follows_the_network():
    assert trace_layers(nn.Sequential(nn.Linear(3, 2)).double(), torch.zeros(1, 3))


def test_a_network_without_parameters():
    assert [x.name for x in trace_layers(nn.Sequential(nn.ReLU()), torch.zeros(1, 3))] == ["0"]


def test_an_input_that_does_not_fit():
    model = load_model("resnet8").train()
    with pytest.raises(
        ModelError,
        match=r"ResNet cannot run on an input of shape \(1, 8, 8\): RuntimeError: .*; ch",
    ) as error:
        trace_layers(model, torch.zeros(1, 1, 8, 8))
    assert "\n" not in str(error.value)
    assert model.training
    assert hooks(model) == 0


def test_run_model_passes_clear_errors_on():
    class Broken(nn.Module):
        def forward(self, x):
            raise ModelError("no such thing", "mend it")

    with pytest.raises(ModelError, match="^no such thing; mend it$"):
        run_model(Broken(), torch.zeros(1, 2))


def test_evaluating_restores_after_an_exception():
    model = load_model("resnet8").train()
    with pytest.raises(RuntimeError), evaluating(model):
        assert not model.bn1.training
        raise RuntimeError
    assert model.bn1.training


class ChannelsLast(nn.Module):
    def forward(self, x):
        return F.layer_norm(x.permute(0, 2, 3, 1), (4,))


def test_channels_at_the_end_are_noticed():
    class Back(nn.Module):
        def forward(self, x):
            return x.permute(0, 3, 1, 2)

    model = nn.Sequential(
        nn.Conv2d(3, 4, 1), ChannelsLast(), nn.Linear(4, 6), nn.GELU(), Back(), nn.ReLU(),
        nn.Conv2d(6, 8, 2, padding=1), nn.ReLU(),
    )  # fmt: skip
    layers = trace_layers(model, torch.zeros(1, 3, 5, 5))
    assert [layer.channel_axis for layer in layers] == [1, 1, -1, -1, 1, 1, 1, 1]
