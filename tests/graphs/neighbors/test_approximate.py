"""Engines `hnsw` and `ivf` against exact neighbours; recall and the search for a setting."""

import os
import subprocess
import sys

import numpy as np
import pytest

from graphs.errors import GraphError, ResourceError
from graphs.neighbors import knn
from graphs.neighbors.approximate import HnswIndex, IvfIndex, index_bytes
from graphs.neighbors.faiss_library import faiss
from graphs.neighbors.index_search import index_knn
from graphs.neighbors.recall import Recall, RecallSample, cheapest, kth_similarity
from graphs.neighbors.rows import unit_rows

INDEXES = ["hnsw", "ivf"]
MIB = 1 << 20


def features(n=3000, width=64, seed=0):
    """Rows in clusters, with the common mean and the falling spectrum of real activations."""
    rng = np.random.default_rng(seed)
    spectrum = np.arange(1, width + 1) ** -0.7
    centres = rng.normal(size=(20, width))
    rows = centres[rng.integers(0, 20, n)] + rng.normal(size=(n, width))
    return (1 + rows * spectrum).astype(np.float32)


def true_recall(found, exact):
    """Share of neighbours at least as similar as the exact k-th, over all rows."""
    return float((found.weights >= exact.weights[:, -1:]).mean())


def assert_valid(graph):
    n, k = graph.indices.shape
    assert ((graph.indices >= 0) & (graph.indices < n)).all()
    assert (graph.indices != np.arange(n)[:, None]).all()
    assert all(len(set(row)) == k for row in graph.indices.tolist())
    ordered = np.lexsort((graph.indices, -graph.weights), axis=1)
    np.testing.assert_array_equal(ordered, np.tile(np.arange(k), (n, 1)))


@pytest.fixture(scope="module")
def rows():
    return features()


@pytest.fixture(scope="module")
def exact(rows):
    return knn(rows, 10, engine="reference")


@pytest.mark.parametrize("engine", INDEXES)
def test_measured_recall_is_the_true_one(engine, rows, exact):
    found = knn(rows, 10, engine=engine)
    assert_valid(found)
    assert (found.engine, found.exact, found.metric) == (engine, False, "cosine")
    # of 500 rows out of 3,000: within four standard errors
    assert abs(found.recall - true_recall(found, exact)) <= 4 * found.recall_error + 1e-12
    assert 0.5 < found.recall <= 1


@pytest.mark.parametrize("engine", INDEXES)
def test_similarities_are_those_of_the_exact_engines(engine, rows, exact):
    found = knn(rows, 10, engine=engine)
    unit = unit_rows(rows, 0, len(rows), metric="cosine").astype(np.float64)
    expected = np.einsum("ij,ikj->ik", unit, unit[found.indices])
    np.testing.assert_allclose(found.weights, expected, atol=2e-7)
    complete = (found.indices == exact.indices).all(axis=1)
    np.testing.assert_array_equal(found.weights[complete], exact.weights[complete])


def test_recall_of_all_rows_has_no_error():
    rows = features(n=300)
    found, exact = knn(rows, 5, engine="ivf"), knn(rows, 5, engine="reference")
    assert found.recall == pytest.approx(true_recall(found, exact), abs=1e-12)
    assert found.recall_error == 0


@pytest.mark.parametrize("target", [0.8, 0.95, 0.999])
@pytest.mark.parametrize("engine", INDEXES)
def test_a_recall_that_is_asked_for_is_reached(engine, target, rows, exact):
    found = knn(rows, 10, engine=engine, recall=target)
    assert found.recall - 1.96 * found.recall_error >= target
    assert true_recall(found, exact) >= target - 0.01
    assert ("efSearch=" if engine == "hnsw" else "nprobe=") in found.setting


def test_a_higher_recall_takes_more_lists(rows):
    probes = [
        int(knn(rows, 10, engine="ivf", recall=recall).setting.split("nprobe=")[1])
        for recall in (0.5, 0.9, 0.99)
    ]
    assert probes == sorted(set(probes))


def test_all_lists_are_an_exact_search():
    rows = features(n=500)
    exact = knn(rows, 6, engine="reference")
    unit = unit_rows(rows, 0, 500, metric="cosine")
    index = IvfIndex(unit, lists=20, device="cpu")
    _, found = index.search(unit, 7, effort=index.most)
    others = [[row for row in line if row != own][:6] for own, line in enumerate(found.tolist())]
    assert [set(line) for line in others] == [set(line) for line in exact.indices.tolist()]


