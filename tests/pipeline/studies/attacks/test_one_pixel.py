import numpy as np
import pytest

from pipeline.studies.attacks.one_pixel import OnePixel, paint


def network(needed):
    """Class 0 while the sum of the pixels is below `needed`; counts what it is asked."""
    calls = []

    def predict(images):
        calls.append(len(images))
        score = needed - images.sum(axis=(1, 2, 3))
        return np.stack([score, -score], axis=1).astype(np.float32)

    return predict, calls


def attack(predict, image, **options):
    return OnePixel(**options).attack(predict, image, 0, generator=np.random.default_rng(3))


def test_the_first_image_that_is_wrong_ends_it():
    predict, calls = network(0.5)
    image = np.zeros((1, 5, 6), np.float32)
    found = attack(predict, image)
    changed = found[found != image]
    assert len(changed) == 1
    assert changed[0] > 0.5
    np.testing.assert_allclose(changed * 255, np.round(changed * 255), atol=1e-4)
    assert calls == [400]


def test_a_generation_is_a_population_and_an_image_that_holds_comes_back():
    predict, calls = network(1.5)  # more than a pixel can give
    image = np.zeros((1, 5, 6), np.float32)
    assert np.array_equal(attack(predict, image, generations=3, population=20), image)
    assert calls == [20] * 4


def test_a_network_that_is_sure_is_searched_to_the_end():
    """Its probability is 1 in float32 for every candidate, and does not tell them apart."""

    def predict(images):
        calls.append(len(images))
        score = 40 - images[:, 0].max(axis=(1, 2))
        asked.append(score)
        return np.stack([score, -score], axis=1).astype(np.float32)

    calls, asked = [], []
    image = np.zeros((1, 5, 6), np.float32)
    attack(predict, image, generations=5, population=20)
    assert calls == [20] * 6
    assert asked[-1].mean() < asked[0].mean()  # brighter than the first ones: what it looks for


def test_several_pixels():
    predict, _ = network(1.9)
    image = np.zeros((1, 5, 6), np.float32)
    changed = attack(predict, image, pixels=2)
    assert (changed != 0).sum() == 2
    assert changed.sum() > 1.9


def test_the_search_gets_nearer():
    """Two bright channels at one of 400 places: 60 first candidates do not meet it."""

    def predict(images):
        score = 1.6 - images[:, :2, 7, 11].sum(axis=1)
        # how near the pixel is shows in the score, as in a network with wide filters
        rows, columns = np.divmod(images[:, 0].reshape(len(images), -1).argmax(axis=1), 20)
        score += 0.02 * (np.abs(rows - 7) + np.abs(columns - 11))
        return np.stack([score, -score], axis=1)

    image = np.zeros((2, 20, 20), np.float32)
    assert np.array_equal(attack(predict, image, population=60, generations=1), image)
    found = attack(predict, image, population=60, generations=100)
    assert np.argwhere(found[0]).tolist() == [[7, 11]]


@pytest.mark.parametrize("end", [0.0, 1.0])
def test_the_ends_of_the_ranges_are_pixels(end):
    genes = np.array([[end * 4, end * 3, end, 1 - end]])
    painted = paint(np.full((2, 4, 3), 0.3, np.float32), genes)[0]
    corner = painted[:, -1, -1] if end else painted[:, 0, 0]
    assert corner.tolist() == [end, 1 - end]
    assert (painted == np.float32(0.3)).sum() == 2 * 11


def test_a_later_pixel_covers_an_earlier_one():
    painted = paint(np.zeros((1, 2, 2), np.float32), np.array([[0, 0, 1.0, 0, 0, 0.2]]))
    assert painted.ravel().tolist() == [np.float32(0.2), 0, 0, 0]
