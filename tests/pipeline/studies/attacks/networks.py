"""Networks that the tests name as ``file.py:factory``."""

import numpy as np
import torch
from torch import nn

from pipeline.data import load_data


def nearest_mean():
    """Take a digit for the class with the nearest mean image: right on 9 of 10."""
    digits = load_data("digits", split="train")
    images = digits.images(np.arange(len(digits))).flatten(1)
    means = torch.stack([images[digits.labels == number].mean(dim=0) for number in range(10)])
    same, last = nn.Linear(64, 64), nn.Linear(64, 10)
    with torch.no_grad():
        same.weight.copy_(torch.eye(64))
        same.bias.zero_()
        last.weight.copy_(2 * means)
        last.bias.copy_(-means.square().sum(dim=1))
    return nn.Sequential(nn.Flatten(), same, nn.ReLU(), last)


def two_classes():
    """Tell dark images from bright ones."""
    last = nn.Linear(64, 2)
    with torch.no_grad():
        last.weight.copy_(torch.stack([-torch.ones(64), torch.ones(64)]))
        last.bias.copy_(torch.tensor([32.0, -32.0]))
    same = nn.Linear(64, 64)
    nn.init.eye_(same.weight)
    nn.init.zeros_(same.bias)
    return nn.Sequential(nn.Flatten(), same, nn.ReLU(), last)


def no_logits():
    """Give maps."""
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU())


class Stepped(nn.Module):
    """No gradient comes through."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(64, 8), nn.Linear(8, 10)

    def forward(self, images):
        return self.last(self.first(images.flatten(1).detach()).relu())


def stepped():
    return Stepped()
