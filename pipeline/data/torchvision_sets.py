"""CIFAR and MNIST from files that torchvision reads; nothing is downloaded."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torchvision import datasets

from graphs.errors import DataError
from pipeline.data.arrays import ArraySource, build_array_source


@dataclass(frozen=True)
class TorchvisionSet:
    """How torchvision calls a data set.

    Attributes
    ----------
    reader : callable
        The class in ``torchvision.datasets``.
    folder : str
        What must lie in the data folder.
    """

    reader: Callable[..., Any]
    folder: str


SETS = {
    "cifar10": TorchvisionSet(datasets.CIFAR10, "cifar-10-batches-py"),
    "cifar100": TorchvisionSet(datasets.CIFAR100, "cifar-100-python"),
    "mnist": TorchvisionSet(datasets.MNIST, "MNIST/raw"),
    "fashion-mnist": TorchvisionSet(datasets.FashionMNIST, "FashionMNIST/raw"),
}


def open_torchvision(path: Path, *, dataset: str, split: str) -> ArraySource:
    """Read a set that lies in `path`.

    Parameters
    ----------
    path : Path
        The folder that torchvision calls ``root``.
    dataset : str
        One of `SETS`.
    split : {"train", "test"}
        Which images.

    Raises
    ------
    DataError
        When the files are not there or damaged.
    """
    chosen = SETS[dataset]
    name = chosen.reader.__name__
    try:
        data = chosen.reader(path, train=split == "train", download=False)
    # torchvision reports missing files and failed checksums by RuntimeError, short files by
    # the others.
    except (RuntimeError, OSError, ValueError, AssertionError, EOFError) as error:
        there = (path / chosen.folder).is_dir()
        state = f"is damaged or incomplete ({error})" if there else "is not there"
        raise DataError(
            f"{path / chosen.folder} {state}",
            f"get it with torchvision.datasets.{name}({str(path)!r}, download=True), or choose the "
            "folder with --data; Parquet files are read with --dataset parquet",
        ) from error
    names = None if dataset == "mnist" else data.classes
    return build_array_source(
        np.asarray(data.data), np.asarray(data.targets), label_names=names, where=str(path)
    )
