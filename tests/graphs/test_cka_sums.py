"""CKA from Gram matrices, against the definitions written out with sums over indices."""

from itertools import combinations, permutations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs.cka_sums import CkaSums, Gram, feature_gram
from graphs.errors import ActivationError, GraphError


def features(n, values, seed=0):
    return np.random.default_rng(seed).normal(size=(n, values))


def unbiased_hsic(x, y):
    """The U-statistic itself: the kernel of four samples, averaged over all of them."""
    k, l = x @ x.T, y @ y.T  # noqa: E741
    n, total = len(x), 0.0
    for i, j, q, r in permutations(range(n), 4):
        total += k[i, j] * (l[i, j] + l[q, r] - 2 * l[i, q])
    return total / (n * (n - 1) * (n - 2) * (n - 3))


def biased_hsic(x, y):
    n = len(x)
    h = np.eye(n) - np.ones((n, n)) / n
    return np.trace(x @ x.T @ h @ y @ y.T @ h) / (n - 1) ** 2


def summed(*layers, batches=None, estimator="unbiased"):
    sums = CkaSums(len(layers), estimator=estimator)
    for rows in batches or [slice(None)]:
        sums.add([feature_gram(layer[rows]) for layer in layers])
    return sums


@pytest.mark.parametrize(
    ("estimator", "definition"), [("unbiased", unbiased_hsic), ("biased", biased_hsic)]
)
@pytest.mark.parametrize("n", [4, 5, 8])
def test_hsic_is_that_of_the_definition(estimator, definition, n):
    layers = [features(n, 3) + 2, features(n, 6, seed=1), features(n, 3) ** 2]
    expected = np.array([[definition(x, y) for y in layers] for x in layers])
    sums = summed(*layers, estimator=estimator)
    np.testing.assert_allclose(sums.hsic(), expected, rtol=1e-10, atol=1e-10)
    own = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(sums.cka(), expected / np.outer(own, own), atol=1e-8)


def test_batches_give_the_hsic_of_all_samples_on_average():
    """Exactly: the mean over all ways to split 8 samples into two batches of 4."""
    x, y = features(8, 3), features(8, 2, seed=1)
    found = []
    for first in combinations(range(8), 4):
        second = sorted(set(range(8)) - set(first))
        found.append(summed(x, y, batches=[list(first), second]).hsic())
    assert len(found) == comb(8, 4)
    np.testing.assert_allclose(np.mean(found, axis=0), summed(x, y).hsic(), atol=1e-12)


def test_batches_count_by_their_samples():
    x, y = features(14, 3), features(14, 2, seed=1)
    parts = [slice(0, 4), slice(4, 14)]
    one, other = (summed(x[part], y[part]).hsic() for part in parts)
    both = summed(x, y, batches=parts).hsic()
    np.testing.assert_allclose(both, (4 * one + 10 * other) / 14, atol=1e-12)


@settings(max_examples=40)
@given(
    n=st.integers(4, 12),
    seed=st.integers(0, 999),
    exponents=st.tuples(st.integers(-100, 100), st.integers(-100, 100)),
    shift=st.floats(-1e3, 1e3),
)
def test_scale_rotation_and_shift_change_nothing(n, seed, exponents, shift):
    x, y = features(n, 5, seed), features(n, 4, seed + 1)
    turn = np.linalg.qr(features(5, 5, seed + 2))[0]
    expected = summed(x, y).cka()
    assert (expected == expected.T).all()
    assert (np.abs(expected) <= 1).all()
    changed = summed((x @ turn + shift) * 10.0 ** exponents[0], y * 10.0 ** exponents[1])
    np.testing.assert_allclose(changed.cka(), expected, atol=1e-8)


@pytest.mark.parametrize("scale", [1e30, 1e-30, 1e150, 1e-150, 1e300])
def test_features_of_any_scale_neither_overflow_nor_vanish(scale):
    x, y = features(9, 4), features(9, 3, seed=1)
    found = summed(x * scale, y, batches=[slice(0, 4), slice(4, 9)]).cka()
    np.testing.assert_allclose(found, summed(x, y, batches=[slice(0, 4), slice(4, 9)]).cka())


