from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs import eigenvalues
from graphs.eigenvalues import laplacian_eigenvalues
from graphs.errors import GraphError


def _matrices(widths, seed=0, zeros=0.3):
    generator = np.random.default_rng(seed)
    found = []
    for a, b in pairwise(widths):
        weight = generator.normal(size=(a, b))
        found.append(np.where(generator.random((a, b)) < zeros, 0, weight))
    return found


def _dense(weights):
    """The Laplacian by the book, with NumPy alone."""
    widths = [weights[0].shape[0], *(w.shape[1] for w in weights)]
    ends = np.cumsum([0, *widths])
    A = np.zeros((ends[-1], ends[-1]))
    for place, weight in enumerate(weights):
        A[ends[place] : ends[place + 1], ends[place + 1] : ends[place + 2]] = abs(weight)
    A += A.T
    d = A.sum(axis=0)
    A, d = A[d > 0][:, d > 0], d[d > 0]
    return np.linalg.eigvalsh(np.eye(len(d)) - A / np.sqrt(np.outer(d, d)))


@given(st.integers(0, 10**6), st.integers(1, 3))
def test_values_are_those_of_the_whole_decomposition(seed, count):
    weights = _matrices([6, 5, 7, 3], seed)
    found = laplacian_eigenvalues(weights, count)
    assert found.values == pytest.approx(_dense(weights)[1 : count + 1], abs=1e-10)


@pytest.mark.parametrize("dense", [True, False])
def test_gradient_is_that_of_finite_differences(dense, monkeypatch):
    if not dense:
        monkeypatch.setattr(eigenvalues, "DENSE", 0)
    weights = _matrices([9, 8, 7, 4])
    gradients = laplacian_eigenvalues(weights, 3).gradients
    step = 1e-6
    for place, weight in enumerate(weights):
        for index in [(0, 0), (3, 2), (8 - place, 1)]:
            sides = []
            for sign in (1, -1):
                moved = [w.copy() for w in weights]
                moved[place][index] += sign * step
                sides.append(laplacian_eigenvalues(moved, 3).values.mean())
            if weight[index] == 0:  # |w| has no derivative there, and a pruned weight stays
                assert gradients[place][index] == 0
            else:
                expected = (sides[0] - sides[1]) / (2 * step)
                assert gradients[place][index] == pytest.approx(expected, abs=1e-8)


def test_scale_of_all_weights_does_not_matter():
    weights = _matrices([6, 5, 4])
    found, larger = (laplacian_eigenvalues([f * w for w in weights]) for f in (1, 10))
    assert larger.values == pytest.approx(found.values)
    # a function of degree 0 has a gradient across the weights
    along = sum((g * w).sum() for g, w in zip(found.gradients, weights, strict=True))
    assert along == pytest.approx(0, abs=1e-12)


def test_dead_neurons_are_left_out():
    weights = _matrices([6, 5, 4], zeros=0)
    dead = [np.insert(weights[0], 2, 0, axis=1), np.insert(weights[1], 2, 0, axis=0)]
    found = laplacian_eigenvalues(dead)
    assert found.values == pytest.approx(laplacian_eigenvalues(weights).values)
    assert not found.gradients[0][:, 2].any()


def test_two_separate_parts_have_a_second_eigenvalue_of_zero():
    weights = [np.kron(np.eye(2), np.ones((2, 3))), np.kron(np.eye(2), np.ones((3, 1)))]
    assert laplacian_eigenvalues(weights, 1).values == pytest.approx([0], abs=1e-12)


@pytest.mark.parametrize(
    ("weights", "count", "message"),
    [
        ([], 1, "no layers"),
        ([np.ones((2, 3)), np.ones((2, 3))], 1, "no layers"),
        ([np.ones((2, 1))], 3, "3 eigenvalues above the first are asked of 3 neurons"),
        ([np.ones((2, 1))], 0, "0 eigenvalues"),
    ],
)
def test_what_is_refused(weights, count, message):
    with pytest.raises(GraphError, match=message):
        laplacian_eigenvalues(weights, count)
