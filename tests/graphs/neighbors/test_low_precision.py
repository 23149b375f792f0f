"""Approximate similarities are as near to the truth as their bound says."""

import numpy as np
import pytest
import torch

from graphs.neighbors.low_precision import PRECISIONS, Product

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
    product = Product(direction, precision=kind, device=CPU)
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
    assert bound.max() < (0.02 if kind == "bfloat16" else 1e-3)


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
