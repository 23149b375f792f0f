import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs.errors import DataError
from pipeline.data import SAMPLINGS, draw_samples

LABELS = np.arange(100) % 10


def test_sequential_takes_consecutive_blocks():
    draw = draw_samples(LABELS, 30, 3, sampling="sequential", seed=5)
    expected = [np.arange(0, 30), np.arange(30, 60), np.arange(60, 90)]
    assert all(np.array_equal(a, b) for a, b in zip(draw.indices, expected, strict=True))
    assert draw.disjoint
    assert draw.note is None


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_disjoint_where_the_set_is_large_enough(sampling):
    draw = draw_samples(LABELS, 20, 5, sampling=sampling, seed=1)
    assert draw.disjoint
    assert draw.note is None
    assert sorted(np.concatenate(draw.indices).tolist()) == list(range(100))


def test_repeats_that_share_samples_are_noted():
    draw = draw_samples(LABELS, 60, 3, seed=0)
    assert not draw.disjoint
    assert draw.note is not None
    distinct = len(set(np.concatenate(draw.indices).tolist()))
    assert f"the set has 100 samples, 3 repeats of 60 share some: {distinct} diff" in draw.note


def test_repeats_of_the_whole_set_are_noted():
    draw = draw_samples(LABELS, 100, 2, seed=0)
    assert draw.note is not None
    assert "every repeat holds all 100 samples" in draw.note
    assert np.array_equal(draw.indices[0], draw.indices[1])


def test_one_repeat_of_the_whole_set_is_disjoint():
    assert draw_samples(LABELS, 100, 1).note is None


def test_stratified_shares():
    labels = np.array([0] * 20 + [3] * 9 + [7] * 30)
    draw = draw_samples(labels, 10, 2, sampling="stratified", seed=2)
    for indices in draw.indices:
        # 10 = 3 * 3 + 1: the one left over goes to the lowest class.
        assert np.bincount(labels[indices]).tolist() == [4, 0, 0, 3, 0, 0, 0, 3]
    assert draw.disjoint


def test_stratified_with_fewer_samples_than_classes():
    draw = draw_samples(LABELS, 4, 2, sampling="stratified")
    assert [sorted(LABELS[indices].tolist()) for indices in draw.indices] == [[0, 1, 2, 3]] * 2


def test_random_is_not_in_order_of_the_set():
    first = draw_samples(np.zeros(10_000, int), 1000, 1, seed=0).indices[0]
    # The mean of 1,000 of 10,000 positions: 4999.5 with a deviation below 92.
    assert abs(first.mean() - 4999.5) < 5 * 92
    assert not np.array_equal(first, np.arange(1000))


def test_seeds_differ():
    draws = [draw_samples(LABELS, 30, 1, seed=seed).indices[0].tolist() for seed in (0, 1, 2)]
    assert draws[0] != draws[1] != draws[2] != draws[0]


def test_streams_of_classes_differ():
    labels = np.repeat([0, 1], 50)
    draw = draw_samples(labels, 20, 1, sampling="stratified", seed=0).indices[0]
    assert draw[:10].tolist() != (draw[10:] - 50).tolist()


@given(
    n=st.integers(1, 60),
    samples=st.integers(1, 60),
    repeats=st.integers(1, 6),
    classes=st.integers(1, 4),
    sampling=st.sampled_from(["random", "stratified"]),
    seed=st.integers(0, 2**32),
)
def test_invariants(n, samples, repeats, classes, sampling, seed):
    labels = np.arange(n) % classes
    try:
        draw = draw_samples(labels, samples, repeats, sampling=sampling, seed=seed)
    except DataError:
        assert samples > (n // classes) * classes or samples > n
        return
    assert len(draw.indices) == repeats
    for indices in draw.indices:
        assert indices.dtype == np.int64
        assert len(indices) == samples
        # Ascending and distinct, within the set.
        assert (np.diff(indices) > 0).all()
        assert indices[0] >= 0
        assert indices[-1] < n
        if sampling == "stratified":
            sizes = np.bincount(labels[indices], minlength=min(classes, n))
            assert sizes.max() - sizes.min() <= 1
    used = np.concatenate(draw.indices)
    assert draw.disjoint == (len(set(used.tolist())) == len(used))
    assert (draw.note is None) == draw.disjoint
    # A repeat does not depend on how many there are.
    fewer = draw_samples(labels, samples, 1, sampling=sampling, seed=seed)
    assert np.array_equal(fewer.indices[0], draw.indices[0])
    again = draw_samples(labels, samples, repeats, sampling=sampling, seed=seed)
    assert all(np.array_equal(a, b) for a, b in zip(again.indices, draw.indices, strict=True))


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"samples": 101}, "101 samples asked for, the set has 100; lower --samples"),
        ({"samples": 0}, "samples=0 and repeats=1 are not possible"),
        ({"repeats": 0}, "samples=10 and repeats=0 are not possible"),
        ({"seed": -1}, "seed=-1 is negative"),
        ({"sampling": "all"}, "sampling 'all' is unknown; choose random, stratified, sequential"),
        (
            {"samples": 30, "repeats": 4, "sampling": "sequential"},
            "4 consecutive blocks of 30 need 120 samples, the set has 100; lower --repeats to 3",
        ),
    ],
)
def test_errors(arguments, problem):
    call = {"samples": 10, "repeats": 1, **arguments}
    samples, repeats = call.pop("samples"), call.pop("repeats")
    with pytest.raises(DataError, match=problem):
        draw_samples(LABELS, samples, repeats, **call)


def test_too_few_of_a_class():
    labels = np.array([0] * 20 + [1] * 3)
    with pytest.raises(
        DataError, match="class 1 has 3 samples, 10 in equal shares need 5 of it; lower --samples t"
    ):
        draw_samples(labels, 10, 1, sampling="stratified")