@pytest.mark.parametrize("engine", INDEXES)
def test_out_of_reach_is_searched_exactly(engine):
    """Random directions in many dimensions have no structure that an index could use."""
    rows = np.random.default_rng(0).normal(size=(600, 100)).astype(np.float32)
    found = knn(rows, 10, engine=engine, recall=0.9999)
    assert found.exact
    assert (found.recall, found.recall_error) == (1.0, 0.0)
    assert found.setting.startswith(f"exact, as {engine} is only sure to find 0.")
    np.testing.assert_array_equal(found.indices, knn(rows, 10, engine="faiss").indices)


@pytest.mark.parametrize("engine", INDEXES)
@pytest.mark.parametrize(
    "make",
    [
        lambda rng: np.ones((40, 4)),  # every pair ties
        lambda rng: np.repeat(rng.normal(size=(5, 8)), 12, axis=0),  # duplicated rows
        lambda rng: np.where(np.arange(60)[:, None] % 3 == 0, 0.0, rng.normal(size=(60, 5))),
        lambda rng: np.where(np.arange(60)[:, None] == 7, rng.normal(size=(60, 5)), 0.0),
        lambda rng: np.zeros((9, 3)),
        lambda rng: rng.normal(size=(30, 1)),  # D = 1: similarities are -1 and 1
        lambda rng: rng.normal(size=(4, 9)),  # n = k + 1
        lambda rng: rng.normal(size=(25, 6)).astype(np.float16),
        lambda rng: rng.normal(size=(25, 6)) * 1e30,
        lambda rng: np.vstack((rng.normal(size=(200, 6)), -np.ones((3, 6)))),
    ],
)
def test_hard_cases_have_k_neighbours_each(make, engine, capfd):
    x = make(np.random.default_rng(1))
    found, exact = knn(x, 3, engine=engine), knn(x, 3, engine="reference")
    assert_valid(found)
    assert found.zero_rows == exact.zero_rows
    zero = ~x.any(axis=1)
    np.testing.assert_array_equal(found.indices[zero], exact.indices[zero])
    np.testing.assert_array_equal(found.weights[zero], exact.weights[zero])
    assert (found.weights <= exact.weights).all()
    assert "WARNING" not in capfd.readouterr().err


def test_rows_without_direction_are_neighbours_of_similarity_zero():
    """Of three rows that point apart, the zero row is the best neighbour."""
    x = np.array([[1.0, 0.0], [-1.0, 0.1], [0.0, 0.0], [-1.0, -0.1]])
    found = knn(x, 2, engine="ivf")
    # cos of (1, 0) with (-1, ±0.1) is -1 / sqrt(1.01)
    assert found.indices[0].tolist() == [2, 1]
    np.testing.assert_allclose(found.weights[0], [0, -1 / 1.01**0.5], atol=1e-7)


def test_short_lists_are_completed(rows):
    """One list of one row a query: everything has to be looked for again, wider."""
    found = knn(rows[:60], 30, engine="ivf")
    assert_valid(found)


@pytest.mark.parametrize("engine", INDEXES)
def test_pearson_is_the_cosine_of_centred_rows(engine, rows):
    centred = rows - rows.mean(axis=1, keepdims=True, dtype=np.float64)
    found = knn(rows, 5, metric="pearson", engine=engine)
    again = knn(centred, 5, engine=engine)
    np.testing.assert_array_equal(found.indices, again.indices)
    assert found.metric == "pearson"


