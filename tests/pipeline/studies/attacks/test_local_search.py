import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.studies.attacks.local_search import LocalSearch, around, cyclic


def linear(weights, bias):
    """Two classes: 0 where the weighted sum of the pixels is above the bias."""
    calls = []

    def predict(images):
        calls.append(len(images))
        score = (images * weights).sum(axis=(1, 2, 3)) - bias
        return np.stack([score, -score], axis=1).astype(np.float32)

    return predict, calls


def generator():
    return np.random.default_rng(3)


def test_the_pixel_that_decides_is_the_one_that_is_changed():
    """Class 0 as long as the pixel is below 0.75."""
    weights = np.zeros((1, 5, 6))
    weights[0, 2, 4] = -1.0
    predict, calls = linear(weights, -0.75)
    image = np.full((1, 5, 6), 0.7, np.float32)
    found = LocalSearch(t=1, share=1.0).attack(predict, image, 0, generator=generator())
    expected = image.copy()
    expected[0, 2, 4] = (0.7 - 0.5) * 1.5 + 0.5
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert calls == [30, 1]  # every pixel once, then the result


def test_changes_of_earlier_rounds_stay():
    """Two pixels are needed, one is changed a round, the second lies in the square of the first."""
    weights = np.zeros((1, 6, 6))
    weights[0, 2, 2], weights[0, 3, 3] = -1.1, -1.0
    # from 2.1 * 0.7 = 1.47 by the first to 1.1 * 0.8 + 0.7 = 1.58, by both to 2.1 * 0.8 = 1.68
    predict, calls = linear(weights, -1.63)
    image = np.full((1, 6, 6), 0.7, np.float32)
    found = LocalSearch(t=1, d=1, share=1.0).attack(predict, image, 0, generator=generator())
    assert np.argwhere(found != image)[:, 1:].tolist() == [[2, 2], [3, 3]]
    assert calls == [36, 1, 9, 1]


def test_all_channels_of_a_pixel_are_changed():
    predict, _ = linear(np.ones((3, 1, 1)), 1.5)
    image = np.array([0.9, 0.8, 0.95], np.float32).reshape(3, 1, 1)
    found = LocalSearch(share=1.0, rounds=1).attack(predict, image, 0, generator=generator())
    expected = [0.4 * 1.5 - 0.5, 0.3 * 1.5 + 0.5, 0.45 * 1.5 - 0.5]
    np.testing.assert_allclose(found.ravel(), expected, atol=1e-6)


def test_a_tenth_of_the_pixels_first_then_at_most_so_many():
    predict, calls = linear(np.zeros((1, 20, 20)), -1.0)  # always class 0
    LocalSearch(rounds=3, most=50).attack(
        predict, np.full((1, 20, 20), 0.7, np.float32), 0, generator=generator()
    )
    assert calls == [40, 1, 50, 1, 50, 1]


@given(
    st.integers(1, 4), st.integers(1, 5), st.floats(0, 2), st.integers(0, 2**16), st.integers(0, 3)
)
@settings(max_examples=40)
def test_the_result_stays_an_image_and_few_pixels_change(t, rounds, r, seed, d):
    image = np.random.default_rng(seed).random((2, 7, 5), np.float32)
    predict, _ = linear(np.zeros((2, 7, 5)), -1.0)
    search = LocalSearch(t=t, rounds=rounds, r=r, d=d, share=0.5)
    found = search.attack(predict, image, 0, generator=generator())
    again = search.attack(predict, image, 0, generator=generator())
    assert found.dtype == np.float32
    assert found.min() >= -1e-6
    assert found.max() <= 1 + 1e-6
    assert (found != image).any(axis=0).sum() <= t * rounds
    assert np.array_equal(found, again)


@given(st.lists(st.integers(0, 34), min_size=1, max_size=4), st.integers(0, 6))
def test_around_is_every_place_so_near(places, d):
    expected = [
        row * 7 + column
        for row in range(5)
        for column in range(7)
        if any(max(abs(row - p // 7), abs(column - p % 7)) <= d for p in places)
    ]
    assert around(np.array(places), d, shape=(5, 7)).tolist() == expected


@pytest.mark.parametrize(("value", "r", "expected"), [(0.5, 2, 0.0), (-0.5, 2, 0.0), (0.2, 0, 0)])
def test_cyclic(value, r, expected):
    assert cyclic(np.array([value]), r).tolist() == [expected]
