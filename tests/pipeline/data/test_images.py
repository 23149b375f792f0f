import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from graphs.errors import DataError
from pipeline.data import from_arrays


@pytest.fixture
def grey():
    x = np.random.default_rng(1).integers(0, 256, (6, 4, 4), dtype=np.uint8)
    return from_arrays(x, [0, 1, 2, 0, 1, 2], normalize="0.5/0.25")


def test_map_style(grey):
    image, label = grey[4]
    assert torch.equal(image, grey.images([4])[0])
    assert label == 1
    images, labels = next(iter(DataLoader(grey, batch_size=6)))
    assert torch.equal(images, grey.images(np.arange(6)))
    assert labels.tolist() == grey.labels.tolist()


def test_normalised_float32_contiguous(grey):
    images = grey.images([5, 0])
    expected = (grey.raw([5, 0]).transpose(0, 3, 1, 2).astype(np.float64) / 255 - 0.5) / 0.25
    np.testing.assert_allclose(images.numpy(), expected, atol=1e-6)
    assert images.dtype == torch.float32
    assert images.is_contiguous()


def test_grey_is_repeated_where_the_model_needs_three(grey):
    x = grey.raw(np.arange(6))
    three = from_arrays(x, grey.labels, normalize="imagenet", channels=3)
    assert three.input_shape == (3, 4, 4)
    pixel = x[2, 1, 1, 0] / 255
    expected = [(pixel - 0.485) / 0.229, (pixel - 0.456) / 0.224, (pixel - 0.406) / 0.225]
    np.testing.assert_allclose(three.images([2])[0, :, 1, 1].numpy(), expected, atol=1e-5)
    assert three.raw([2]).shape == (1, 4, 4, 1)


def test_wrong_number_of_channels(colour):
    with pytest.raises(DataError, match="images of arrays have 3 channels, 1 asked for"):
        from_arrays(colour, np.arange(12), channels=1)
    with pytest.raises(DataError, match="'imagenet' has 3 channels, the images have 1"):
        from_arrays(colour[..., 0], np.arange(12), normalize="imagenet")


@pytest.mark.parametrize("index", [-1, 6])
def test_positions_outside(grey, index):
    with pytest.raises(DataError, match=f"sample {index} is not in arrays, which has 6; choose"):
        grey.images([0, index])


def test_raw_of_floats():
    x = np.array([[0.0, 0.5, 1.0], [-1.0, 0.0, 3.0], [0.2, 0.2, 0.2]]).reshape(3, 1, 1, 3)
    raw = from_arrays(x, [0, 1, 2]).raw([0, 1, 2])
    assert raw.dtype == np.uint8
    assert raw.shape == (3, 1, 3, 1)
    # Within [0, 1] as it is, else from its own minimum to its maximum: (0 + 1) / 4 of 255.
    assert raw[:, 0, :, 0].tolist() == [[0, 128, 255], [0, round(255 / 4), 255], [51, 51, 51]]


def test_no_images(grey):
    assert grey.images([]).shape == (0, 1, 4, 4)


def test_digest_notices_every_change(grey):
    x, y = grey.raw(np.arange(6)), grey.labels
    changed = x.copy()
    changed[3, 2, 1, 0] ^= 1
    digests = [
        from_arrays(x, y).digest(),
        from_arrays(changed, y).digest(),
        from_arrays(x, y[::-1].copy()).digest(),
        from_arrays(x, y, label_names=["a", "b", "c"]).digest(),
        from_arrays(x, y, normalize="mnist").digest(),
        from_arrays(x, y, channels=3).digest(),
    ]
    assert len(set(digests)) == len(digests)
    assert digests[0] == from_arrays(x.copy(), y.copy()).digest()
    assert len(digests[0]) == 64
