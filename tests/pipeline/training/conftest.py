"""A small network, and parts of the digits to train it on."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from pipeline.data import ImageData, from_arrays, load_data


@pytest.fixture
def build() -> Callable[[], nn.Module]:
    """Build a small convolutional network for digits, always with the same weights."""

    def make(*, dropout: float = 0.0, classes: int = 10) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return nn.Sequential(
                nn.Conv2d(1, 16, 3, padding=1, bias=False),
                nn.BatchNorm2d(16),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Conv2d(16, 32, 3, padding=1, bias=False),
                nn.BatchNorm2d(32),
                nn.ReLU(),
                nn.AdaptiveAvgPool2d(2),
                nn.Flatten(),
                nn.Dropout(dropout),
                nn.Linear(128, classes),
            )

    return make


@pytest.fixture(scope="session")
def digits() -> tuple[ImageData, ImageData]:
    return load_data("digits", split="train"), load_data("digits", split="test")


@pytest.fixture(scope="session")
def few(digits) -> tuple[ImageData, ImageData]:
    """Return 200 training and 100 test digits."""
    train, test = digits
    return (
        from_arrays(train.images(range(200)), train.labels[:200]),
        from_arrays(test.images(range(100)), test.labels[:100]),
    )
