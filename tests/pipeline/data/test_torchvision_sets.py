import hashlib
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import datasets

from graphs.errors import DataError
from pipeline.data import load_data

REAL = os.environ.get("STRATAGRAPH_DATA", "")
needs_data = pytest.mark.skipif(not REAL, reason="needs STRATAGRAPH_DATA")


def write_idx(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    head = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    path.write_bytes(head + values.tobytes())


@pytest.fixture
def mnist(tmp_path):
    """Files in the layout of MNIST, a few random images each."""
    random = np.random.default_rng(0)
    for name, count in (("train", 9), ("t10k", 6)):
        images = random.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        write_idx(tmp_path / f"MNIST/raw/{name}-images-idx3-ubyte", images)
        labels = np.arange(count, dtype=np.uint8)
        write_idx(tmp_path / f"MNIST/raw/{name}-labels-idx1-ubyte", labels)
    return tmp_path


def test_mnist(mnist):
    data = load_data("mnist", path=mnist)
    assert data.input_shape == (1, 28, 28)
    assert data.labels.tolist() == list(range(6))
    assert data.label_names == ("0", "1", "2", "3", "4", "5")
    assert data.normalization.name == "mnist"
    assert np.array_equal(data.raw([4])[0, :, :, 0], datasets.MNIST(mnist, train=False).data[4])
    assert len(load_data("mnist", path=mnist, split="train")) == 9


def test_missing_files(tmp_path):
    with pytest.raises(
        DataError,
        match=r"FashionMNIST/raw is not there; get it with torchvision.datasets.FashionMNIST\(",
    ):
        load_data("fashion-mnist", path=tmp_path)


def test_damaged_files(mnist):
    images = mnist / "MNIST/raw/t10k-images-idx3-ubyte"
    whole = images.read_bytes()
    for end in (0, 2, 10, len(whole) - 1):
        images.write_bytes(whole[:end])
        with pytest.raises(DataError, match="MNIST/raw is damaged or incomplete"):
            load_data("mnist", path=mnist)
    images.unlink()
    with pytest.raises(DataError, match=r"MNIST/raw is damaged or incomplete .Dataset not found"):
        load_data("mnist", path=mnist)


def test_lengths_differ(mnist):
    write_idx(mnist / "MNIST/raw/t10k-labels-idx1-ubyte", np.zeros(5, np.uint8))
    with pytest.raises(DataError, match=r"images of shape \(6, 28, 28\), labels of shape \(5,\)"):
        load_data("mnist", path=mnist)


def write_cifar(root: Path, kind: type, key: str, names: str) -> dict[str, str]:
    """Write the files of CIFAR with four images each, and return their checksums."""
    random = np.random.default_rng(0)
    checksums = {}
    for name, _ in [*kind.train_list, *kind.test_list]:
        entry = {"data": random.integers(0, 256, (4, 3072), dtype=np.uint8), key: [0, 1, 2, 1]}
        content = pickle.dumps(entry)
        (root / kind.base_folder).mkdir(exist_ok=True)
        (root / kind.base_folder / name).write_bytes(content)
        checksums[name] = hashlib.md5(content).hexdigest()
    content = pickle.dumps({names: ["ant", "bee", "cat"]})
    (root / kind.base_folder / kind.meta["filename"]).write_bytes(content)
    checksums["meta"] = hashlib.md5(content).hexdigest()
    return checksums


@pytest.mark.parametrize(
    ("name", "kind", "key", "names"),
    [
        ("cifar10", datasets.CIFAR10, "labels", "label_names"),
        ("cifar100", datasets.CIFAR100, "fine_labels", "fine_label_names"),
    ],
)
def test_cifar(tmp_path, monkeypatch, name, kind, key, names):
    checksums = write_cifar(tmp_path, kind, key, names)
    with pytest.raises(DataError, match=f"{kind.base_folder} is damaged or incomplete"):
        load_data(name, path=tmp_path)
    # torchvision compares with the checksums of the real files.
    for part in ("train_list", "test_list"):
        listed = [[file, checksums[file]] for file, _ in getattr(kind, part)]
        monkeypatch.setattr(kind, part, listed)
    monkeypatch.setattr(kind, "meta", {**kind.meta, "md5": checksums["meta"]})
    data = load_data(name, path=tmp_path)
    assert data.input_shape == (3, 32, 32)
    assert data.labels.tolist() == [0, 1, 2, 1]
    assert data.label_names == ("ant", "bee", "cat")
    assert data.normalization.name == name
    expected = kind(tmp_path, train=False)
    assert np.array_equal(data.raw([2])[0], np.asarray(expected[2][0]))


@needs_data
@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "first", "mean"),
    [("mnist", [5, 0, 4, 1, 9], 0.1307), ("fashion-mnist", [9, 0, 0, 3, 0], 0.2860)],
)
def test_real_files(name, first, mean):
    data = load_data(name, path=REAL, split="train", normalize="none")
    assert len(data) == 60_000
    assert data.labels[:5].tolist() == first
    assert data.images(range(60_000)).mean() == pytest.approx(mean, abs=1e-4)
    own = load_data(name, path=REAL, split="train").images(range(60_000))
    assert own.mean() == pytest.approx(0, abs=1e-3)
    assert own.std() == pytest.approx(1, abs=1e-3)
    assert own.dtype == torch.float32
