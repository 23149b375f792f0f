import pytest
import torch
from torch import nn

from graphs.errors import ModelError
from pipeline.data import from_arrays
from pipeline.training import evaluate
from pipeline.training.evaluation import fit_model


class Brightest(nn.Module):
    """Answers with the place of the brightest pixel."""

    def forward(self, x):
        return x.flatten(1)


@pytest.fixture
def dots():
    """Image i has its only bright pixel at place i."""
    return from_arrays(torch.eye(9).reshape(9, 1, 3, 3), range(9))


def test_accuracy_is_a_fraction(dots):
    assert evaluate(Brightest(), dots) == 1
    wrong = from_arrays(dots.images(range(9)), [0, 1, 2, 3, 4, 5, 6, 8, 7])
    assert evaluate(Brightest(), wrong, batch_size=2) == 7 / 9


def test_mode_is_kept_and_evaluation_is_used(dots):
    model = nn.Sequential(nn.Dropout(1.0), Brightest())
    assert evaluate(model.train(), dots) == 1
    assert model.training
    assert evaluate(model.eval(), dots) == 1
    assert not model.training


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        (nn.Conv2d(3, 8, 3), r"cannot run on an input of shape \(1, 3, 3\): .*Given groups=1"),
        (nn.Identity(), r"Identity gives \(1, 1, 3, 3\) for one image, not logits of shape"),
        (nn.Sequential(nn.Flatten(), nn.LSTM(9, 9)), "Sequential gives tuple for one image"),
        (
            nn.Sequential(nn.Flatten(), nn.Linear(9, 5)),
            "Sequential has 5 outputs, arrays has 9 classes; build it for 9 classes",
        ),
    ],
)
def test_networks_that_do_not_fit(dots, model, problem):
    with pytest.raises(ModelError, match=problem):
        evaluate(model.train(), dots)
    assert model.training


class Viewing(nn.Module):
    """Reshapes maps with view, which channels-last maps do not allow."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 2)
        self.fc = nn.Linear(16, 9)

    def forward(self, x):
        x = self.conv(x)
        return self.fc(x.view(x.size(0), -1))


def test_memory_format(dots):
    cpu = torch.device("cpu")
    conv = nn.Sequential(nn.Conv2d(1, 4, 2), nn.Flatten(), nn.Linear(16, 9))
    assert fit_model(conv, dots, device=cpu) == torch.channels_last
    assert fit_model(nn.Flatten(), dots, device=cpu) == torch.contiguous_format
    viewing = Viewing()
    assert fit_model(viewing, dots, device=cpu) == torch.contiguous_format
    assert viewing.conv.weight.is_contiguous()
    viewing.load_state_dict(
        dict(zip(viewing.state_dict(), conv.state_dict().values(), strict=True))
    )
    assert evaluate(viewing, dots) == evaluate(conv, dots)


def test_error_of_many_lines_or_none_is_one_line(dots):
    class Talkative(nn.Module):
        def forward(self, x):
            raise KeyError(*self.args)

    for args, expected in [((), "KeyError"), (("a\nb",), "a")]:
        model = Talkative()
        model.args = args
        with pytest.raises(ModelError, match=expected) as caught:
            evaluate(model, dots)
        assert "\n" not in str(caught.value)
