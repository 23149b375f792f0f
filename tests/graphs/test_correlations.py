"""Rank correlation against its definition."""

from itertools import permutations

import numpy as np
import pytest

from graphs.correlations import FEW, correlation_interval, rank_correlation
from graphs.errors import GraphError

NAN = float("nan")


@pytest.mark.parametrize(
    ("left", "right", "rho", "tau"),
    [
        ([1, 2, 3], [3, 2, 1], -1.0, -1.0),
        ([1, 2, 3, 4], [1, 2, 4, 3], 1 - 6 * (1 + 1) / (4 * (4**2 - 1)), (5 - 1) / 6),
        ([1, 2, NAN, 3, 4], [1, 2, 9, 4, 3], 1 - 6 * (1 + 1) / (4 * (4**2 - 1)), (5 - 1) / 6),
        ([1, NAN, 3], [1, 2, 3], NAN, NAN),
        ([1, 1, 1], [1, 2, 3], NAN, NAN),
        ([1, 2, 3], [0, 0, 0], NAN, NAN),
        ([1, 2], [1, 2], NAN, NAN),
        ([1, 2, np.inf], [1, 2, 3], NAN, NAN),
        ([], [], NAN, NAN),
    ],
)
def test_small_cases(left, right, rho, tau):
    assert rank_correlation(left, right) == pytest.approx(rho, nan_ok=True)
    assert rank_correlation(left, right, kind="kendall") == pytest.approx(tau, nan_ok=True)


def test_spearman_by_the_definition():
    left, right = np.random.default_rng(0).normal(size=(2, 20))
    ranks = [np.argsort(np.argsort(values)) for values in (left, right)]
    expected = 1 - 6 * ((ranks[0] - ranks[1]) ** 2).sum() / (20 * (20**2 - 1))
    assert rank_correlation(left, right) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("pairs", "orders", "of"), [(3, 1, 6), (4, 4, 24), (5, 8, 120), (6, 21, 720)]
)
def test_how_often_few_pairs_reach_0_8_by_chance(pairs, orders, of):
    found = [rank_correlation(range(pairs), order) for order in permutations(range(pairs))]
    assert (sum(rho >= 0.8 for rho in found), len(found)) == (orders, of)
    assert (orders / of < 0.05) == (pairs >= FEW)


def test_kendall_by_counting_pairs():
    left, right = np.random.default_rng(1).normal(size=(2, 15))
    agreeing = [
        np.sign(left[i] - left[j]) * np.sign(right[i] - right[j])
        for i in range(15)
        for j in range(i)
    ]
    expected = sum(agreeing) / (15 * 14 / 2)
    assert rank_correlation(left, right, kind="kendall") == pytest.approx(expected)


@pytest.mark.parametrize("right", [[1, 2], [[1, 2, 3]]])
def test_values_that_are_no_pairs(right):
    with pytest.raises(GraphError, match="are no pairs"):
        rank_correlation([1, 2, 3], right)


def test_an_interval_holds_the_value_and_is_narrower_with_more_pairs():
    generator = np.random.default_rng(0)
    widths = []
    for count in (12, 200):
        left = generator.normal(size=count)
        right = left + generator.normal(size=count)
        low, high = correlation_interval(left, right)
        assert low < rank_correlation(left, right) < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2
    assert np.isnan(correlation_interval([1, 2], [1, 2])).all()
