import copy
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from graphs.probing import probe_accuracy
from graphs.similarity import linear_cka
from pipeline.pruning.criteria import CRITERIA
from pipeline.pruning.evidence import Evidence

N = 50


class Block(nn.Module):
    """Adds something to its input; works in place in the end."""

    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(x + self.linear(x))


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    # parts: 0 the stem; 1 and 2 blocks; 3 changes the width
    return nn.Sequential(
        nn.Linear(6, 8), Block(8), Block(8), nn.Sequential(nn.Linear(8, 5), nn.Tanh()), Block(5),
        nn.Linear(5, 3),
    ).eval()  # fmt: skip


@pytest.fixture(scope="module")
def images():
    return torch.randn(N, 6, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def steps(model, images):
    """Features after each step, the images first."""
    found = [images]
    with torch.no_grad():
        for step in model:
            found.append(step(found[-1].clone()))
    return [features.numpy() for features in found]


@pytest.fixture(scope="module")
def evidence(model, images):
    return Evidence.of_arrays(model, images, np.arange(N) % 3, seed=4)


def score(name, evidence):
    return CRITERIA[name].function(evidence)


def test_the_parts_are_the_steps(evidence):
    assert [part.members[0].split(".")[0] for part in evidence.parts] == list("01234")
    assert [part.problem is None for part in evidence.parts] == [False, True, True, False, True]


def test_cka_is_that_of_input_and_output(evidence, steps):
    expected = [1 - linear_cka(a, b) for a, b in pairwise(steps[:-1])]
    np.testing.assert_allclose(score("cka", evidence), expected, atol=1e-6)


def test_angles_are_those_of_input_and_output(evidence, steps):
    influence, angles = score("block_influence", evidence), score("angular", evidence)
    for row, (given, got) in enumerate(pairwise(steps[:-1])):
        if given.shape != got.shape:
            assert np.isnan([influence[row], angles[row]]).all()
            continue
        x, y = given.astype(np.float64), got.astype(np.float64)
        lengths = np.sqrt((x * x).sum(1) * (y * y).sum(1))
        both_zero = (x == 0).all(1) & (y == 0).all(1)
        cosines = np.where(both_zero, 1, (x * y).sum(1) / np.where(lengths == 0, 1, lengths))
        assert influence[row] == pytest.approx(1 - cosines.mean(), abs=1e-6)
        assert angles[row] == pytest.approx(np.arccos(cosines).mean() / np.pi, abs=1e-6)


def test_cka_without_a_layer_is_that_of_the_network_cut_open(evidence, model, images, steps):
    found = score("cka_zeroed", evidence)
    for row in range(5):
        if row in (0, 3):
            assert np.isnan(found[row])
            continue
        rest = [copy.deepcopy(step) for place, step in enumerate(model) if place != row][:-1]
        with torch.no_grad():
            features = nn.Sequential(*rest)(images.clone()).numpy()
        assert found[row] == pytest.approx(1 - linear_cka(steps[5], features), abs=1e-6)


def test_a_layer_that_does_nothing_is_worth_nothing(model, images):
    idle = copy.deepcopy(model)
    with torch.no_grad():
        for tensor in (idle[2].linear.weight, idle[2].linear.bias):
            tensor.zero_()
    evidence = Evidence.of_arrays(idle, images, np.arange(N) % 3)
    for name in ("cka", "cka_zeroed", "block_influence", "probe"):
        assert score(name, evidence)[2] == pytest.approx(0, abs=1e-9), name
    # near a cosine of 1 an angle is the root of its error
    assert score("angular", evidence)[2] == pytest.approx(0, abs=1e-7)


def test_probe_is_the_gain_in_accuracy(evidence, steps):
    labels = np.arange(N) % 3
    accuracies = [probe_accuracy(features, labels, seed=4) for features in steps[1:6]]
    np.testing.assert_allclose(score("probe", evidence)[1:], np.diff(accuracies), atol=0.03)


def test_batches_that_fit_into_the_memory_give_nearly_the_same(model, images):
    whole = Evidence.of_arrays(model, images, np.arange(N) % 3, seed=4)
    small = replace(whole, memory=1)
    assert small.passes.batch == 4
    assert len(small.passes.dealt) > 10
    for name in ("block_influence", "angular"):
        np.testing.assert_allclose(score(name, small), score(name, whole), atol=1e-6)
    for name in ("cka", "cka_zeroed"):  # an average over batches
        np.testing.assert_allclose(score(name, small), score(name, whole), atol=0.3)


def test_passes_are_shared(evidence, monkeypatch):
    names = ("cka", "block_influence", "angular", "cka_zeroed")
    first = {name: score(name, evidence) for name in ("cka", "cka_zeroed")}
    monkeypatch.setattr("pipeline.pruning.passes.run_model", None)  # another pass would raise
    again = {name: score(name, evidence) for name in names}
    for name, values in first.items():
        np.testing.assert_array_equal(again[name], values)
    assert all(np.isfinite(values).any() for values in again.values())
