"""Approximate similarities are as near to the truth as their bound says."""

import numpy as np
import pytest
import torch

from graphs.neighbors.eight_bits import MIXED, TURNING, EightBits
from graphs.neighbors.low_precision import PRECISIONS, Product
from graphs.neighbors.precision import make_product

CPU = torch.device("cpu")


def unit(x):
    wide = x.astype(np.float64)
    return (wide / np.linalg.norm(wide, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("width", [64, 700, 5000])
@pytest.mark.parametrize("shift", [0.0, 5.0])
@pytest.mark.parametrize("kind", PRECISIONS)
def test_the_bound_holds_and_is_not_far_off(kind, width, shift):
    rng = np.random.default_rng(0)
    rows = unit(rng.normal(shift, 1.0, (200, width)))
    mean = rows.astype(np.float64).mean(axis=0)
    direction = mean / np.linalg.norm(mean)
    product = make_product(direction, precision=kind, device=CPU)
    block = product.empty(200)
    lengths, errors = product.prepare(rows, block)
    out = torch.empty(200, 200)
    product(block, block, out)
    truth = rows.astype(np.float64) @ rows.T.astype(np.float64)
    wrong = np.abs(out.numpy() - truth).max(axis=1)
    bound = product.tolerance(lengths, errors, (lengths, errors))
    assert (bound <= product.tolerance(lengths, errors)).all()
    assert (wrong <= bound).all()
    # without the mean the residuals are short: lengths are sin of the angle to it
    residual = rows - (rows @ direction)[:, None] * direction
    np.testing.assert_allclose(lengths, np.linalg.norm(residual, axis=1), rtol=5e-3)
    assert bound.max() < {"int8": 0.04, "bfloat16": 0.02, "float32": 1e-3}[kind]
    # of single pairs no more than of the rows with any other
    pairs = product.bound((lengths[:, None], errors[:, None]), (lengths, errors))
    assert (np.abs(out.numpy() - truth) <= pairs).all()
    assert (pairs.max(axis=1) <= bound * (1 + 1e-12)).all()


def test_taking_the_mean_out_makes_the_bound_smaller():
    rows = unit(np.random.default_rng(0).normal(2.0, 1.0, (100, 600)))
    mean = rows.mean(axis=0, dtype=np.float64)
    bounds = []
    for direction in (np.zeros(600), mean / np.linalg.norm(mean)):
        product = Product(direction, precision="bfloat16", device=CPU)
        known = product.prepare(rows, product.empty(100))
        bounds.append(product.tolerance(*known, known).max())
    # the angle to the mean has tangent 1 / 2: residuals have length 1 / sqrt(5), the bound is of
    # second order in it
    assert bounds[1] / bounds[0] == pytest.approx(1 / 5, rel=0.15)


@pytest.mark.parametrize("width", [1, 64, 700, 4160])
def test_turning_keeps_lengths_and_products(width):
    rng = np.random.default_rng(0)
    rows = np.concatenate([unit(rng.normal(size=(20, width))), np.eye(1, width)]).astype(np.float32)
    product = EightBits(np.zeros(width))
    room = torch.full((21, -(-width // MIXED) * MIXED), torch.nan)
    turned = product._turn(rows, room).numpy().astype(np.float64)
    wide = rows.astype(np.float64)
    np.testing.assert_allclose(turned @ turned.T, wide @ wide.T, atol=3 * TURNING)


def test_integers_are_as_good_as_their_largest_number_lets_them():
    """After the turn a row with one large number loses no more than the others."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(50, 4096))
    rows[:25, 7] = 40.0
    product = EightBits(np.zeros(4096))
    _, errors = product.prepare(unit(rows), product.empty(50))
    # numbers up to about 4.5 / 64 in 127 steps, each off by 1 / sqrt(12) of a step
    expected = 4.5 / 127 / np.sqrt(12)
    np.testing.assert_allclose(errors, expected, rtol=0.35)


def test_extreme_integers_are_summed_exactly():
    width = 133_000 // MIXED * MIXED
    product = EightBits(np.zeros(width))
    left, right = (product.empty(16) for _ in range(2))
    for rows in (left, right):
        rows.values.fill_(127)
        rows.along.zero_()
        rows.scale.fill_(2.0**-14)
    right.values[1] = -127
    out = torch.empty(16, 16)
    product(left, right, out)
    expected = np.float32(127**2 * width) * np.float32(2.0**-28)
    assert out[0, :2].tolist() == [expected, -expected]
