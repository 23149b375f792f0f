"""The certified engine: its repairs, its blocks, in each precision."""

import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs.errors import ResourceError
from graphs.neighbors import certification, certified, knn
from graphs.neighbors.low_precision import PRECISIONS, TERMS


@pytest.fixture(params=PRECISIONS)
def precision(request, monkeypatch):
    """The engine works in this precision, whatever is fast here."""
    monkeypatch.setattr(certified, "choose_precision", lambda *_: request.param)
    return request.param


def features(rows, width, *, seed=0, classes=5, noise=1.0):
    """Rectified rows around class means: like activations."""
    rng = np.random.default_rng(seed)
    means = rng.normal(0.3, 1.0, (classes, width))
    x = means[rng.integers(0, classes, rows)] + noise * rng.normal(size=(rows, width))
    return np.maximum(x, 0).astype(np.float32)


def assert_reference(graph, x, k, **options):
    reference = knn(x, k, engine="reference", **options)
    np.testing.assert_array_equal(graph.indices, reference.indices)
    np.testing.assert_array_equal(graph.weights, reference.weights)
    assert graph.zero_rows == reference.zero_rows
    assert graph.exact
    assert graph.certified + graph.repaired + graph.recomputed == graph.n_nodes


@pytest.mark.parametrize("metric", ["cosine", "pearson"])
@pytest.mark.parametrize("width", [40, 700, TERMS + 5])
def test_real_like_features_are_certified_at_once(precision, metric, width):
    x = features(400, width)
    graph = knn(x, 5, metric=metric, engine="certified")
    assert_reference(graph, x, 5, metric=metric)
    assert graph.certified > 0.9 * len(x)


HARD = {
    "nearly equal": lambda rng: 1 + 1e-6 * rng.normal(size=(90, 700)),
    "all equal": lambda rng: np.ones((90, 700)),
    "duplicated rows": lambda rng: np.repeat(rng.normal(size=(3, 700)), 30, axis=0),
    "one huge feature": lambda rng: np.column_stack((np.full(90, 1e6), rng.normal(size=(90, 700)))),
    "zero rows": lambda rng: np.where(np.arange(90)[:, None] % 3, 0.0, rng.normal(size=(90, 700))),
    "all but one zero": lambda rng: np.eye(90, 700)[:1] * np.eye(90)[:, :1],
    "ties at rank k": lambda rng: rng.integers(0, 2, (90, 700)) * (rng.random((1, 700)) < 0.01),
    "one feature": lambda rng: rng.normal(size=(90, 1)),
    "n = k + 1": lambda rng: rng.normal(size=(5, 700)),
    "opposite rows": lambda rng: np.vstack((np.ones((45, 700)), -np.ones((45, 700)))),
    "up to the largest float32": lambda rng: rng.uniform(-3.4, 3.4, (90, 700)) * 1e38,
    "down to the smallest": lambda rng: rng.normal(size=(90, 700)) * 1e-40,
    "one row far from the others": lambda rng: np.vstack(
        (-np.ones((1, 700)), 1 + 0.01 * rng.normal(size=(89, 700)))
    ),
}


@pytest.mark.parametrize("kind", [np.float32, np.float16], ids=["float32", "float16"])
@pytest.mark.parametrize("name", HARD)
def test_hard_cases_equal_the_reference(precision, name, kind):
    wide = HARD[name](np.random.default_rng(1))
    limit = float(np.finfo(kind).max)
    x = np.clip(wide, -limit, limit).astype(kind)
    assert_reference(knn(x, 4, engine="certified"), x, 4)


@pytest.mark.parametrize("n", [33, 513, 1030])
def test_rows_that_do_not_fill_their_tiles(precision, n):
    x = features(n, 515)  # a kernel that takes 32 values at a time reads beyond a row's end
    assert_reference(knn(x, 3, engine="certified"), x, 3)


def test_rows_that_cannot_be_told_apart_are_recomputed(precision):
    x = 1 + 1e-6 * np.random.default_rng(0).normal(size=(600, 700)).astype(np.float32)
    graph = knn(x, 3, engine="certified")
    # 8-bit integers let more candidates through to be measured, here all
    assert (graph.certified if precision == "int8" else graph.recomputed) == len(x)


def test_rows_with_too_many_near_ties_are_repaired(precision):
    """400 of 2,500 rows lie closer together than bfloat16 tells apart, the others do not."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2500, 520)).astype(np.float32)
    x[::6][:400] = x[0] + 0.05 * rng.normal(size=(400, 520))
    graph = knn(x, 2, engine="certified")
    assert_reference(graph, x, 2)
    assert graph.recomputed == 0
    assert 400 <= graph.repaired < 500 if precision == "bfloat16" else graph.repaired == 0


def test_a_heap_at_the_start_does_not_crowd_the_rest(precision):
    """Its rows are near ties to everyone, until nearer ones are seen."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3000, 600)).astype(np.float32)
    x[:400] = x[0] + 0.03 * rng.normal(size=(400, 600))
    # 8-bit integers need all rows at once: `choose_precision` takes them only then
    memory = None if precision == "int8" else 16 << 20
    graph = knn(x, 3, engine="certified", memory=memory)
    assert_reference(graph, x, 3)
    assert graph.certified >= 2500
    assert graph.recomputed == 0


