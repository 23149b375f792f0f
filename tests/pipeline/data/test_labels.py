import numpy as np
import pytest

from graphs.errors import DataError
from pipeline.data.labels import check_labels, name_classes


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int64, np.uint64])
def test_all_integers_become_int64(kind):
    labels = check_labels(np.array([0, 2, 1], kind), "x")
    assert labels.dtype == np.int64
    assert labels.tolist() == [0, 2, 1]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (np.array([], int), "a.npz has no samples"),
        (np.array([[0, 1]]), r"shape \(1, 2\)"),
        (np.array([0.0, 1.0]), r"are float64 \(first: 0.0\), not integers; number the classes"),
        (np.array(["cat"]), r"\(first: cat\), not integers"),
        (np.array([True, False]), "are bool"),
        (np.array([0, 3, -1, -2]), "label of sample 2 of a.npz is -1: labels are not negative"),
        (np.array([0, 10**9]), "label of sample 1 of a.npz is 1000000000"),
    ],
)
def test_errors(values, problem):
    with pytest.raises(DataError, match=problem):
        check_labels(values, "a.npz")


def test_names():
    assert name_classes(np.array([1, 0]), ["cat", "dog", "emu"], "x") == ("cat", "dog", "emu")
    assert name_classes(np.array([1]), None, "x") == ("0", "1")
    with pytest.raises(DataError, match="x has a sample of class 2 but names for 2 classes"):
        name_classes(np.array([0, 2]), ["cat", "dog"], "x")