DIGEST = """
import hashlib, sys
import numpy as np
from graphs.neighbors import knn
x = np.load(sys.argv[1])
for engine in ("hnsw", "ivf"):
    found = knn(x, 10, engine=engine, recall=0.9, seed=3)
    print(found.setting, found.recall, found.recall_error)
    print(hashlib.sha256(found.indices.tobytes() + found.weights.tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_threads_change_nothing(rows, tmp_path):
    np.save(tmp_path / "x.npy", rows[:2100])  # three blocks of a search
    said = {
        subprocess.run(
            [sys.executable, "-c", DIGEST, tmp_path / "x.npy"],
            env=os.environ
            | {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for threads in (1, 2, 3, 2)
    }
    assert len(said) == 1


def test_the_number_of_threads_is_left_as_it_was(rows):
    before = faiss.omp_get_max_threads()
    knn(rows[:200], 3, engine="ivf")
    assert faiss.omp_get_max_threads() == before


def test_another_seed_is_another_index(rows):
    unit = unit_rows(rows, 0, len(rows), metric="cosine")
    found = [HnswIndex(unit, seed=seed).search(unit, 10, effort=16)[1] for seed in (0, 0, 1)]
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0] != found[2]).any()


# --- recall -----------------------------------------------------------------------------------


def test_recall_is_the_mean_over_rows_with_its_standard_error():
    # shares 1, 1/2: mean 3/4, sample variance 1/8, half of 4 rows seen: sqrt(1/8 / 2 * 2/4)
    found = Recall.of(np.array([1.0, 0.5]), k=10, population=4)
    assert found == Recall(0.75, (1 / 8 / 2 * 2 / 4) ** 0.5)
    assert found.low == pytest.approx(0.75 - 1.96 * (1 / 32) ** 0.5)
    assert Recall.of(np.empty(0), k=3, population=0) == Recall(1.0, 0.0)


def test_a_sample_without_a_miss_is_no_proof():
    # 1 of 5 x 10 neighbours, half of the rows seen
    found = Recall.of(np.ones(5), k=10, population=10)
    assert found == Recall(1.0, pytest.approx(1 / 50 * 0.5**0.5))


def test_which_of_several_ties_is_found_makes_no_difference():
    unit = np.array([[1, 0], [1, 0], [1, 0], [0, 1]], np.float32)
    sample = RecallSample.draw(unit, 1, seed=0)
    assert sample.worst.tolist() == [1, 1, 1, 0]
    # row 3 has similarity 0 to all, and row 0 was given a wrong neighbour
    weights = np.array([[0.0], [1.0], [1.0], [0.0]], np.float32)
    assert sample.measure(weights).value == 3 / 4


@pytest.mark.parametrize("k", [1, 5, 30])
@pytest.mark.parametrize(
    "make",
    [
        lambda rng: rng.normal(size=(100, 7)),
        lambda rng: np.repeat(rng.normal(size=(4, 7)), 30, axis=0),  # more ties than candidates
        lambda rng: rng.normal(size=(31, 2)),
    ],
)
def test_exact_similarities_of_a_sample_are_those_of_the_reference(make, k):
    x = make(np.random.default_rng(2))
    unit = unit_rows(x, 0, len(x), metric="cosine")
    which = np.arange(0, len(x), 3)
    expected = knn(x, k, engine="reference").weights[which, -1]
    np.testing.assert_array_equal(kth_similarity(unit, which, k), expected)


def test_the_cheapest_effort_is_found_by_doubling_and_bisecting():
    tried = []

    def measure(effort):
        tried.append(effort)
        return Recall(min(1.0, effort / 10), 0.0)

    assert cheapest(measure, 0.9, first=1, widest=64) == (9, Recall(0.9, 0.0))
    assert tried == [1, 2, 4, 8, 16, 12, 10, 9]
    assert cheapest(measure, 0.1, first=1, widest=64)[0] == 1
    assert cheapest(measure, 0.9, first=1, widest=6) == (6, Recall(0.6, 0.0))


# --- limits -----------------------------------------------------------------------------------


class Unread:
    shape = (100_000, 4096)

    def __getitem__(self, rows):
        raise AssertionError("read before the check")


@pytest.mark.parametrize("engine", INDEXES)
def test_an_index_that_does_not_fit_is_refused_before_reading(engine):
    needed = index_bytes(engine, 100_000, 4096) / MIB
    message = (
        f"engine {engine} keeps all 100000 rows of 4096 values .* {needed:,.0f} MiB, the budget is "
        "1,024 MiB; raise --memory, make rows shorter with --project, or use --engine certified"
    )
    with pytest.raises(ResourceError, match=message):
        index_knn(Unread(), 3, metric="cosine", engine=engine, memory=1024 * MIB)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "ivf", "recall": 0.0}, "recall 0.0 is no share; give --recall from above 0"),
        ({"engine": "ivf", "recall": 1.5}, "recall 1.5 is no share"),
        ({"engine": "ivf", "recall": float("nan")}, "recall nan is no share"),
        ({"engine": "faiss", "recall": 0.9}, "engine faiss finds all neighbours.*--engine hnsw or"),
        ({"engine": "reference", "recall": 0.9}, "engine reference finds all neighbours"),
        ({"recall": 0.9}, "finds all neighbours, it has no recall to choose; leave out --recall"),
        ({"project": 0}, "rows cannot be projected to 0 values; use --project 1 or more"),
    ],
)
def test_options_that_make_no_sense_are_named(options, message):
    with pytest.raises(GraphError, match=message):
        knn(np.eye(5), 2, **options)


def test_cuda_without_a_gpu_is_an_error():
    if faiss.get_num_gpus():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ResourceError, match="FAISS sees no GPU"):
        knn(np.eye(6), 2, engine="ivf", device="cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not faiss.get_num_gpus(), reason="no CUDA GPU")
def test_lists_searched_on_a_gpu_give_the_same_neighbours(rows):
    here, there = (knn(rows, 10, engine="ivf", device=device) for device in ("cpu", "cuda"))
    # float32 sums of another order may settle another list for a row between two of them
    assert (here.indices == there.indices).mean() > 0.999
    assert abs(here.recall - there.recall) < 0.01
