"""Images of samples, small: one picture that holds them all, as a data URI."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from graphs.errors import DataError, StratagraphError
from pipeline.data import ImageData
from pipeline.opening import open_images
from pipeline.pruning.subject import recorded_options
from pipeline.report.opening import Reported

SIDE = 48  # pixels at most; smaller images stay as they are
COLUMNS = 40
QUALITY = 80
LOSSLESS = 16  # pixels up to which PNG is as small, and JPEG would blur
READ = 256  # images at a time


@dataclass(frozen=True, kw_only=True)
class Sprite:
    """Images side by side.

    Attributes
    ----------
    uri : str
        The picture.
    side : int
        Pixels of an image, both ways.
    columns, rows : int
        Images in a row, and rows.
    place : dict of int to int
        Where the image of a sample is, counted row by row.
    """

    uri: str
    side: int
    columns: int
    rows: int
    place: dict[int, int]


def open_recorded(item: Reported) -> ImageData:
    """Open the images of a run where its record says they are.

    Raises
    ------
    DataError
        When they are not there any more, or are not those of the run.
    """
    network, images, _ = recorded_options(item.parameters)
    try:
        data = open_images(network, images)
        same = data.digest() == item.parameters["data"]
    except StratagraphError as error:
        raise DataError(error.problem, error.remedy) from error
    if not same:
        raise DataError(
            f"the images in {images.data or images.dataset} are not those of the run",
            "put them back",
        )
    return data


def make_sprite(data: ImageData, samples: Sequence[int]) -> Sprite:
    """Put the images of samples together.

    Parameters
    ----------
    data : ImageData
        Where they are read.
    samples : sequence of int
        Positions in the data set, not empty; one that comes twice is drawn once.

    Raises
    ------
    DataError
        When an image cannot be read.
    """
    wanted = list(dict.fromkeys(samples))
    side = min(SIDE, max(data.source.shape[1:]))
    columns = min(COLUMNS, len(wanted))
    rows = -(-len(wanted) // columns)
    sheet = Image.new("RGB", (columns * side, rows * side))
    for begin in range(0, len(wanted), READ):
        for offset, pixels in enumerate(data.raw(wanted[begin : begin + READ])):
            row, column = divmod(begin + offset, columns)
            image = _shrink(pixels, side)
            corner = ((side - image.width) // 2, (side - image.height) // 2)
            sheet.paste(image, (column * side + corner[0], row * side + corner[1]))
    place = {sample: position for position, sample in enumerate(wanted)}
    return Sprite(uri=_encode(sheet, side), side=side, columns=columns, rows=rows, place=place)


def _shrink(pixels: NDArray[np.uint8], side: int) -> Image.Image:
    grey = pixels.shape[2] == 1
    image = Image.fromarray(pixels[:, :, 0] if grey else pixels[:, :, :3]).convert("RGB")
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return image


def _encode(sheet: Image.Image, side: int) -> str:
    buffer = io.BytesIO()
    if side <= LOSSLESS:
        kind = "png"
        sheet.save(buffer, "PNG", optimize=True)
    else:
        kind = "jpeg"
        sheet.save(buffer, "JPEG", quality=QUALITY, subsampling=0, optimize=True)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