@pytest.mark.parametrize("kind", ["bfloat16", "float32"])
def test_short_residuals_of_wide_rows_are_not_lost_in_the_sum(kind, monkeypatch):
    """Residuals so short that sums of them would vanish beside a_i a_j, which is near 1."""
    monkeypatch.setattr(certified, "choose_precision", lambda *_: kind)
    width = TERMS * 392
    length = np.sqrt(392 * 0.95 * 2.0**-25)
    base = np.ones(width) / np.sqrt(width)
    signs = [np.where(np.arange(width) // step % 2, -1, 1) for step in (1, 2)]
    one, two = (sign * length / np.sqrt(width) for sign in signs)
    rows = [one, one, -one, -one, 0 * one, two, two, -two, -two]
    x = np.array([base + row for row in rows], np.float32)
    graph = knn(x, 1, engine="certified")
    assert graph.indices.ravel().tolist() == [1, 0, 3, 2, 0, 6, 5, 8, 7]


def test_integers_need_room_for_all_rows_and_their_candidates():
    """40 candidates of 96 bytes for 1,600 rows, in a third of the budget."""
    least = 3 * 96 * 1600 * 40
    assert certified._compared(1600, 600, memory=None) == 800
    assert certified._compared(1600, 600, memory=least) == 800
    assert certified._compared(1600, 600, memory=least - 3 * 96) == 0
    wide = least // 1600  # five eighths of the budget do not hold a byte for each number
    assert certified._compared(1600, wide, memory=least) == 0
    assert certified._compared(1600, 600, memory=None, split=400) == 400 * 1200 // 1600


@settings(max_examples=60)
@given(
    n=st.integers(2, 70),
    width=st.sampled_from([1, 3, 30, 520]),
    k=st.integers(1, 12),
    kind=st.sampled_from(["normal", "integers", "few", "sparse"]),
    metric=st.sampled_from(["cosine", "pearson"]),
    precision=st.sampled_from(PRECISIONS),
    memory=st.sampled_from([None, 3_000, 100_000, 1_000_000]),
    seed=st.integers(0, 10**6),
)
def test_any_input_equals_the_reference(n, width, k, kind, metric, precision, memory, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, width))
    if kind == "integers":
        x = np.rint(x)
    elif kind == "few":
        x = x[rng.integers(0, n // 4 + 1, n)]
    elif kind == "sparse":
        x[rng.random((n, width)) < 0.8] = 0
    x = x.astype(np.float32)
    k = min(k, n - 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certified, "choose_precision", lambda *_: precision)
        graph = knn(x, k, metric=metric, engine="certified", memory=memory)
    assert_reference(graph, x, k, metric=metric)


def test_a_device_without_room_gets_half_as_much(monkeypatch):
    x = features(300, 600)
    calls = []
    take_in = certification.Candidates.within

    def within(self, first, block):
        calls.append(len(block))
        if len(block) > 100:
            raise torch.OutOfMemoryError("CUDA out of memory")
        take_in(self, first, block)

    monkeypatch.setattr(certification.Candidates, "within", within)
    graph = knn(x, 3, engine="certified")
    assert calls == [300, 150, 75, 75, 75, 75]
    assert_reference(graph, x, 3)


def test_a_device_without_room_for_one_row_is_an_error(monkeypatch):
    def within(self, first, block):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(certification.Candidates, "within", within)
    with pytest.raises(ResourceError, match="no room for rows of 600 features; use --device cpu"):
        knn(features(20, 600), 3, engine="certified")


def test_cuda_without_a_gpu_is_an_error():
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ResourceError, match="torch sees no GPU on this machine; use --device"):
        knn(np.eye(4), 1, engine="certified", device="cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")
@pytest.mark.parametrize("width", [64, 4096])
def test_a_gpu_gives_the_same_neighbours(width):
    x = features(3000, width)
    torch.set_float32_matmul_precision("high")  # which is less than the bound allows for
    try:
        graph = knn(x, 10, engine="certified", device="cuda")
    finally:
        torch.set_float32_matmul_precision("highest")
    other = knn(x, 10, engine="certified", device="cpu")
    np.testing.assert_array_equal(graph.indices, other.indices)
    np.testing.assert_array_equal(graph.weights, other.weights)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")
def test_a_small_gpu_is_enough():
    x = features(3000, 4096)
    torch.cuda.set_per_process_memory_fraction(
        30e6 / torch.cuda.get_device_properties(0).total_memory
    )
    try:
        graph = knn(x, 10, engine="certified", device="cuda")
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    np.testing.assert_array_equal(graph.indices, knn(x, 10, engine="certified").indices)


@pytest.mark.slow
def test_memory_holds_where_every_row_has_many_candidates():
    """Groups of 200 near duplicates: each row is within reach of its whole group."""
    rng = np.random.default_rng(0)
    x = np.repeat(rng.normal(size=(30, 600)).astype(np.float32), 200, axis=0)
    x += 1e-3 * rng.normal(size=x.shape).astype(np.float32)
    memory = 32 << 20
    plan = certification.plan_blocks(len(x), 600, low_bytes=2, memory=memory)
    tracemalloc.start()
    graph = knn(x, 10, engine="certified", memory=memory)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert plan.kept // len(x) < 200
    assert graph.certified < len(x)
    assert peak < 1.2 * memory  # NumPy's part: torch's is not traced
    assert_reference(graph, x, 10)
