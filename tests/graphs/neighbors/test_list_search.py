"""Searching lists with many queries at once, against looking at every pair."""

import numpy as np
import pytest

from graphs.neighbors.list_search import Lists


def brute_force(unit, own, queries, probes, m):
    """The m best of the rows whose list is probed, from the definition."""
    found = []
    for query, lists in zip(queries, probes, strict=True):
        rows = [row for row in range(len(unit)) if own[row] in set(lists)]
        score = {row: float(query.astype(np.float64) @ unit[row]) for row in rows}
        best = sorted(rows, key=lambda row: -score[row])[:m]
        found.append(best + [-1] * (m - len(best)))
    return np.array(found)


@pytest.mark.parametrize("m", [1, 4, 50])
@pytest.mark.parametrize("probed", [1, 3, 8])
@pytest.mark.parametrize("part", [1, 7, 512])
def test_the_best_of_the_probed_lists_are_found(m, probed, part, monkeypatch):
    monkeypatch.setattr("graphs.neighbors.list_search.PART_ROWS", part)
    rng = np.random.default_rng(0)
    unit = rng.normal(size=(120, 5)).astype(np.float32)
    queries = rng.normal(size=(40, 5)).astype(np.float32)
    own = rng.integers(0, 7, 120)  # of 8 lists: the last is empty
    probes = np.stack([rng.permutation(8)[:probed] for _ in queries])
    scores, rows = Lists(unit, own, 8).search(queries, probes, m)
    best = brute_force(unit, own, queries, probes, m)
    there = best >= 0
    np.testing.assert_array_equal(rows >= 0, there)
    # two that are closer to each other than float32 can tell may change places
    for found in (best, rows):
        expected = np.einsum("ij,ikj->ik", queries, unit[found])
        np.testing.assert_allclose(scores[there], expected[there], atol=2e-6)
    assert np.isneginf(scores[~there]).all()
    assert all(len({*line} - {-1}) == sum(full) for line, full in zip(rows, there, strict=True))


def test_negative_scores_come_last():
    unit = np.array([[1.0], [-1.0], [0.5], [-0.5], [0.0]], np.float32)
    lists = Lists(unit, np.zeros(5, np.int64), 1)
    scores, rows = lists.search(np.ones((1, 1), np.float32), np.zeros((1, 1), np.int64), 5)
    assert rows.tolist() == [[0, 2, 4, 3, 1]]
    assert scores.tolist() == [[1.0, 0.5, 0.0, -0.5, -1.0]]


def test_no_queries_no_rows():
    lists = Lists(np.ones((3, 2), np.float32), np.zeros(3, np.int64), 1)
    scores, rows = lists.search(np.empty((0, 2), np.float32), np.empty((0, 1), np.int64), 2)
    assert scores.shape == rows.shape == (0, 2)
