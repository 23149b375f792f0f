"""Rank correlation against its definition."""

import numpy as np
import pytest

from graphs.correlations import rank_correlation

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


def test_kendall_by_counting_pairs():
    left, right = np.random.default_rng(1).normal(size=(2, 15))
    agreeing = [
        np.sign(left[i] - left[j]) * np.sign(right[i] - right[j])
        for i in range(15)
        for j in range(i)
    ]
    expected = sum(agreeing) / (15 * 14 / 2)
    assert rank_correlation(left, right, kind="kendall") == pytest.approx(expected)
