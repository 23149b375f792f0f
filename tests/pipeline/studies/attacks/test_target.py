import numpy as np
import pytest

from graphs.errors import DataError, ModelError
from pipeline.data import from_arrays, load_data
from pipeline.studies.attacks.scene import check_pixels
from pipeline.studies.attacks.target import Target


def test_the_normalisation_is_part_of_the_network(open_named):
    """Pixels give the logits that normalised images give."""
    scene = open_named("nearest_mean", normalize="0.2/0.5")
    digits = load_data("digits", normalize="0.2/0.5")
    normalised = scene.target.model(digits.images(np.arange(300))).numpy()
    pixels = scene.raw.images(np.arange(300)).numpy()
    assert pixels.min() == 0.0
    assert pixels.max() == 1.0
    np.testing.assert_allclose(scene.target.logits(pixels), normalised, atol=1e-5)
    assert scene.target.predict(pixels).tolist() == normalised.argmax(axis=1).tolist()


def test_a_network_that_is_no_classifier(open_named):
    with pytest.raises(ModelError, match="Sequential gives no table of logits"):
        open_named("no_logits")


def test_images_that_were_normalised_already():
    x = np.linspace(-1, 2, 4 * 64, dtype=np.float32).reshape(4, 1, 8, 8)
    with pytest.raises(DataError, match="arrays go from -1 to 2, attacks need pixels in 0 to 1"):
        check_pixels(from_arrays(x, [0, 1, 0, 1]))
    check_pixels(from_arrays(np.full((2, 8, 8), 255, np.uint8), [0, 1]))


def test_a_negative_seed(open_named):
    with pytest.raises(DataError, match="seed=-1 is negative"):
        open_named("nearest_mean", seed=-1)


def test_few_images_at_a_time_where_memory_is_small(scene):
    """64 + 64 + 64 + 10 values of 4 bytes in four layers, with as many for the gradient."""
    model, data = scene.target.model, scene.data
    sizes = {
        memory: Target(model, data, scene.target.device, memory=memory).size
        for memory in (1, 20_000, 10**9)
    }
    assert sizes == {1: 1, 20_000: 20_000 // (2 * 4 * (64 + 64 + 64 + 10)), 10**9: 256}
    small = Target(model, data, scene.target.device, memory=20_000)
    pixels = scene.raw.images(np.arange(50)).numpy()
    assert small.predict(pixels).tolist() == scene.target.predict(pixels).tolist()
