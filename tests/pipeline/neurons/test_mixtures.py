import numpy as np
import pytest
import torch

from graphs.errors import DataError
from pipeline.data import from_arrays, load_data
from pipeline.neurons.mixtures import MIXTURES, mix


@pytest.fixture(scope="module")
def digits():
    return load_data("digits")


def _everything(data):
    return data.images(np.arange(len(data))).numpy()


@pytest.mark.parametrize(
    ("mixture", "shape"),
    [
        ("none", (1, 8, 8)),
        ("halves-same", (1, 8, 8)),
        ("halves-diff", (1, 8, 8)),
        ("stacked-same", (2, 8, 8)),
        ("stacked-diff", (2, 8, 8)),
        ("random-labels", (1, 8, 8)),
        ("small", (1, 7, 7)),
    ],
)
def test_shapes(digits, mixture, shape):
    mixed = mix(digits, mixture)
    assert mixed.input_shape == shape
    assert _everything(mixed).shape == (len(digits), *shape)
    assert mixed.label_names == digits.label_names
    assert set(np.unique(mixed.labels)) == set(range(10))


def test_stacks_hold_the_images_that_their_labels_say(digits):
    images = _everything(digits)
    for mixture in ("stacked-same", "stacked-diff"):
        mixed = mix(digits, mixture, seed=3)
        pairs = _everything(mixed)
        assert np.array_equal(pairs[:, :1], images)
        # find the partner by its pixels
        flat = images.reshape(len(images), -1)
        distance = np.abs(pairs[:, 1].reshape(len(pairs), 1, -1)[:50] - flat[None]).sum(axis=2)
        partner = digits.labels[distance.argmin(axis=1)]
        own = digits.labels[:50]
        expected = own if mixture == "stacked-same" else (own + partner) % 10
        assert mixed.labels[:50].tolist() == expected.tolist()
        assert mixture == "stacked-diff" or partner.tolist() == own.tolist()


def test_halves_are_means_of_columns():
    images = np.arange(2 * 4 * 4, dtype=np.float32).reshape(2, 1, 4, 4)
    mixed = mix(from_arrays(images, [0, 1]), "halves-same")  # each is its own only partner
    left = (images[..., ::2] + images[..., 1::2]) / 2
    assert np.array_equal(_everything(mixed), np.concatenate([left, left], axis=-1))


def test_small_images_keep_their_brightness():
    mixed = mix(from_arrays(np.full((2, 28, 28), 51, np.uint8), [0, 1]), "small")
    assert torch.allclose(mixed.images([0, 1]), torch.full((2, 1, 7, 7), 0.2))


def test_seeds(digits):
    first, again, other = (mix(digits, "random-labels", seed=seed) for seed in (1, 1, 2))
    assert first.digest() == again.digest() != other.digest()
    # right by chance alone: 596 images, 10 classes
    assert (first.labels == digits.labels).mean() < 0.2


def test_what_is_refused(digits):
    with pytest.raises(DataError, match="mixture 'thirds'"):
        mix(digits, "thirds")
    with pytest.raises(DataError, match="7 pixels wide have no halves"):
        mix(mix(digits, "small"), "halves-same")
    assert len(MIXTURES) == 7
