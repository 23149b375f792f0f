"""Similarity of two layers: CKA of arrays, shared neighbours, difference in Q."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs.cka_sums import CkaSums, feature_gram
from graphs.errors import GraphError
from graphs.similarity import (
    chance_overlap,
    linear_cka,
    modularity_differences,
    neighbor_overlaps,
)


def features(n, values, seed=0):
    return np.random.default_rng(seed).normal(size=(n, values))


def song(x, y):
    """Unbiased HSIC of Song et al. 2012, eq. 5, term by term."""
    k, l = x @ x.T, y @ y.T  # noqa: E741
    np.fill_diagonal(k, 0)
    np.fill_diagonal(l, 0)
    n, one = len(x), np.ones(len(x))
    middle = (one @ k @ one) * (one @ l @ one) / ((n - 1) * (n - 2))
    return (np.trace(k @ l) + middle - 2 / (n - 2) * (one @ k @ l @ one)) / (n * (n - 3))


@pytest.mark.parametrize("n", [4, 7, 50, 200])
def test_cka_is_that_of_the_definition(n):
    x = features(n, 6)
    y = np.hstack([x[:, :2] * 3, features(n, 3, seed=1)]) + 5
    expected = song(x, y) / np.sqrt(song(x, x) * song(y, y))
    assert linear_cka(x, y) == pytest.approx(expected, abs=1e-8)


def test_batches_agree_with_all_samples_at_once_on_average():
    x = features(60, 5)
    y = x @ features(5, 5, seed=1) + features(60, 5, seed=2)
    whole = linear_cka(x, y)
    found = [linear_cka(x, y, batch=12, seed=seed) for seed in range(300)]
    assert np.std(found) > 0
    # a quotient of means: unbiased up to a bias of the order of the variance
    assert np.mean(found) == pytest.approx(whole, abs=5 * np.std(found) / 300**0.5 + np.var(found))


def test_a_batch_of_all_samples_is_all_samples():
    x, y = features(30, 4), features(30, 4, seed=1)
    assert linear_cka(x, y, batch=30) == pytest.approx(linear_cka(x, y), abs=1e-12)
    assert linear_cka(x, y, batch=8, seed=3) == linear_cka(x, y, batch=8, seed=3)


def test_biased_cka():
    x, y = features(20, 3), features(20, 4, seed=1)
    a, b = x - x.mean(axis=0), y - y.mean(axis=0)
    expected = np.linalg.norm(b.T @ a) ** 2
    expected /= np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)
    assert linear_cka(x, y, estimator="biased") == pytest.approx(expected, abs=1e-12)


def test_lists_and_float16_are_features_too():
    x = features(6, 2).astype(np.float16)
    assert linear_cka(x.tolist(), x) == pytest.approx(1.0)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_fewer_than_four_samples_are_refused(n):
    with pytest.raises(GraphError, match=f"needs at least 4 samples, there are {n}; take more"):
        linear_cka(features(n, 2), features(n, 2))


@pytest.mark.parametrize("batch", [-1, 0, 3])
def test_batches_of_fewer_than_four_are_refused(batch):
    with pytest.raises(GraphError, match=f"batches of {batch} are too small"):
        linear_cka(features(9, 2), features(9, 2), batch=batch)


def test_layers_of_other_samples_are_refused():
    with pytest.raises(GraphError, match="the layers hold 5 and 6 samples"):
        linear_cka(features(5, 2), features(6, 2))


def test_neighbours_in_common():
    one = np.array([[1, 2], [0, 2], [0, 1], [0, 1]])
    other = np.array([[3, 2], [2, 0], [3, 1], [2, 1]])
    shared = (1 + 2 + 1 + 1) / (4 * 2)
    assert neighbor_overlaps([one, other]).tolist() == [[1.0, shared], [shared, 1.0]]


@settings(max_examples=30)
@given(n=st.integers(3, 20), layers=st.integers(1, 4), data=st.data())
def test_overlaps_are_those_of_sets(n, layers, data):
    k = data.draw(st.integers(1, n - 1))
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    lists = [
        np.array([rng.choice(np.delete(np.arange(n), i), k, replace=False) for i in range(n)])
        for _ in range(layers)
    ]
    found = neighbor_overlaps(lists)
    for i, a in enumerate(lists):
        for j, b in enumerate(lists):
            sets = [len(set(p) & set(q)) for p, q in zip(a.tolist(), b.tolist(), strict=True)]
            assert found[i, j] == sum(sets) / (n * k)


def test_random_neighbours_overlap_by_chance():
    n, k = 400, 8
    rng = np.random.default_rng(0)
    draw = [
        np.array([rng.choice(np.delete(np.arange(n), i), k, replace=False) for i in range(n)])
        for _ in range(2)
    ]
    expected = chance_overlap(n, k)
    assert expected == 8 / 399
    spread = (expected / (n * k)) ** 0.5
    assert neighbor_overlaps(draw)[0, 1] == pytest.approx(expected, abs=5 * spread)


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((4, 2), "layers of 4 nodes with k=2 and 4 nodes with k=3; link all layers"),
        ((5, 3), "layers of 4 nodes with k=3 and 5 nodes with k=3"),
    ],
)
def test_other_nodes_or_k_are_refused(shape, said):
    with pytest.raises(GraphError, match=said):
        neighbor_overlaps([np.zeros((4, 3), int), np.zeros(shape, int)])


def test_difference_in_modularity():
    assert modularity_differences([0.5, 0.25], [1.0]).tolist() == [[0.5], [0.75]]


def test_a_gram_in_pieces_is_what_linear_cka_takes():
    x, y = features(10, 3), features(10, 2, seed=1)
    sums = CkaSums(2)
    sums.add([feature_gram(x), feature_gram(y)])
    assert linear_cka(x, y) == pytest.approx(sums.cka()[0, 1], abs=1e-14)


def test_features_of_another_shape_are_named():
    with pytest.raises(GraphError, match=r"shape \(8,\) are no table"):
        linear_cka(np.arange(8), np.ones((8, 2)))
