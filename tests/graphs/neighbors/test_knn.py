import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.datasets import load_digits

from graphs.errors import ActivationError, GraphError, ResourceError
from graphs.neighbors import knn
from graphs.neighbors.knn import CERTIFIED_FROM, explain_engine
from graphs.neighbors.knn_graph import NARROW

ENGINES = ("reference", "faiss", "certified")


def brute_force(x, k, metric):
    """Neighbours by sorting Python floats, from the definition."""
    x = np.asarray(x, np.float64)
    if metric == "pearson":
        constant = x.min(axis=1) == x.max(axis=1)
        x = x - x.mean(axis=1, keepdims=True)
        x[constant] = 0
    unit = (x / np.maximum(np.linalg.norm(x, axis=1), 1e-8)[:, None]).astype(np.float32)
    wide = unit.astype(np.float64).tolist()
    rows = []
    for i in range(len(x)):
        similarity = {
            j: np.float32(round(math.fsum(map(float.__mul__, wide[i], wide[j])) * 2**30) / 2**30)
            for j in range(len(x))
            if j != i
        }
        rows.append(sorted(similarity, key=lambda j: (-similarity[j], j))[:k])
    return np.array(rows)


def assert_same(a, b):
    np.testing.assert_array_equal(a.indices, b.indices)
    np.testing.assert_array_equal(a.weights, b.weights)
    assert a.zero_rows == b.zero_rows
    assert (a.exact, b.exact) == (True, True)


@pytest.mark.parametrize("engine", ENGINES)
def test_cosines_of_known_angles(engine):
    # unit vectors at 0, 30, 90 degrees: cos 30 = sqrt(3)/2, cos 60 = 1/2
    angles = np.deg2rad([0.0, 30.0, 90.0])
    graph = knn(np.column_stack((np.cos(angles), np.sin(angles))), 2, engine=engine)
    assert graph.indices.tolist() == [[1, 2], [0, 2], [1, 0]]
    expected = [[3**0.5 / 2, 0], [3**0.5 / 2, 1 / 2], [1 / 2, 0]]
    np.testing.assert_allclose(graph.weights, expected, atol=1e-7)
    assert (graph.k, graph.n_nodes, graph.metric, graph.engine) == (2, 3, "cosine", engine)


@pytest.mark.parametrize("metric", ["cosine", "pearson"])
def test_engines_agree_with_the_definition_on_digits(metric):
    x = load_digits().data[:150]
    reference, *others = (knn(x, 5, metric=metric, engine=engine) for engine in ENGINES)
    for other in others:
        assert_same(other, reference)
    np.testing.assert_array_equal(reference.indices, brute_force(x, 5, metric))


def test_pearson_is_the_correlation():
    x = np.random.default_rng(0).normal(2.0, 1.0, (30, 11))
    graph = knn(x, 3, metric="pearson", engine="reference")
    correlation = np.corrcoef(x)
    expected = np.take_along_axis(correlation, graph.indices.astype(int), axis=1)
    np.testing.assert_allclose(graph.weights, expected, atol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "make",
    [
        lambda rng: np.ones((20, 4)),  # every pair ties
        lambda rng: np.repeat(rng.normal(size=(5, 8)), 6, axis=0),  # duplicated rows
        lambda rng: 1 + 1e-7 * rng.normal(size=(60, 16)),  # nearly equal
        lambda rng: np.column_stack((np.full(40, 1e6), rng.normal(size=(40, 7)))),  # huge feature
        lambda rng: np.where(np.arange(30)[:, None] % 3 == 0, 0.0, rng.normal(size=(30, 5))),
        lambda rng: rng.normal(size=(12, 1)),  # D = 1: similarities are -1 and 1
        lambda rng: rng.normal(size=(4, 9)),  # N = k + 1
        lambda rng: rng.normal(size=(25, 6)) * 1e30,  # squares overflow float32
        lambda rng: rng.uniform(-3.4, 3.4, size=(25, 6)) * 1e38,  # up to the largest float32
        lambda rng: rng.normal(size=(25, 6)) * 1e-5,
        lambda rng: rng.normal(size=(25, 6)).astype(np.float16),
    ],
)
def test_hard_cases_equal_the_definition(make, engine):
    x = make(np.random.default_rng(1)).astype(np.float32)
    graph = knn(x, 3, engine=engine)
    np.testing.assert_array_equal(graph.indices, brute_force(x, 3, "cosine"))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("metric", ["cosine", "pearson"])
