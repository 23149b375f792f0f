"""Image files in one folder a class."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torchvision.datasets.folder import IMG_EXTENSIONS, make_dataset
from torchvision.models import ResNet18_Weights

from graphs.errors import DataError
from pipeline.data.decoding import EncodedImage, ImageDecoder, ResizeCrop, probe_decoder
from pipeline.data.imagenet50 import IMAGENET50
from pipeline.data.splits import SPLIT_NAMES, refuse_other_splits, split_names

IMAGENET_CLASSES = 1000
# The standard evaluation of ImageNet classifiers (torchvision, models).
IMAGENET_PREPARATION = ResizeCrop(resize=256, crop=224)

READ_BYTES = 1 << 30


@dataclass(frozen=True, kw_only=True, eq=False)
class FolderSource:
    """Images read from their files when asked for.

    Attributes
    ----------
    root : Path
        The folder that holds the class folders.
    files : tuple of str
        Path of each sample relative to `root`.
    labels : ndarray of int64, shape (n,)
        Class of every sample.
    label_names : tuple of str
        Name of each class.
    decoder : ImageDecoder
        Gives every image its shape.
    """

    root: Path
    files: tuple[str, ...]
    labels: NDArray[np.int64]
    label_names: tuple[str, ...]
    decoder: ImageDecoder

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return self.decoder.shape

    def read(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Decode the files at these positions."""
        return self.decoder.decode_all([_name(self.root, self.files, int(i)) for i in indices])

    def digest(self) -> str:
        """SHA-256 of relative paths, classes and contents.

        Of sets above 1 GiB sizes and times stand for the contents: reading them all would take
        longer than a run.
        """
        states = [_state(self.root / file) for file in self.files]
        small = sum(state.st_size for state in states) <= READ_BYTES
        digest = hashlib.sha256()
        for file, label, state in zip(self.files, self.labels.tolist(), states, strict=True):
            digest.update(f"{file}\0{state.st_size}\0{label}\n".encode())
            if small:
                digest.update((self.root / file).read_bytes())
            else:
                digest.update(f"{state.st_mtime_ns}\n".encode())
        return digest.hexdigest()


def _state(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})", "check --data") from error


def _name(root: Path, files: Sequence[str], index: int) -> EncodedImage:
    path = root / files[index]
    return EncodedImage(path, f"sample {index} ({path})")


def open_folder(
    path: Path, *, split: str, channels: int | None = None, size: int | None = None
) -> FolderSource:
    """Open ``PATH/split/class/*.jpg`` or ``PATH/class/*.jpg``.

    Classes are numbered in the order of their names, samples by class and file name. Without
    `size` all images must have the size of the first.

    Parameters
    ----------
    path : Path
        The folder.
    split : str
        ``test`` also finds folders called ``val``, ``valid`` or ``validation``.
    channels : int, optional
        3 reads all images as RGB; by default the first image decides between grey and RGB.
    size : int, optional
        Resize the shorter side to so many pixels and crop the central square.

    Raises
    ------
    DataError
        When the split or its images are missing, or the first image cannot be read.
    """
    root = find_split(path, split=split)
    names = _class_folders(root)
    prepare = ResizeCrop(resize=size, crop=size) if size else None
    return _build(root, names, names, channels=channels, prepare=prepare)


def open_imagenet(path: Path, *, split: str) -> FolderSource:
    """Open ``PATH/val/nXXXXXXXX/*.JPEG`` with all 1,000 classes, at 224x224 pixels.

    Raises
    ------
    DataError
        When the split is missing or has another number of classes: labels would not fit the
        outputs of ImageNet classifiers.
    """
    root = find_split(path, split=split)
    wnids = _class_folders(root)
    if len(wnids) != IMAGENET_CLASSES:
        raise DataError(
            f"{root} has {len(wnids)} class folders, ImageNet has {IMAGENET_CLASSES}",
            "use --dataset imagefolder for a part of it, or imagenet50",
        )
    names = ResNet18_Weights.DEFAULT.meta["categories"]
    return _build(root, wnids, names, channels=3, prepare=IMAGENET_PREPARATION)


def open_imagenet50(path: Path, *, split: str) -> FolderSource:
    """Open the 50 classes of ImageNet50 in an ImageNet folder, at 224x224 pixels.

    Raises
    ------
    DataError
        When the split or one of the 50 folders is missing.
    """
    root = find_split(path, split=split)
    missing = sorted(set(IMAGENET50) - set(_class_folders(root)))
    if missing:
        raise DataError(
            f"{root} lacks {len(missing)} of the 50 class folders ({', '.join(missing[:5])})",
            "put the folders nXXXXXXXX of ImageNet there",
        )
    return _build(root, IMAGENET50, IMAGENET50, channels=3, prepare=IMAGENET_PREPARATION)


def find_split(path: Path, *, split: str) -> Path:
    """Choose the folder of a split; a folder without any split folders is the split itself.

    Raises
    ------
    DataError
        When the path is no folder, or has other splits only.
    """
    folders = {folder.name.lower(): folder for folder in _list(path) if folder.is_dir()}
    for name in split_names(split):
        if name in folders:
            return folders[name]
    refuse_other_splits(path, split=split, found=folders.keys() & SPLIT_NAMES)
    return path


def _list(path: Path) -> list[Path]:
    try:
        return sorted(path.iterdir())
    except NotADirectoryError:
        raise DataError(
            f"{path} is a file, not a folder of class folders", "give the folder"
        ) from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})", "check --data") from error


def _class_folders(root: Path) -> list[str]:
    names = [folder.name for folder in _list(root) if folder.is_dir() and folder.name[0] != "."]
    if not names:
        raise DataError(f"{root} has no class folders", "put the images in one folder a class")
    return names


def _build(
    root: Path,
    folders: Sequence[str],
    label_names: Sequence[str],
    *,
    channels: int | None,
    prepare: ResizeCrop | None,
) -> FolderSource:
    numbers = {folder: number for number, folder in enumerate(folders)}
    found = make_dataset(str(root), numbers, extensions=IMG_EXTENSIONS, allow_empty=True)
    labels = np.array([label for _, label in found], dtype=np.int64)
    empty = set(range(len(folders))) - set(labels.tolist())
    if empty:
        raise DataError(
            f"{root / folders[min(empty)]} has no images ({', '.join(IMG_EXTENSIONS)})",
            "check --data: images are expected in one folder a class, such as test/cat/01.png",
        )
    files = tuple(Path(file).relative_to(root).as_posix() for file, _ in found)
    decoder = probe_decoder(_name(root, files, 0), channels=channels, prepare=prepare)
    return FolderSource(
        root=root, files=files, labels=labels, label_names=tuple(label_names), decoder=decoder
    )
