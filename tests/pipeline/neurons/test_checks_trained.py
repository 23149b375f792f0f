from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

import pipeline.neurons.trained_networks as trained
from graphs.errors import DataError
from pipeline.data import load_data
from pipeline.neurons.checks import CHECKS, CheckSetting

QUICK = {"epochs": 1, "pruning_epochs": 1, "batch_size": 256}


def _idx(path, array):
    """The file format of MNIST: magic number, sizes, bytes."""
    head = np.array([0x800 + array.ndim, *array.shape], ">i4")
    path.write_bytes(head.tobytes() + array.astype(np.uint8).tobytes())


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    """Digits in the place of both data sets, 28 pixels wide."""
    root = tmp_path_factory.mktemp("data")
    for split, prefix in (("train", "train"), ("test", "t10k")):
        digits = load_data("digits", split=split)
        images = np.kron(digits.images(np.arange(len(digits))).numpy()[:, 0], np.ones((3, 3)))
        images = np.pad(255 * images, ((0, 0), (2, 2), (2, 2)))
        for name in ("MNIST", "FashionMNIST"):
            folder = root / name / "raw"
            folder.mkdir(parents=True, exist_ok=True)
            _idx(folder / f"{prefix}-images-idx3-ubyte", images)
            _idx(folder / f"{prefix}-labels-idx1-ubyte", digits.labels)
    out = tmp_path_factory.mktemp("checks")
    return CheckSetting(out=out, data=root, networks=1, shuffles=2, workers=1)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    for name, condition in trained.CONDITIONS.items():
        small = replace(
            condition,
            model="mlp-24-20" if "256" in condition.model else "mlp-16-16",
            options={**condition.options, **QUICK},
        )
        monkeypatch.setitem(trained.CONDITIONS, name, small)


@pytest.mark.parametrize("number", [n for n in CHECKS if n >= 6])
def test_every_check_gives_figures(number, setting):
    path, _ = CHECKS[number]
    home, _, name = path.partition(":")
    findings = list(getattr(import_module(home), name)(setting))
    assert findings
    for finding in findings:
        assert finding.expected
        assert finding.measured
        assert "nan" not in finding.measured


def test_networks_are_trained_once(setting, monkeypatch):
    first = trained.train_condition(setting, "mnist", 0)
    monkeypatch.setattr(trained, "train_neurons", None)
    again = trained.train_condition(setting, "mnist", 0)
    assert again.pruned == first.pruned
    assert again.history["epoch"].tolist() == first.history["epoch"].tolist() == [1, 2]


def test_without_data(setting):
    with pytest.raises(DataError, match="need MNIST and Fashion-MNIST"):
        trained.train_condition(replace(setting, data=None), "mnist", 5)