def test_float64_beyond_the_root_of_its_range_has_a_direction(engine, metric):
    x = np.random.default_rng(0).uniform(-1.7, 1.7, size=(25, 6))
    graph, huge = (knn(rows, 3, metric=metric, engine=engine) for rows in (x, x * 2.0**1023))
    assert_same(huge, graph)


@pytest.mark.parametrize("engine", ENGINES)
def test_ties_at_rank_k_go_to_the_lower_index(engine):
    x = np.array([[1.0, 0.0]] + [[1.0, 1.0]] * 30)
    assert knn(x, 3, engine=engine).indices[0].tolist() == [1, 2, 3]


@pytest.mark.parametrize("engine", ENGINES)
def test_zero_rows_are_counted_and_have_similarity_zero(engine):
    x = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 0.1], [-1.0, 0.0]])
    graph = knn(x, 2, engine=engine)
    assert graph.zero_rows == 1
    assert graph.indices[0].tolist() == [1, 2]
    assert graph.weights[0].tolist() == [0.0, 0.0]
    assert np.isfinite(graph.weights).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_constant_row_has_no_direction_under_pearson(engine):
    x = np.vstack((np.full((1, 7), 0.1), np.random.default_rng(0).normal(size=(9, 7))))
    assert knn(x, 2, metric="pearson", engine=engine).zero_rows == 1


@settings(max_examples=60)
@given(
    x=hnp.arrays(
        np.float32,
        st.tuples(st.integers(5, 24), st.integers(1, 6)),
        elements=st.sampled_from([-2.0, -1.0, 0.0, 0.5, 1.0, 3.0]),
    ),
    k=st.integers(1, 4),
    metric=st.sampled_from(["cosine", "pearson"]),
)
def test_engines_equal_the_reference(x, k, metric):
    reference = knn(x, k, metric=metric, engine="reference")
    for engine in ENGINES[1:]:
        assert_same(knn(x, k, metric=metric, engine=engine), reference)


@settings(max_examples=30)
@given(seed=st.integers(0, 1000), scale=st.floats(1e-3, 1e3))
def test_similarity_does_not_depend_on_row_length(seed, scale):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(20, 6))
    lengths = rng.uniform(0.5, 2.0, (20, 1)) * scale
    a, b = knn(x, 3), knn(x * lengths, 3)
    np.testing.assert_allclose(a.weights, b.weights, atol=1e-6)


@pytest.mark.parametrize("engine", ENGINES[1:])
@pytest.mark.parametrize("rows", [1, 7, 64, 149])
@pytest.mark.parametrize("metric", ["cosine", "pearson"])
def test_blocks_give_what_the_whole_gives(rows, metric, engine):
    x = load_digits().data[:150].astype(np.float32)
    budget = rows * 16 * x.shape[1]
    blocked = knn(x, 4, metric=metric, engine=engine, memory=budget)
    assert_same(blocked, knn(x, 4, metric=metric, engine="reference"))


