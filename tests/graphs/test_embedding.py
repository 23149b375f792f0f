"""Samples in the plane: near stays near, the same on any machine setting, bad input refused."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from graphs.embedding import check_perplexity, embed, neighbor_purity
from graphs.errors import ActivationError, GraphError


def clusters(n=60, values=80, *, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    return rng.normal(size=(classes, values))[labels] * 20 + rng.normal(size=(n, values)), labels


@pytest.mark.parametrize("values", [2, 10, 80])
def test_clusters_stay_apart(values):
    rows, labels = clusters(values=values)
    places = embed(rows, perplexity=8)
    assert (places.shape, places.dtype) == ((60, 2), np.float32)
    assert neighbor_purity(places, labels) == 1.0


def test_threads_and_repetition_change_nothing():
    rows, _ = clusters()
    first = embed(rows, perplexity=8, seed=3)
    with threadpool_limits(2):
        assert (embed(rows, perplexity=8, seed=3) == first).all()


@pytest.mark.parametrize("exponent", [-100, 100, 500])
def test_scale_changes_nothing(exponent):
    rows, _ = clusters()
    scaled = np.ldexp(rows, exponent)
    assert (embed(scaled, perplexity=8) == embed(rows, perplexity=8)).all()


def test_the_input_is_left_alone():
    rows, _ = clusters()
    before = rows.copy()
    embed(rows, perplexity=8)
    assert (rows == before).all()


def test_one_value_a_sample_is_enough():
    assert np.isfinite(embed(np.arange(20.0)[:, None], perplexity=4)).all()


@pytest.mark.parametrize(
    ("perplexity", "n", "said"),
    [
        (30, 91, r"perplexity 30 needs at least 92 samples, this run has 91; give --perplexity 29"),
        (0, 50, "perplexity 0 is no positive number"),
        (-1.5, 50, "perplexity -1.5 is no positive number"),
        (float("nan"), 50, "perplexity nan is no positive number"),
        (float("inf"), 50, "perplexity inf is no positive number"),
    ],
)
def test_a_perplexity_that_does_not_fit(perplexity, n, said):
    with pytest.raises(GraphError, match=said):
        check_perplexity(perplexity, n)


def test_the_remedy_is_one():
    check_perplexity(29, 91)
    check_perplexity(30, 92)
    rows, _ = clusters(n=92, values=5)
    embed(rows, perplexity=30)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_none(bad):
    rows, _ = clusters()
    rows[3, 4] = bad
    with pytest.raises(ActivationError, match="the features hold NaN or infinity"):
        embed(rows, perplexity=8)


def test_features_that_do_not_vary():
    with pytest.raises(ActivationError, match="all samples have the same features"):
        embed(np.full((60, 5), 0.3), perplexity=8)


def test_purity():
    places = [[0, 0], [1, 0], [10, 0], [11, 0], [20, 0], [22, 0]]
    # nearest: 1, 0, 3, 2, 5, 4
    assert neighbor_purity(places, [0, 0, 1, 2, 2, 2]) == 4 / 6
