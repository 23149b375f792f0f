from math import sqrt

import pytest

from graphs.proportions import wilson_interval

Z = 1.959963984540054  # of 95 %


@pytest.mark.parametrize(("right", "count"), [(0, 7), (7, 7), (932, 1017), (1, 2)])
def test_wilsons_formula(right, count):
    p = right / count
    middle = (p + Z**2 / (2 * count)) / (1 + Z**2 / count)
    half = Z * sqrt(p * (1 - p) / count + Z**2 / (4 * count**2)) / (1 + Z**2 / count)
    assert wilson_interval(right, count) == pytest.approx((middle - half, middle + half), abs=1e-12)


def test_surer_is_wider():
    (low, high), (lower, higher) = wilson_interval(5, 9), wilson_interval(5, 9, level=0.99)
    assert lower < low < high < higher