@pytest.mark.parametrize("memory", [None, 112_000])
@pytest.mark.parametrize("engine", ENGINES)
def test_noise_of_a_sum_near_zero_decides_no_tie(engine, memory):
    """Row 0 is orthogonal to all others but for the rounding of its sum."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=500), rng.normal(size=(400, 500))
    x = np.vstack((np.concatenate((a, a)), np.hstack((b, -b)))).astype(np.float32)
    options = {} if engine == "reference" else {"memory": memory}
    graph = knn(x, 3, engine=engine, **options)
    assert graph.indices[0].tolist() == [1, 2, 3]
    assert graph.weights[0].tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("engine", ENGINES[1:])
def test_many_ties_and_zero_rows_need_little_memory(engine):
    """Half the rows zero, the others in two heaps: every row is a tie of hundreds."""
    n = 2000
    x = np.zeros((n, 16), np.float32)
    x[n // 2 :, 0] = 1.0
    x[-n // 4 :, 1] = 1.0
    tracemalloc.start()
    graph = knn(x, 3, engine=engine)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert graph.zero_rows == n // 2
    assert graph.indices[0].tolist() == [1, 2, 3]
    assert graph.indices[2].tolist() == [0, 1, 3]
    assert graph.indices[n // 2].tolist() == [n // 2 + 1, n // 2 + 2, n // 2 + 3]
    # all similarities of the rows that tie, in float64 with their indices, would be 24 MB x 4
    assert peak < 80e6


def test_auto_goes_by_rows_and_width():
    assert knn(np.eye(4), 1).engine == "faiss"
    x = np.random.default_rng(0).normal(size=(CERTIFIED_FROM, NARROW + 1))
    assert knn(x[1:], 1).engine == "faiss"
    assert knn(x[:, 1:], 1).engine == "faiss"
    assert knn(x, 1).engine == "certified"


def test_the_choice_is_explained():
    wide, narrow = NARROW + 1, NARROW
    said = "certified (auto: no fewer than 1500 samples)"
    assert explain_engine("auto", 2000, [wide, wide]) == said
    said = "certified, in layers of up to 512 values faiss (auto: no fewer than 1500 samples)"
    assert explain_engine("auto", 2000, [wide, narrow]) == said
    said = "faiss (auto: no layer has more than 512 values)"
    assert explain_engine("auto", 2000, [narrow]) == said
    assert explain_engine("auto", 1499, [wide]) == "faiss (auto: fewer than 1500 samples)"
    for engine in ("hnsw", "reference", "certified", "faiss"):
        assert explain_engine(engine, 2000, [wide, narrow]) == engine
    assert explain_engine("faiss", 2000, [wide], device="cpu") == "faiss"
    assert " products on the CPU" in explain_engine("auto", 2000, [wide], device="cpu")


@pytest.mark.parametrize(
    ("x", "k", "options", "message"),
    [
        (np.eye(5), 5, {}, "k=5 needs at least 6 samples, this run has 5; lower --k"),
        (np.eye(5), 2.5, {}, "k=2.5 is no whole number; use --k 3"),
        (np.eye(5), 1, {"memory": "1GiB"}, "memory='1GiB' is no number of bytes; pass bytes"),
        (np.eye(5) * 1j, 1, {}, "complex features have no similarity"),
        (np.eye(5), 0, {}, "k=0 leaves a graph without edges; use --k 1"),
        (np.ones(5), 1, {}, r"features of shape \(5,\) are no table"),
        (np.eye(5), 1, {"metric": "l2"}, "no metric 'l2'; choose one of"),
        (np.eye(5), 1, {"engine": "annoy"}, "no engine 'annoy'; choose one of auto, reference"),
    ],
)
def test_wrong_arguments_are_named(x, k, options, message):
    with pytest.raises(GraphError, match=message):
        knn(x, k, **options)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_features_that_are_not_finite_are_refused(engine, bad):
    x = np.ones((6, 3))
    x[4, 1] = bad
    with pytest.raises(ActivationError, match="row 4 of the features holds NaN or infinity"):
        knn(x, 2, engine=engine)


def test_cuda_without_a_gpu_is_an_error():
    from graphs.neighbors.faiss_library import faiss

    if faiss.get_num_gpus():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ResourceError, match="FAISS sees no GPU"):
        knn(np.eye(4), 1, device="cuda")


class Resources:
    def setTempMemory(self, size):  # noqa: N802 (FAISS' name)
        assert size <= 1 << 30


@pytest.fixture
def small_gpu(monkeypatch):
    """FAISS as on a GPU with room for `limit` base rows."""
    from graphs.neighbors.faiss_library import faiss

    def install(limit):
        def knn_gpu(
            _,
            queries,
            base,
            m,
            metric,
            *,
            vectorsMemoryLimit,
            queriesMemoryLimit,
        ):
            # as FAISS asks for
            assert vectorsMemoryLimit >= 4 * base.shape[1] * (m + 1)
            assert queriesMemoryLimit >= 4 * queries.shape[1] + 12 * m
            if len(base) > limit:
                raise RuntimeError(
                    "Error: 'err == cudaSuccess' failed: StandardGpuResources: alloc"
                )
            return faiss.knn(queries, base, m, metric=metric)

        monkeypatch.setattr(faiss, "knn_gpu", knn_gpu)
        monkeypatch.setattr(faiss, "StandardGpuResources", Resources)
        monkeypatch.setattr(faiss, "get_num_gpus", lambda: 1)

    return install


def test_a_gpu_without_room_searches_in_halves(small_gpu):
    x = load_digits().data[:150]
    small_gpu(40)
    assert_same(knn(x, 60, engine="faiss"), knn(x, 60, engine="reference"))


def test_a_gpu_without_room_for_a_row_is_an_error(small_gpu):
    small_gpu(0)
    with pytest.raises(ResourceError, match="no room for 6 rows of 3 features; use --device cpu"):
        knn(np.ones((6, 3)), 2, engine="faiss")


@pytest.mark.gpu
def test_a_gpu_gives_the_same_neighbours():
    x = load_digits().data
    cuda, cpu = (knn(x, 5, engine="faiss", device=device) for device in ("cuda", "cpu"))
    assert_same(cuda, cpu)
