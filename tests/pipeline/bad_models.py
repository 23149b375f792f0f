"""Networks of a user's own file, each with one fault, for digits (1x8x8) and batches above two.

Layers are looked for with two images: what fails only for more fails in the middle of the work.
"""

import os
import signal

import torch
from torch import nn

FAULTY = 3  # position in the batch


class Net(nn.Module):
    def __init__(self, channels=1, fault=None):
        super().__init__()
        self.conv = nn.Conv2d(channels, 4, 3, padding=1)
        self.relu = nn.ReLU()
        self.fault = fault or nn.Identity()
        self.fc = nn.Linear(256, 10)

    def forward(self, x):
        return self.fc(self.fault(self.relu(self.conv(x))).flatten(1))


class Spoil(nn.Module):
    """Overwrite one sample, or a range of them."""

    def __init__(self, value, samples=FAULTY):
        super().__init__()
        self.value, self.samples = value, samples

    def forward(self, x):
        x = x.clone()
        if len(x) > 2:
            x[self.samples] = self.value
        return x


class Pair(nn.Module):
    def forward(self, x):
        return x, 1


class PairNet(Net):
    def __init__(self):
        super().__init__(fault=Pair())

    def forward(self, x):
        return self.fc(self.fault(self.relu(self.conv(x)))[0].flatten(1))


class Shrink(nn.Module):
    """Put out fewer values for a large batch than for a small one."""

    def forward(self, x):
        return x[:, :2] if len(x) > 2 else x


class ShrinkNet(Net):
    def forward(self, x):
        x = self.relu(self.conv(x))
        self.fault(x)
        return self.fc(x.flatten(1))


class Raise(nn.Module):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def forward(self, x):
        if len(x) > 2:
            raise self.error
        return x


class Interrupt(nn.Module):
    """Ctrl-C while the second batch is computed, if the environment asks for it."""

    batches = 0

    def forward(self, x):
        self.batches += len(x) > 2
        if self.batches == 2 and "STRATAGRAPH_TEST_INTERRUPT" in os.environ:
            signal.raise_signal(signal.SIGINT)
        return x


def good():
    return Net()


def one_nan():
    return Net(fault=Spoil(float("nan")))


def one_infinite():
    return Net(fault=Spoil(float("inf")))


def all_zero():
    return Net(fault=Spoil(0.0, slice(None)))


def three_zero():
    return Net(fault=Spoil(0.0, slice(0, 3)))


def pair():
    return PairNet()


def shrinks():
    return ShrinkNet(fault=Shrink())


def colour():
    return Net(channels=3)


def fails_later():
    return Net(fault=Raise(RuntimeError("two at a time")))


def out_of_gpu_memory():
    return Net(fault=Raise(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")))


def out_of_memory():
    return Net(fault=Raise(MemoryError()))


def interrupts():
    return Net(fault=Interrupt())


def raises():
    raise ValueError("first line\nsecond line")


def leaves():
    raise SystemExit(3)


def returns_none():
    return None


def wants_argument(depth):
    return Net(depth)


class Gated(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate, self.value, self.head = nn.Linear(64, 8), nn.Linear(64, 8), nn.Linear(8, 10)

    def forward(self, x):
        x = x.flatten(1)
        return self.head(torch.sigmoid(self.gate(x)) * self.value(x))


def gated():
    return Gated()


def no_weights():
    return nn.Sequential(nn.Flatten(), nn.ReLU())


class Tied(nn.Module):
    """Reads a layer's weights beside its output."""

    def __init__(self):
        super().__init__()
        self.stem, self.step = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.fc = nn.Linear(256, 10)

    def forward(self, x):
        return self.fc(self.step(self.stem(x)).flatten(1)) * self.step.weight.norm()


def tied():
    return Tied()


class Noisy(Tied):
    """Draws something in eval mode too."""

    def forward(self, x):
        x = self.step(self.stem(x))
        return self.fc((x + torch.rand_like(x)).flatten(1))


def noisy():
    return Noisy()
