import pytest
import torch
from torchvision import transforms

from graphs.errors import DataError
from pipeline.data import Normalization, parse_normalization
from pipeline.data.normalization import STATISTICS


@pytest.mark.parametrize("name", STATISTICS)
def test_agrees_with_torchvision(name):
    normalization = parse_normalization(name)
    pixels = torch.rand(4, len(normalization.mean), 3, 2)
    expected = transforms.Normalize(normalization.mean, normalization.std)(pixels)
    assert torch.equal(normalization(pixels), expected)


def test_numbers():
    expected = Normalization("0.5,0.4,0.3/0.25,0.2,1", (0.5, 0.4, 0.3), (0.25, 0.2, 1.0))
    assert parse_normalization(" 0.5,0.4,0.3/0.25,0.2,1 ") == expected
    assert parse_normalization("CIFAR10").mean == (0.4914, 0.4822, 0.4465)


def test_one_value_serves_all_channels():
    normalization = parse_normalization("0.5/0.25")
    normalization.require_channels(3)
    assert torch.equal(normalization(torch.ones(1, 3, 2, 2)), torch.full((1, 3, 2, 2), 2.0))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("cifar", "'cifar' is unknown; use none, cifar10"),
        ("0.5,x/0.2,0.2", "'0.5,x' is no list of numbers"),
        ("0.5,/0.2,0.2", "'0.5,' is no list of numbers"),
        ("0.5,0.5/0.2", r"has 2 mean\(s\) and 1 deviation"),
        ("0.5/0", "divides by 0"),
        ("0.5/-1", "divides by -1"),
        ("nan/1", "not finite"),
        ("0/inf", "not finite"),
    ],
)
def test_errors(text, problem):
    with pytest.raises(DataError, match=problem):
        parse_normalization(text)


def test_wrong_number_of_channels():
    with pytest.raises(DataError, match="'imagenet' has 3 channels, the images have 1; give one"):
        parse_normalization("imagenet").require_channels(1)
