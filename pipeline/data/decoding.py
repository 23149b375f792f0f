"""Encoded images (PNG, JPEG, ...) to uint8 arrays of one shape."""

import io
import os
import struct
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from graphs.errors import DataError

GREY_MODES = ("1", "L", "LA", "La", "I;16", "I;16L", "I;16B", "I;16N")
# Below this many pixels a thread costs more than the decoding.
THREADS_FROM_PIXELS = 96 * 96
MAX_THREADS = 8


@dataclass(frozen=True)
class EncodedImage:
    """One encoded image and the words that name it in a message."""

    content: bytes | Path
    where: str


@dataclass(frozen=True)
class ResizeCrop:
    """Shorter side to `resize` pixels (bilinear, antialiased), then the central `crop` square."""

    resize: int
    crop: int

    def __call__(self, image: Image.Image) -> Image.Image:
        """Resize and crop one image."""
        # Here because torchvision takes a second or two to import, and few sets need it.
        from torchvision import transforms

        steps = transforms.Compose(
            [transforms.Resize(self.resize), transforms.CenterCrop(self.crop)]
        )
        prepared: Image.Image = steps(image)
        return prepared


@dataclass(frozen=True)
class ImageDecoder:
    """Decodes images to one shape.

    Attributes
    ----------
    shape : tuple of int
        Channels (1 or 3), height and width that every image must have.
    prepare : ResizeCrop, optional
        Brings images of different sizes to one size.
    """

    shape: tuple[int, int, int]
    prepare: ResizeCrop | None = None

    def __call__(self, encoded: EncodedImage) -> NDArray[np.uint8]:
        """Decode one image to uint8 (H, W, C).

        Raises
        ------
        DataError
            When it cannot be read, has another size, or has colour in a set of grey images.
        """
        pixels = _decode(encoded, channels=self.shape[0], prepare=self.prepare)
        height, width = self.shape[1:]
        if pixels.shape[:2] != (height, width):
            raise DataError(
                f"{encoded.where} is {pixels.shape[0]}x{pixels.shape[1]} pixels, the first image "
                f"{height}x{width}",
                "bring all images to one size: --image-size",
            )
        return pixels

    def decode_all(self, encoded: Sequence[EncodedImage]) -> NDArray[np.uint8]:
        """Decode images to uint8 (b, H, W, C), large ones in several threads."""
        channels, height, width = self.shape
        if height * width < THREADS_FROM_PIXELS or len(encoded) < MAX_THREADS:
            decoded = [self(one) for one in encoded]
        else:
            with ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1)) as threads:
                decoded = list(threads.map(self, encoded))
        if not decoded:
            return np.zeros((0, height, width, channels), dtype=np.uint8)
        return np.stack(decoded)


def probe_decoder(
    first: EncodedImage, *, channels: int | None, prepare: ResizeCrop | None
) -> ImageDecoder:
    """Take the shape of a data set from its first image.

    Parameters
    ----------
    first : EncodedImage
        The first image of the set.
    channels : int, optional
        3 decodes everything to RGB; 1 wants grey images; by default the first image decides.
    prepare : ResizeCrop, optional
        Applied to every image.

    Raises
    ------
    DataError
        When the image cannot be read or its channels are not the ones asked for.
    """
    pixels = _decode(first, channels=channels, prepare=prepare)
    height, width, found = pixels.shape
    return ImageDecoder((found, height, width), prepare)


def _decode(
    encoded: EncodedImage, *, channels: int | None, prepare: ResizeCrop | None
) -> NDArray[np.uint8]:
    try:
        content = encoded.content
        data = content if isinstance(content, bytes) else content.read_bytes()
        with Image.open(io.BytesIO(data)) as image:
            converted = _convert(image, encoded.where, channels=channels)
        prepared = prepare(converted) if prepare else converted
        pixels = np.array(prepared, dtype=np.uint8)
    # What Pillow raises depends on the format and on the damaged byte.
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, IndexError) as error:
        reason = str(error).split(" <_io.")[0]
        raise DataError(
            f"{encoded.where} is no readable image ({reason})", "replace or remove it"
        ) from error
    except Image.DecompressionBombError as error:
        raise DataError(f"{encoded.where} is too large ({error})", "make it smaller") from error
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def _convert(image: Image.Image, where: str, *, channels: int | None) -> Image.Image:
    if image.mode in ("I", "F"):
        raise DataError(
            f"{where} has 32-bit pixels (mode {image.mode})", "save it with 8 bits a channel"
        )
    grey = image.mode in GREY_MODES
    if channels == 1 and not grey:
        raise DataError(
            f"{where} has colour (mode {image.mode}) where 1 channel is expected",
            "convert all images to one mode, RGB or grey",
        )
    if image.mode.startswith("I;16"):
        # Pillow's own conversion clips 16-bit values at 255.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("L" if grey and channels != 3 else "RGB")
