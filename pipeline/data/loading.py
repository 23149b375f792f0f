"""load_data: from the words of the command line to images."""

from pathlib import Path
from typing import Literal, get_args

from graphs.errors import DataError
from pipeline.data.arrays import open_digits, open_npz
from pipeline.data.images import ImageData, ImageSource
from pipeline.data.normalization import STATISTICS, parse_normalization
from pipeline.near_names import near_names

DatasetName = Literal[
    "digits",
    "cifar10",
    "cifar100",
    "mnist",
    "fashion-mnist",
    "imagenet",
    "imagenet50",
    "imagefolder",
    "parquet",
    "arrays",
]
DATASETS: tuple[str, ...] = get_args(DatasetName)
# Sets that are whole and fixed: they have these splits and no others.
FIXED_SPLITS = ("train", "test")
TORCHVISION = ("cifar10", "cifar100", "mnist", "fashion-mnist")
SIZED = ("imagefolder", "parquet")


def load_data(
    dataset: str,
    *,
    path: str | Path | None = None,
    split: str = "test",
    normalize: str = "auto",
    channels: int | None = None,
    size: int | None = None,
) -> ImageData:
    """Open a data set; images are decoded when they are asked for.

    Parameters
    ----------
    dataset : str
        One of `DATASETS`.
    path : str or Path, optional
        Where the files are; every set but ``digits`` needs it.
    split : str
        ``train`` or ``test``; folders and Parquet files may have others. A single Parquet file
        or a pair ``x``, ``y`` is read whatever the split; a note says so where the file's name
        begins with another.
    normalize : str
        A name or numbers (see `parse_normalization`); ``auto`` takes the statistics of the set
        where it has some, else none.
    channels : int, optional
        Channels that the model needs, 1 or 3: grey images are repeated over 3.
    size : int, optional
        For image files of different sizes: resize the shorter side to so many pixels and crop
        the central square.

    Returns
    -------
    ImageData
        Labels at once, images on demand.

    Raises
    ------
    DataError
        When the set is unknown, not there, unreadable, empty or inconsistent.

    Examples
    --------
    >>> digits = load_data("digits", split="train")
    >>> len(digits), digits.labels[:4].tolist()
    (1201, [0, 1, 2, 3])
    """
    name = dataset.strip().lower()
    if name not in DATASETS:
        near = near_names(name, DATASETS, limit=len(DATASETS))
        raise DataError(f"data set {dataset!r} is unknown", f"choose {', '.join(near)}")
    if channels not in (None, 1, 3):
        raise DataError(f"channels={channels} is not possible", "use 1 or 3")
    _check_size(name, size)
    source = _open(name, _check_path(name, path), split=split, channels=channels, size=size)
    if normalize.strip().lower() == "auto":
        normalize = _own_statistics(name)
    return ImageData(
        name=name,
        split=split,
        source=source,
        normalization=parse_normalization(normalize),
        channels=channels,
    )


def _check_size(name: str, size: int | None) -> None:
    if size is None:
        return
    if name not in SIZED:
        raise DataError(f"{name} has images of one size", "leave out --image-size")
    if size < 1:
        raise DataError(f"--image-size {size} is not possible", "give the side in pixels")


def _check_path(name: str, path: str | Path | None) -> Path | None:
    if name == "digits":
        if path is not None:
            raise DataError(f"digits is built in, {path} would not be read", "leave out --data")
        return None
    if path is None:
        raise DataError(f"data set {name} needs its files", "say where they are with --data PATH")
    place = Path(path).expanduser()
    try:
        place.stat()
    except FileNotFoundError:
        raise DataError(f"{place} does not exist", "check --data") from None
    except OSError as error:
        raise DataError(f"{place} cannot be read ({error.strerror})", "check --data") from error
    return place


def _open(
    name: str, path: Path | None, *, split: str, channels: int | None, size: int | None
) -> ImageSource:
    if (path is None or name in TORCHVISION) and split not in FIXED_SPLITS:
        raise DataError(f"{name} has no split {split!r}", f"choose {' or '.join(FIXED_SPLITS)}")
    if path is None:
        return open_digits(split=split)
    if name == "arrays":
        return open_npz(path, split=split)
    # Imported where they are needed: pyarrow and above all torchvision take their time.
    if name == "parquet":
        from pipeline.data.parquet_images import open_parquet

        return open_parquet(path, split=split, channels=channels, size=size)
    if name in TORCHVISION:
        from pipeline.data.torchvision_sets import open_torchvision

        return open_torchvision(path, dataset=name, split=split)
    from pipeline.data.folders import open_folder, open_imagenet, open_imagenet50

    if name == "imagefolder":
        return open_folder(path, split=split, channels=channels, size=size)
    return (open_imagenet if name == "imagenet" else open_imagenet50)(path, split=split)


def _own_statistics(name: str) -> str:
    if name == "imagenet50":
        return "imagenet"
    return name if name in STATISTICS else "none"
