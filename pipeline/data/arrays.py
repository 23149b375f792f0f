"""Images that lie in memory: arrays handed in, .npz files, scikit-learn's digits."""

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphs.errors import DataError
from pipeline.data.images import ImageData, hash_arrays
from pipeline.data.labels import check_labels, name_classes
from pipeline.data.normalization import parse_normalization
from pipeline.data.splits import note_other_split

LAYOUTS = "uint8 (n, H, W, C) or (n, H, W), or float (n, C, H, W), with C = 1 or 3"
# Every third digit of a class, in the order of the file, is a test image.
DIGITS_TEST_STEP = 3
# A damaged archive ends in one of these, depending on the damaged byte.
ARCHIVE_ERRORS = (
    OSError,
    ValueError,
    EOFError,
    # With NotImplementedError below it: encryption or compression that the flags pretend.
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class ArraySource:
    """Images in one array.

    Attributes
    ----------
    pixels : ndarray
        uint8 (n, H, W, C), or float32 (n, C, H, W).
    labels : ndarray of int64, shape (n,)
        Class of every sample.
    label_names : tuple of str
        Name of each class.
    """

    pixels: NDArray[Any]
    labels: NDArray[np.int64]
    label_names: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        _, a, b, c = self.pixels.shape
        return (c, a, b) if self.pixels.dtype == np.uint8 else (a, b, c)

    def read(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        """Copy the images at these positions."""
        chosen: NDArray[Any] = self.pixels[indices]
        return chosen

    def digest(self) -> str:
        """SHA-256 of pixels, labels and names."""
        return hash_arrays(self.pixels, self.labels, names=self.label_names)


def build_array_source(
    x: NDArray[Any], y: NDArray[Any], *, label_names: Sequence[str] | None = None, where: str
) -> ArraySource:
    """Check a pair of arrays and bring it into the form of `ArraySource`.

    Parameters
    ----------
    x : ndarray
        Images: uint8 (n, H, W, C) or (n, H, W), or float (n, C, H, W) or (n, H, W); C = 1 or 3.
    y : ndarray of int, shape (n,) or (n, 1)
        Classes from 0.
    label_names : sequence of str, optional
        Names of the classes; by default their numbers.
    where : str
        The file, for messages.

    Raises
    ------
    DataError
        When lengths differ, the layout is unknown, or a value is not finite.
    """
    labels = y.reshape(-1) if y.ndim == 2 and y.shape[1] == 1 else y
    if x.ndim < 1 or len(x) != labels.size:
        raise DataError(
            f"{where}: images of shape {x.shape}, labels of shape {y.shape}",
            "give one label an image",
        )
    checked = check_labels(labels, where)
    names = name_classes(checked, label_names, where)
    return ArraySource(pixels=_lay_out(x, where), labels=checked, label_names=names)


def _lay_out(x: NDArray[Any], where: str) -> NDArray[Any]:
    is_bytes, is_float = x.dtype == np.uint8, x.dtype.kind == "f"
    if not (is_bytes or is_float) or x.ndim not in (3, 4) or 0 in x.shape:
        raise DataError(f"the images of {where} are {x.dtype} of shape {x.shape}", f"use {LAYOUTS}")
    channel_axis = 3 if is_bytes else 1
    images = np.expand_dims(x, channel_axis) if x.ndim == 3 else x
    if images.shape[channel_axis] not in (1, 3):
        raise DataError(
            f"the images of {where}, {x.dtype} of shape {x.shape}, have "
            f"{images.shape[channel_axis]} channels",
            f"use {LAYOUTS}",
        )
    if is_bytes:
        return np.ascontiguousarray(images)
    finite = np.isfinite(images).all(axis=(1, 2, 3))
    if not finite.all():
        raise DataError(
            f"sample {int(np.argmin(finite))} of {where} has values that are not finite",
            "remove or mend it",
        )
    return np.ascontiguousarray(images, dtype=np.float32)


def from_arrays(
    images: ArrayLike,
    labels: ArrayLike,
    *,
    label_names: Sequence[str] | None = None,
    normalize: str = "none",
    channels: int | None = None,
) -> ImageData:
    """Wrap arrays or CPU tensors as `ImageData`.

    Parameters
    ----------
    images : array_like
        uint8 (n, H, W, C) or (n, H, W), or float (n, C, H, W) or (n, H, W); C = 1 or 3.
    labels : array_like of int, shape (n,)
        Classes from 0.
    label_names : sequence of str, optional
        Names of the classes; by default their numbers.
    normalize : str
        As `load_data`; floats are usually normalised already.
    channels : int, optional
        As `load_data`.

    Raises
    ------
    DataError
        When the arrays do not fit each other or have an unknown layout.

    Examples
    --------
    >>> data = from_arrays(np.zeros((4, 8, 8), np.uint8), [0, 1, 0, 1])
    >>> len(data), data.input_shape
    (4, (1, 8, 8))
    """
    source = build_array_source(
        np.asarray(images), np.asarray(labels), label_names=label_names, where="the arrays"
    )
    normalization = parse_normalization(normalize)
    return ImageData(
        name="arrays", split="all", source=source, normalization=normalization, channels=channels
    )


def open_npz(path: Path, *, split: str) -> ArraySource:
    """Read ``x`` and ``y`` (and ``label_names``, if there) of an ``.npz`` file.

    Where the file has ``x_train, y_train, x_test, y_test``, the pair of the split is read. A
    file with ``x`` and ``y`` alone is one split, whichever is asked for.

    Raises
    ------
    DataError
        When the file cannot be read or has no such arrays.
    """
    try:
        # Opened here: NumPy leaves the file open when it is no archive.
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise DataError(f"{path} holds one array", "save x and y together: np.savez")
            x, y = _pick_pair(archive, path, split=split)
            names = archive["label_names"].tolist() if "label_names" in archive else None
    except ARCHIVE_ERRORS as error:
        # NumPy's own words advise to load what is no archive unsafely
        reason = "not an archive" if isinstance(error, ValueError) else error
        if isinstance(error, OSError) and error.strerror:
            reason = error.strerror
        remedy = "write it again with np.savez"
        if path.suffix == ".parquet":
            remedy = "use --dataset parquet for it"
        raise DataError(f"{path} is no readable .npz file ({reason})", remedy) from error
    return build_array_source(x, y, label_names=names, where=str(path))


def _pick_pair(
    archive: "np.lib.npyio.NpzFile", path: Path, *, split: str
) -> tuple[NDArray[Any], NDArray[Any]]:
    for suffix in (f"_{split}", ""):
        if f"x{suffix}" in archive and f"y{suffix}" in archive:
            if not suffix:
                note_other_split(path, split=split)
            return archive[f"x{suffix}"], archive[f"y{suffix}"]
    have = ", ".join(archive.files) or "nothing"
    raise DataError(
        f"{path} has {have}, not both x and y", f"save them: np.savez(..., x={LAYOUTS}, y=classes)"
    )


def open_digits(*, split: str) -> ArraySource:
    """scikit-learn's 1,797 handwritten digits of 8x8 pixels, values scaled from 0 ... 16 to [0, 1].

    The split is fixed and stratified: of each class, in the order of the file, samples
    2, 5, 8, ... are test images (596), the others training images (1,201).

    Source: Alpaydin & Kaynak, Optical Recognition of Handwritten Digits (UCI, 1998).
    """
    # Here because scikit-learn takes a second to import.
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    place = np.zeros(len(labels), dtype=np.int64)
    for number in range(10):
        members = labels == number
        place[members] = np.arange(members.sum())
    is_test = place % DIGITS_TEST_STEP == DIGITS_TEST_STEP - 1
    chosen = is_test if split == "test" else ~is_test
    pixels = (images[chosen].reshape(-1, 1, 8, 8) / 16).astype(np.float32)
    names = tuple(str(number) for number in range(10))
    return ArraySource(pixels=pixels, labels=labels[chosen].astype(np.int64), label_names=names)
