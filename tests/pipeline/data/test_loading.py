import numpy as np
import pytest

from graphs.errors import DataError
from pipeline.data import DATASETS, load_data


@pytest.mark.parametrize(
    ("dataset", "options", "problem"),
    [
        ("cifra10", {}, "data set 'cifra10' is unknown; choose cifar10, cifar100"),
        ("zzz", {}, "'zzz' is unknown; choose digits, cifar10, .*, arrays"),
        ("mnist", {}, "data set mnist needs its files; say where they are with --data PATH"),
        ("digits", {"path": "x"}, "digits is built in, x would not be read; leave out --data"),
        ("digits", {"split": "val"}, "digits has no split 'val'; choose train or test"),
        ("digits", {"channels": 2}, "channels=2 is not possible; use 1 or 3"),
        ("digits", {"size": 16}, "digits has images of one size; leave out --image-size"),
        ("digits", {"normalize": "imagnet"}, "'imagnet' is unknown"),
        ("digits", {"normalize": "cifar10"}, "'cifar10' has 3 channels, the images have 1"),
        (
            "parquet",
            {"path": ".", "size": 0},
            "--image-size 0 is not possible; give the side in pix",
        ),
        ("parquet", {"path": "no/such"}, "no/such does not exist; check --data"),
    ],
)
def test_errors(dataset, options, problem):
    with pytest.raises(DataError, match=problem):
        load_data(dataset, **options)


def test_path_through_a_file(tmp_path):
    (tmp_path / "x").touch()
    with pytest.raises(DataError, match=r"cannot be read .Not a directory."):
        load_data("parquet", path=tmp_path / "x" / "y")


@pytest.mark.parametrize("dataset", [name for name in DATASETS if name != "digits"])
def test_every_set_refuses_an_empty_folder(dataset, tmp_path):
    with pytest.raises(DataError, match=str(tmp_path)):
        load_data(dataset, path=tmp_path)


def test_names_are_read_in_any_case():
    assert load_data(" Digits ").name == "digits"


def test_channels_repeat_grey():
    grey, three = load_data("digits"), load_data("digits", channels=3, normalize="imagenet")
    assert three.input_shape == (3, 8, 8)
    expected = (grey.images([5]).numpy()[:, 0] - 0.456) / 0.224
    np.testing.assert_allclose(three.images([5])[:, 1].numpy(), expected, atol=1e-6)


def test_auto_normalization_is_recorded():
    assert load_data("digits").normalization.name == "none"
    assert load_data("digits", normalize="mnist").normalization.name == "mnist"
