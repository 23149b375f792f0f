"""Batches of samples, and reading the rows of some of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs.errors import GraphError
from graphs.row_batches import gather_rows, split_batches


@given(n=st.integers(4, 700), size=st.integers(4, 300), seed=st.integers(0, 9))
def test_every_sample_is_in_one_batch(n, size, seed):
    batches = split_batches(n, size, seed=seed)
    assert sorted(np.concatenate(batches).tolist()) == list(range(n))
    sizes = [len(batch) for batch in batches]
    assert min(sizes) >= 4
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= max(size, 7)
    assert all((np.diff(batch) > 0).all() for batch in batches)


def test_a_set_sorted_by_class_gives_mixed_batches():
    """As image folders are: batches of neighbouring rows would be of one class."""
    labels = np.repeat(np.arange(4), 100)
    for batch in split_batches(400, 100):
        assert np.bincount(labels[batch], minlength=4).min() > 10


def test_the_seed_decides():
    one, same, other = (split_batches(50, 10, seed=seed) for seed in (1, 1, 2))
    assert [batch.tolist() for batch in one] == [batch.tolist() for batch in same]
    assert [batch.tolist() for batch in one] != [batch.tolist() for batch in other]


@pytest.mark.parametrize(
    ("n", "size", "said"),
    [
        (3, 256, "needs at least 4 samples, there are 3; take more samples"),
        (9, 3, "batches of 3 are too small: .* at least 4 samples; give a batch of 4 or more"),
    ],
)
def test_too_few(n, size, said):
    with pytest.raises(GraphError, match=said):
        split_batches(n, size)


class Reading:
    """Rows that tell which were read."""

    def __init__(self, rows):
        self.rows, self.shape, self.asked = rows, rows.shape, []

    def __getitem__(self, rows):
        self.asked.append((rows.start, rows.stop))
        return self.rows[rows]


def test_rows_are_read_in_one_pass_and_only_where_wanted():
    rows = np.arange(2000.0).reshape(1000, 2)
    reading = Reading(rows)
    wanted = np.array([3, 255, 256, 999])
    assert gather_rows(reading, wanted).tolist() == rows[wanted].tolist()
    assert reading.asked == [(0, 32), (224, 256), (256, 288), (992, 1024)]


def test_no_rows():
    assert gather_rows(np.ones((5, 3)), np.array([], int)).shape == (0, 3)
