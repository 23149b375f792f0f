"""Where bfloat16 errs most: features of few values, whose products lie just above a power of 2."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs.neighbors import certified, knn
from graphs.neighbors.low_precision import OUTPUT, ROUNDING, Product

CPU = torch.device("cpu")
VALUE = 2.0**-5  # exact in bfloat16: the rounding of the residuals does not hide that of the sum


def row(here, flipped, width=600):
    """Entries of ± VALUE at some places, and at place 0 what makes the length 1."""
    values = np.zeros(width)
    values[here] = VALUE
    values[flipped] *= -1
    values[0] = np.sqrt(1 - (values[1:] ** 2).sum())
    return values


def mirrored(rows):
    """Add each row with all but the first entry negated: the mean is along the first axis."""
    return np.concatenate([rows, rows * np.r_[1, -np.ones(rows.shape[1] - 1)]]).astype(np.float32)


def test_bfloat16_has_eight_digits():
    exact = torch.tensor(1 + 2.0**-8)
    assert float(exact.bfloat16()) == 1.0
    assert (float(exact) - 1.0) / float(exact) < OUTPUT == 2.0**-8
    smallest, largest = torch.tensor([1.0, 2.0])
    numbers = torch.linspace(float(smallest), float(largest), 10_001, dtype=torch.float64)
    moved = (numbers.bfloat16().double() - numbers).abs() / numbers
    assert OUTPUT / 1.01 < float(moved.max()) < OUTPUT
    assert float(moved.max()) < ROUNDING[torch.bfloat16]


def test_sums_just_above_a_power_of_two_are_not_certified_wrongly(monkeypatch):
    monkeypatch.setattr(certified, "choose_precision", lambda *_: "bfloat16")
    x = mirrored(
        np.stack(
            [
                row(np.arange(1, 541), []),
                row(np.arange(1, 535), np.arange(1, 7)),  # product 534 - 12 = 522, written as 520
                row(np.r_[np.arange(1, 527), 545], np.arange(1, 5)),  # 526 - 8 = 518, as 520
            ]
        )
    )
    expected = knn(x, 1, engine="reference").indices
    assert knn(x, 1, engine="certified").indices.tolist() == expected.tolist()


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(516, 580), st.integers(1, 4))
def test_the_bound_holds_for_features_of_few_values(seed, filled, k):
    generator = np.random.default_rng(seed)
    rows = [
        row(np.arange(1, filled + 1), generator.choice(np.arange(1, filled + 1), at, replace=False))
        for at in generator.integers(0, 12, size=8)
    ]
    x = mirrored(np.stack(rows))
    product = Product(np.eye(600)[0], precision="bfloat16", device=CPU)
    block = product.empty(len(x))
    known = product.prepare(x, block)
    out = torch.empty(len(x), len(x))
    product(block, block, out)
    truth = x.astype(np.float64) @ x.T.astype(np.float64)
    wrong = np.abs(out.numpy() - truth).max(axis=1)
    assert (wrong <= product.tolerance(*known, known)).all()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certified, "choose_precision", lambda *_: "bfloat16")
        found = knn(x, k, engine="certified")
    expected = knn(x, k, engine="reference")
    # neighbours may differ among equals only
    np.testing.assert_allclose(found.weights, expected.weights, atol=3e-7)
