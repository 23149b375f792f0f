import io

import numpy as np
import pytest
from PIL import Image

from graphs.errors import DataError
from pipeline.data.decoding import EncodedImage, ImageDecoder, ResizeCrop, probe_decoder


def save(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return EncodedImage(buffer.getvalue(), "sample 3 (a.png)")


GREY = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10


def test_first_image_decides(colour):
    assert probe_decoder(save(Image.fromarray(GREY)), channels=None, prepare=None).shape == (
        1,
        4,
        6,
    )
    first = save(Image.fromarray(colour[0]))
    assert probe_decoder(first, channels=None, prepare=None).shape == (3, 6, 5)


def test_grey_as_colour():
    pixels = ImageDecoder((3, 4, 6))(save(Image.fromarray(GREY)))
    assert np.array_equal(pixels, np.repeat(GREY[:, :, None], 3, axis=2))


def test_alpha_is_dropped(colour):
    alpha = np.full((6, 5, 1), 9, np.uint8)
    encoded = save(Image.fromarray(np.concatenate((colour[0], alpha), axis=2)))
    assert np.array_equal(ImageDecoder((3, 6, 5))(encoded), colour[0])


def test_palette_with_transparency():
    image = Image.fromarray(GREY).convert("P")
    encoded = save(image, transparency=bytes(range(256)))
    assert np.array_equal(ImageDecoder((3, 4, 6))(encoded)[:, :, 0], GREY)


def test_sixteen_bits_keep_their_high_byte():
    values = (np.arange(24, dtype=np.uint16).reshape(4, 6) + 1) * 2500
    decoder = probe_decoder(save(Image.fromarray(values)), channels=None, prepare=None)
    assert decoder.shape == (1, 4, 6)
    assert np.array_equal(decoder(save(Image.fromarray(values)))[:, :, 0], values // 256)


def test_resize_and_crop_centre():
    wide = np.zeros((10, 30), np.uint8)
    wide[:, 10:20] = 200
    decoder = ImageDecoder((1, 10, 10), ResizeCrop(resize=10, crop=10))
    assert (decoder(save(Image.fromarray(wide))) == 200).all()


def test_many_large_images_keep_their_order():
    images = np.random.default_rng(0).integers(0, 256, (40, 100, 100), dtype=np.uint8)
    encoded = [save(Image.fromarray(image)) for image in images]
    assert np.array_equal(ImageDecoder((1, 100, 100)).decode_all(encoded)[..., 0], images)


def test_other_size():
    with pytest.raises(
        DataError, match=r"sample 3 \(a.png\) is 4x6 pixels, the first image 6x5; bring all"
    ):
        ImageDecoder((1, 6, 5))(save(Image.fromarray(GREY)))


def test_colour_among_grey(colour):
    with pytest.raises(DataError, match=r"sample 3 \(a.png\) has colour \(mode RGB\) where 1"):
        ImageDecoder((1, 6, 5))(save(Image.fromarray(colour[0])))


def test_float_pixels():
    with pytest.raises(DataError, match=r"has 32-bit pixels .mode F.; save it with 8 bits"):
        ImageDecoder((1, 4, 6))(save(Image.fromarray(GREY.astype(np.float32)), "TIFF"))


def test_too_large(monkeypatch, colour):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(DataError, match=r"sample 3 \(a.png\) is too large"):
        ImageDecoder((3, 6, 5))(save(Image.fromarray(colour[0])))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF"])
def test_damaged(kind, colour):
    whole = save(Image.fromarray(np.tile(colour[0], (8, 8, 1))), kind).content
    damaged = [b"", b"no image at all", whole[: len(whole) // 2]]
    for content in damaged:
        with pytest.raises(DataError, match=r"sample 3 \(a.png\) is no readable image"):
            ImageDecoder((3, 48, 40))(EncodedImage(content, "sample 3 (a.png)"))


def test_random_damage_is_a_data_error_or_an_image(colour):
    whole = save(Image.fromarray(np.tile(colour[0], (4, 4, 1)))).content
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        content = bytearray(whole)
        content[random.integers(len(content))] ^= int(random.integers(1, 256))
        try:
            ImageDecoder((3, 24, 20))(EncodedImage(bytes(content), "x"))
        except DataError:
            refused += 1
    assert refused > 200


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"x is no readable image .*No such file"):
        ImageDecoder((3, 4, 4))(EncodedImage(tmp_path / "x.png", "x"))
