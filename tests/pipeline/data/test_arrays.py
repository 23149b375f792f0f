import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from graphs.errors import DataError
from pipeline.data import from_arrays, load_data


def test_digits_are_those_of_scikit_learn():
    images, labels = load_digits(return_X_y=True)
    train, test = load_data("digits", split="train"), load_data("digits", split="test")
    assert (len(train), len(test)) == (1201, 596)
    assert train.label_names == tuple("0123456789")
    # Together they are the whole set: the same multiset of images in each class.
    for number in range(10):
        ours = np.concatenate(
            [data.images(np.flatnonzero(data.labels == number)).numpy() for data in (train, test)]
        ).reshape(-1, 64)
        expected = images[labels == number] / 16
        assert np.array_equal(
            ours[np.lexsort(ours.T)], expected[np.lexsort(expected.T)].astype(np.float32)
        )


def test_digits_split_is_stratified():
    _, labels = load_digits(return_X_y=True)
    sizes = np.bincount(labels)
    assert np.array_equal(np.bincount(load_data("digits").labels), sizes // 3)


def test_uint8_layouts(colour):
    data = from_arrays(colour, np.arange(12))
    assert data.input_shape == (3, 6, 5)
    assert torch.equal(
        data.images([3])[0], torch.from_numpy(colour[3]).permute(2, 0, 1).float() / 255
    )
    grey = from_arrays(colour[..., 0], np.arange(12))
    assert grey.input_shape == (1, 6, 5)
    assert torch.equal(grey.images([0])[0, 0], torch.from_numpy(colour[0, ..., 0]).float() / 255)


def test_float_images_are_taken_as_they_are():
    x = np.random.default_rng(0).normal(size=(4, 3, 6, 5))
    data = from_arrays(x, [0, 1, 0, 1])
    assert data.input_shape == (3, 6, 5)
    assert np.array_equal(data.images([2, 0]).numpy(), x[[2, 0]].astype(np.float32))
    assert from_arrays(x[:, 0], [0, 1, 0, 1]).input_shape == (1, 6, 5)


def test_tensors():
    data = from_arrays(torch.zeros(4, 1, 3, 3), torch.tensor([0, 1, 0, 1]))
    assert data.labels.tolist() == [0, 1, 0, 1]


def test_reading_copies():
    x = np.zeros((2, 1, 3, 3), np.float32)
    data = from_arrays(x, [0, 1])
    data.images([0]).fill_(7)
    assert x.max() == 0
    assert data.images([0]).max() == 0


def test_npz(tmp_path, colour):
    np.savez(tmp_path / "a.npz", x=colour, y=np.arange(12)[:, None] % 2, label_names=["cat", "dog"])
    data = load_data("arrays", path=tmp_path / "a.npz")
    assert data.labels.tolist() == [0, 1] * 6
    assert data.label_names == ("cat", "dog")
    assert np.array_equal(data.raw([5]), colour[[5]])


def test_npz_with_splits(tmp_path, colour):
    y = np.arange(12)
    np.savez(tmp_path / "a.npz", x_train=colour[:8], y_train=y[:8], x_test=colour[8:], y_test=y[8:])
    assert len(load_data("arrays", path=tmp_path / "a.npz", split="train")) == 8
    assert load_data("arrays", path=tmp_path / "a.npz").labels.tolist() == [8, 9, 10, 11]


@pytest.mark.parametrize(
    ("x", "y", "problem"),
    [
        (
            np.zeros((3, 4, 4), np.uint8),
            [0, 1],
            r"images of shape \(3, 4, 4\), labels of shape \(2,\)",
        ),
        (np.zeros((0, 4, 4), np.uint8), [], "the arrays has no samples; choose another"),
        (np.zeros((2, 4, 4), np.int64), [0, 1], "images of .* are int64 of shape"),
        (np.zeros((2, 16), np.uint8), [0, 1], r"are uint8 of shape \(2, 16\); use uint8"),
        (np.zeros((2, 0, 4), np.uint8), [0, 1], r"are uint8 of shape \(2, 0, 4\)"),
        (np.zeros((2, 3, 8, 8), np.uint8), [0, 1], "have 8 channels; use uint8"),
        (np.zeros((2, 8, 8, 3)), [0, 1], "have 8 channels; use uint8"),
        (np.zeros((2, 4, 4), np.uint8), [0.5, 1], "are float64 .first: 0.5., not integers"),
        (np.zeros((2, 4, 4), np.uint8), [0, -1], "sample 1 of the arrays is -1"),
    ],
)
def test_bad_arrays(x, y, problem):
    with pytest.raises(DataError, match=problem):
        from_arrays(x, y)


def test_values_that_are_not_finite():
    x = np.zeros((3, 1, 4, 4))
    x[1, 0, 2, 2] = np.nan
    with pytest.raises(DataError, match="sample 1 of the arrays has values that are not finite"):
        from_arrays(x, [0, 1, 2])


def test_npz_without_y(tmp_path, colour):
    np.savez(tmp_path / "a.npz", x=colour, z=[1])
    with pytest.raises(DataError, match=r"a.npz has x, z, not both x and y; save them"):
        load_data("arrays", path=tmp_path / "a.npz")


def test_npz_of_objects(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.array([{}], object), y=[0])
    with pytest.raises(DataError, match=r"a.npz is no readable .npz file"):
        load_data("arrays", path=tmp_path / "a.npz")


def test_npy_instead_of_npz(tmp_path, colour):
    np.save(tmp_path / "a.npy", colour)
    with pytest.raises(DataError, match=r"a.npy holds one array"):
        load_data("arrays", path=tmp_path / "a.npy")


def test_folder_instead_of_npz(tmp_path):
    with pytest.raises(DataError, match=r"is no readable .npz file"):
        load_data("arrays", path=tmp_path)


def test_damaged_npz(tmp_path, colour):
    np.savez_compressed(tmp_path / "a.npz", x=colour, y=np.arange(12))
    whole = (tmp_path / "a.npz").read_bytes()
    for end in (0, 10, len(whole) // 2, len(whole) - 5):
        (tmp_path / "b.npz").write_bytes(whole[:end])
        with pytest.raises(DataError, match=r"b.npz is no readable .npz file"):
            load_data("arrays", path=tmp_path / "b.npz")


def test_random_damage_is_a_data_error(tmp_path, colour):
    np.savez(tmp_path / "a.npz", x=colour, y=np.arange(12))
    whole = (tmp_path / "a.npz").read_bytes()
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        content = bytearray(whole)
        content[random.integers(len(whole))] ^= int(random.integers(1, 256))
        (tmp_path / "b.npz").write_bytes(content)
        try:
            load_data("arrays", path=tmp_path / "b.npz")
        except DataError:
            refused += 1
    # Not all: a changed date in the archive harms nothing.
    assert refused > 150