def test_batches_of_different_scale_are_weighed_by_it():
    """HSIC is summed before it is divided: the later batch decides, the first is nothing."""
    x, y = features(10, 3), features(10, 3, seed=1)
    grown = np.ones((10, 1))
    grown[5:] = 1e40
    parts = [slice(0, 5), slice(5, 10)]
    expected = summed(x[5:], y[5:]).cka()
    for order in (parts, parts[::-1]):
        np.testing.assert_allclose(summed(x * grown, y * grown, batches=order).cka(), expected)


def test_wide_layers_are_multiplied_some_columns_at_a_time(monkeypatch):
    x = (features(6, 40) * np.logspace(-20, 20, 40)).astype(np.float32)
    whole = feature_gram(x)
    monkeypatch.setattr("graphs.cka_sums.CHUNK_BYTES", 6 * 8 * 7)
    parts = feature_gram(x)
    assert whole.exponent == parts.exponent
    np.testing.assert_allclose(parts.values, whole.values, rtol=1e-12)
    centred = x.astype(np.float64) - x.astype(np.float64).mean(axis=0)
    product = centred @ centred.T
    np.testing.assert_allclose(whole.values * 4.0**whole.exponent, product, rtol=1e-9)


def test_features_far_from_zero_keep_their_digits():
    x, y = features(12, 3), features(12, 3, seed=1)
    x, y = np.round(x * 1024) / 1024, np.round(y * 1024) / 1024  # so that the shift is exact
    np.testing.assert_allclose(summed(x + 2**30, y).cka(), summed(x, y).cka(), atol=1e-12)


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e30])
def test_a_layer_that_does_not_vary_has_no_cka(constant):
    x = features(9, 3)
    found = summed(x, np.full((9, 4), constant), batches=[slice(0, 4), slice(4, 9)]).cka()
    assert np.isnan(found[1]).all()
    assert np.isnan(found[:, 1]).all()
    assert found[0, 0] == 1.0


def test_one_sample_that_differs_is_no_structure():
    """Centring takes it away but for rounding: a quotient of rounding errors is no answer."""
    x = np.full((9, 3), 0.3)
    x[4] = [0.1, 0.7, 0.9]
    assert np.isnan(summed(x, features(9, 3)).cka()[0]).all()


def test_a_batch_without_variation_adds_nothing():
    x, y = features(10, 3), features(10, 3, seed=1)
    x[:5] = 1.0
    found = summed(x, y, batches=[slice(0, 5), slice(5, 10)]).cka()
    assert np.isfinite(found).all()


def test_more_features_than_samples_do_not_feign_similarity():
    x, y = features(32, 4000), features(32, 4000, seed=1)
    assert summed(x, y, estimator="biased").cka()[0, 1] > 0.9
    assert abs(summed(x, y).cka()[0, 1]) < 0.2


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none(bad):
    x = features(5, 3)
    x[2, 1] = bad
    with pytest.raises(ActivationError, match="the features hold NaN or infinity"):
        feature_gram(x)


@pytest.mark.parametrize(
    ("sizes", "estimator", "said"),
    [
        ((3, 3), "unbiased", "unbiased estimator of HSIC needs at least 4 samples, there are 3"),
        ((1, 1), "biased", "biased estimator of HSIC needs at least 2 samples, there are 1"),
        ((5, 6), "unbiased", r"2 Gram matrices of \[5, 6\] samples where 2 layers"),
        ((5, 5, 5), "unbiased", "3 Gram matrices of .* where 2 layers"),
    ],
)
def test_batches_that_do_not_fit(sizes, estimator, said):
    sums = CkaSums(2, estimator=estimator)
    with pytest.raises(GraphError, match=said):
        sums.add([Gram(values=np.ones((size, size)), exponent=0) for size in sizes])
