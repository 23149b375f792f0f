"""What the benchmarks of the neighbour search compare with, and how they fit growth."""

import mmap
import sys
from pathlib import Path

import numpy as np
import pytest

from graphs.errors import RunError, StratagraphError
from graphs.neighbors import knn
from pipeline.benchmarks import neighbor_search, search_memory
from pipeline.benchmarks.growth import EXPECTED, LEAST, fit
from pipeline.benchmarks.images import synthetic_features
from pipeline.benchmarks.neighbor_search import difference, flat_index, float32_error
from pipeline.benchmarks.other_searches import OTHERS, nn_descent
from pipeline.benchmarks.setting import Setting


@pytest.fixture(scope="module")
def features():
    return synthetic_features(300, 50)


def test_features_have_the_spectrum_that_is_claimed():
    x = synthetic_features(400, 300)
    strength = np.linalg.svd(x, compute_uv=False)
    # the common mean first, then a few directions; the rest is noise
    assert strength[0] > 1.5 * strength[1] > 15 * strength[70]
    assert (x >= 0).all()
    assert 0.2 < (x == 0).mean() < 0.8
    np.testing.assert_array_equal(x[:100], synthetic_features(400, 300)[:100])


def test_flat_index_finds_what_the_reference_finds(features):
    expected = knn(features, 4, engine="reference")
    found, similarities = flat_index(features, 4)
    np.testing.assert_array_equal(np.sort(found), np.sort(expected.indices))
    np.testing.assert_allclose(similarities, expected.weights, atol=1e-6)


def test_flat_index_among_many_copies_of_a_row():
    found, _ = flat_index(np.ones((9, 3), np.float32), 2)
    assert found.shape == (9, 2)
    assert all(len({int(node), *row.tolist()}) == 3 for node, row in enumerate(found))


@pytest.mark.parametrize("name", ["torch product, topk", "scikit-learn"])
def test_other_exact_searches_find_the_same(features, name):
    found = OTHERS[name](features, 3)
    expected = knn(features, 3, engine="reference").indices
    assert difference(features, expected, found)[1] <= float32_error(50)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_pynndescent_finds_most(features):
    found = nn_descent(features, 3)
    expected = knn(features, 3, engine="reference").indices
    assert found.shape == (300, 3)
    assert not (found == np.arange(300)[:, None]).any()
    hits = [len(np.intersect1d(*pair)) for pair in zip(found, expected, strict=True)]
    assert np.mean(hits) / 3 > 0.9


def test_pynndescent_may_be_missing(features, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynndescent", None)
    assert nn_descent(features, 3) is None


def test_difference_is_that_of_similarities_by_rank():
    x = np.array([[1, 0], [3, 4], [4, 3], [0, 1]], np.float32)
    ours = np.array([[2], [2], [1], [1]])
    assert difference(x, ours, ours) == (0, 0.0)
    # the cosines of row 0 are 3/5 and 4/5
    rows, gap = difference(x, ours, np.array([[1], [2], [1], [1]]))
    assert (rows, gap) == (1, pytest.approx(1 / 5))


def test_a_wrong_neighbour_reaches_nothing(features, monkeypatch):
    def wrong(values, k):
        found, similarities = flat_index(values, k)
        found[0, 0] = (found[0].max() + 1) % len(values)
        return found, similarities

    assert neighbor_search._compare(features, "right", rounds=1).agrees
    monkeypatch.setattr(neighbor_search, "flat_index", wrong)
    found = neighbor_search._compare(features, "wrong", rounds=1)
    assert not found.agrees
    assert found.difference > float32_error(50)


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
def test_exponents_of_powers(exponent):
    sizes = [100, 200, 500, 1000]
    growth = fit(sizes, [3e-3 * size**exponent for size in sizes])
    assert growth.exponent == pytest.approx(exponent)
    assert growth.high - growth.low < 1e-6


def test_the_interval_is_that_of_the_slope():
    # residuals -d, 2d, -d around slope 1 over x = 0, 1, 2: s² = 6 d² / 1, error² = s² / 2
    d = 0.1
    sizes, steps = np.exp([0, 1, 2]), np.exp([0 - d, 1 + 2 * d, 2 - d])
    growth = fit(sizes, steps)
    half = 12.7062047 * np.sqrt(6 * d**2 / 2)  # Student's t, one degree of freedom, 97.5 %
    assert growth.exponent == pytest.approx(1)
    assert (growth.low, growth.high) == pytest.approx((1 - half, 1 + half))


def test_times_too_short_to_measure_are_left_out():
    sizes, times = [1, 2, 4, 8], [LEAST / 2, LEAST * 2, LEAST * 4, LEAST * 8]
    assert fit(sizes, times).exponent == pytest.approx(1)
    short = [time / 100 for time in times]
    assert fit(sizes, short).exponent == pytest.approx(
        fit(sizes, [100 * s for s in times]).exponent
    )


def test_only_the_search_may_be_quadratic():
    assert sorted(EXPECTED.values()) == [1, 1, 1, 1, 2]


@pytest.mark.slow
@pytest.mark.skipif(not search_memory.STATUS.is_file(), reason="Linux tells memory in /proc")
def test_a_search_that_fails_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(search_memory, "_write_shards", lambda *_: None)
    with pytest.raises(RunError, match=r"the search ended with status 1: .*no shards.*; free some"):
        search_memory.measure_search_memory(Setting(scratch=tmp_path, quick=True))


def test_other_systems_tell_no_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(search_memory, "STATUS", Path("/nowhere"))
    with pytest.raises(StratagraphError, match=r"P6 reads .*; run it on Linux"):
        search_memory.measure_search_memory(Setting(scratch=tmp_path))


@pytest.mark.skipif(not search_memory.STATUS.is_file(), reason="Linux tells memory in /proc")
def test_the_resident_set_grows_with_what_is_held():
    before = search_memory._resident("VmRSS")
    # pages of its own: the allocator may have 64 MiB in hand
    with mmap.mmap(-1, 64 << 20) as held:
        np.frombuffer(held, np.uint8)[::4096] = 1
        during = search_memory._resident("VmRSS")
    assert 60 << 20 < during - before < 80 << 20
    assert search_memory._resident("VmHWM") >= during - (1 << 20)  # it is brought up to date late
