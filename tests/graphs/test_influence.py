import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs.errors import GraphError
from graphs.influence import angular_distance, block_influence, row_cosines


def definition(before, after):
    """x·y / (|x| |y|), sample by sample, in exact sums."""
    found = []
    for x, y in zip(before.tolist(), after.tolist(), strict=True):
        dot = math.fsum(a * b for a, b in zip(x, y, strict=True))
        found.append(dot / math.sqrt(math.fsum(a * a for a in x) * math.fsum(b * b for b in y)))
    return found


@given(st.integers(1, 200), st.integers(1, 30), st.integers(0, 2**32 - 1))
@settings(max_examples=25)
def test_cosines_are_those_of_the_definition(n, width, seed):
    rng = np.random.default_rng(seed)
    before = rng.normal(size=(n, width)).astype(np.float32)
    after = (before + rng.normal(size=(n, width))).astype(np.float32)
    expected = np.array(definition(before, after))
    cosines = row_cosines(before, after)
    np.testing.assert_allclose(cosines, expected, atol=1e-14)
    assert block_influence(cosines) == pytest.approx(1 - expected.mean(), abs=1e-13)
    angles = [math.acos(max(-1, min(1, value))) / math.pi for value in expected]
    assert angular_distance(cosines) == pytest.approx(np.mean(angles), abs=1e-7)


def test_known_angles():
    before = np.array([[1.0, 0], [1, 0], [1, 0], [1, 0]])
    after = np.array([[2.0, 0], [1, 1], [0, 3], [-1, 0]])
    cosines = row_cosines(before, after)
    np.testing.assert_allclose(cosines, [1, 1 / math.sqrt(2), 0, -1], atol=1e-15)
    assert block_influence(cosines) == pytest.approx(1 - 1 / math.sqrt(2) / 4)
    assert angular_distance(cosines) == pytest.approx((0 + 1 / 4 + 1 / 2 + 1) / 4)


def test_rows_of_zeros_have_no_direction():
    zero, one = [0.0, 0.0], [1.0, 0.0]
    assert row_cosines([zero, zero, one], [zero, one, zero]).tolist() == [1, 0, 0]


@pytest.mark.parametrize("scale", [1e-30, 1e30, 1e200])
def test_scale_does_not_matter(scale):
    rows = np.random.default_rng(0).normal(size=(5, 4))
    np.testing.assert_allclose(row_cosines(rows, rows * scale), 1, atol=1e-14)
    assert block_influence(row_cosines(rows * scale, rows[::-1])) == pytest.approx(
        block_influence(row_cosines(rows, rows[::-1]))
    )


def test_shapes_must_agree():
    with pytest.raises(GraphError, match=r"shapes \(2, 3\) and \(2, 4\) have no angle"):
        row_cosines(np.ones((2, 3)), np.ones((2, 4)))
