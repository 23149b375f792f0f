"""How networks and data sets are called in titles."""

from pathlib import Path

import pytest

from pipeline.figures import caption, source_name


@pytest.mark.parametrize(
    ("dataset", "data", "expected"),
    [
        ("digits", None, "digits"),
        ("cifar10", Path("/sets"), "cifar10"),
        ("parquet", Path("/sets/cifar10-exact/test.parquet"), "cifar10-exact/test.parquet"),
        ("arrays", "few.npz", "few.npz"),
    ],
)
def test_the_data_set(dataset, data, expected):
    assert source_name(dataset, data) == expected


def test_the_network_without_its_folder():
    assert caption("/nets/vit.py:vit", "digits", None) == "vit.py:vit, digits"
    assert caption("torchvision:resnet18", "digits", None) == "torchvision:resnet18, digits"
