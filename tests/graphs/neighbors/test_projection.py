"""Random projection: what it keeps, and that blocks, memory and repetition change nothing."""

import numpy as np
import pytest

from graphs.errors import ActivationError
from graphs.modularity import modularity
from graphs.neighbors import knn
from graphs.neighbors.projection import Projection, draw_sample, gather, project_rows
from graphs.neighbors.rows import unit_rows
from graphs.projection_effect import projection_q_shift


def features(n=400, width=900, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    centres = rng.normal(size=(classes, width))
    rows = 1 + 0.5 * centres[labels] + rng.normal(size=(n, width))
    return rows.astype(np.float32), labels


class Slices:
    """Rows that are only read in slices, as shards are, and count what was read."""

    def __init__(self, rows):
        self._rows, self.shape, self.longest = rows, rows.shape, 0

    def __getitem__(self, rows):
        found = self._rows[rows]
        self.longest = max(self.longest, len(found))
        return found


def test_inner_products_are_kept_in_the_mean():
    rows, _ = features(n=60)
    unit = unit_rows(rows, 0, 60, metric="cosine")
    true = unit @ unit.T
    draws = [Projection.fit(unit, 128, seed=seed).apply(unit) for seed in range(60)]
    products = np.stack([short @ short.T for short in draws])
    off = ~np.eye(60, dtype=bool)
    # the mean of 60 draws is within five standard errors of each true product
    error = products.std(axis=0) / 60**0.5
    assert (np.abs(products.mean(axis=0) - true)[off] < 5 * error[off]).all()
    # and a draw as precise as 127 random values are: sqrt((|r|² |s|² + (r s)²) / 127), where r is
    # what a row has beside the mean direction
    along = draws[0][:, 0]
    beside = true - np.outer(along, along)
    length = 1 - along**2
    allowed = np.sqrt((np.outer(length, length) + beside**2) / 127)
    assert np.median((products.std(axis=0) / allowed)[off]) == pytest.approx(1, abs=0.1)


def test_the_mean_direction_is_kept_exactly():
    rows, _ = features(n=50)
    unit = unit_rows(rows, 0, 50, metric="cosine")
    mean = unit.sum(axis=0, dtype=np.float64)
    short = Projection.fit(unit, 16, seed=0).apply(unit)
    assert short.shape == (50, 16)
    np.testing.assert_allclose(short[:, 0], unit @ mean / np.linalg.norm(mean), atol=1e-6)
    assert Projection.fit(unit, 1, seed=0).apply(unit).shape == (50, 1)


def test_one_seed_one_projection():
    rows, _ = features(n=80)
    short = [project_rows(rows, 32, metric="cosine", seed=seed) for seed in (3, 3, 4)]
    np.testing.assert_array_equal(short[0], short[1])
    assert (short[0] != short[2]).any()


@pytest.mark.parametrize("metric", ["cosine", "pearson"])
def test_blocks_give_what_the_whole_gives(metric):
    rows, _ = features(n=500, width=64)
    whole = project_rows(rows, 16, metric=metric, seed=0)
    shards = Slices(rows)
    # an eighth of it are 500 rows of 64 float32: the same sample; six copies of a block fit
    budget = 8 * 500 * 64 * 4
    blocked = project_rows(shards, 16, metric=metric, seed=0, memory=budget)
    np.testing.assert_array_equal(blocked[0:500], whole)
    assert shards.longest * 64 * 4 * 6 <= budget


def test_rows_are_projected_when_read_where_they_do_not_fit():
    rows, _ = features(n=2000, width=64)
    lazy = project_rows(Slices(rows), 60, metric="cosine", seed=0, memory=200_000)
    assert not isinstance(lazy, np.ndarray)
    assert lazy.shape == (2000, 60)
    np.testing.assert_array_equal(lazy[100:300], lazy[0:2000][100:300])
    held = project_rows(rows, 2, metric="cosine", seed=0, memory=200_000)
    assert isinstance(held, np.ndarray)


def test_neighbours_are_those_of_the_projected_rows():
    rows, _ = features()
    short = project_rows(rows, 64, metric="pearson", seed=5)
    found = knn(rows, 4, metric="pearson", project=64, seed=5, engine="faiss")
    expected = knn(short, 4, engine="reference")
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_array_equal(found.weights, expected.weights)
    assert (found.metric, found.engine, found.project) == ("pearson", "faiss", 64)
    assert (found.exact, found.recall) == (False, 1.0)


@pytest.mark.parametrize("dim", [900, 901])
def test_rows_that_are_no_longer_are_left_as_they_are(dim):
    rows, _ = features(n=50)
    found, own = knn(rows, 4, project=dim), knn(rows, 4)
    np.testing.assert_array_equal(found.indices, own.indices)
    assert (found.exact, found.project) == (True, 0)


def test_zero_rows_stay_zero():
    rows, _ = features(n=50)
    rows[7] = 0
    assert knn(rows, 4, project=30).zero_rows == 1
    assert not project_rows(rows, 30, metric="cosine", seed=0)[7].any()


@pytest.mark.parametrize("engine", ["hnsw", "ivf"])
def test_indexes_search_projected_rows(engine):
    rows, _ = features()
    found = knn(rows, 4, engine=engine, project=64, recall=0.9)
    exact = knn(rows, 4, engine="reference", project=64)
    # every row was looked at: the recall is the true one, among projected rows
    true = (found.weights >= exact.weights[:, -1:]).mean()
    assert found.recall == pytest.approx(true, abs=1e-12)
    assert found.recall >= 0.9


def test_the_shift_is_q_with_less_q_without():
    rows, labels = features()
    shift = projection_q_shift(rows, labels, 3, dim=20, metric="cosine", seed=2)
    own = knn(rows, 3)
    short = knn(rows, 3, project=20, seed=2)
    q = [float(modularity(graph.indices, graph.weights, labels)) for graph in (own, short)]
    assert shift == pytest.approx(q[1] - q[0], abs=1e-6)
    assert shift < -0.05
    finer = projection_q_shift(rows, labels, 3, dim=600, metric="cosine", seed=2)
    assert abs(finer) < abs(shift) / 2


def test_no_shift_where_q_has_no_meaning():
    rows, labels = features(n=50)
    assert projection_q_shift(rows, labels * 0, 3, dim=20, metric="cosine", seed=0) is None


def test_samples_are_drawn_once_and_fit_the_memory():
    rows = np.zeros((3000, 8), np.float32)
    drawn = draw_sample(rows, seed=1)
    assert len(set(drawn)) == 1000
    np.testing.assert_array_equal(drawn, np.sort(drawn))
    np.testing.assert_array_equal(drawn, draw_sample(rows, seed=1))
    # an eighth of 8 x 4 x 8 x 100 bytes are 100 rows of 8 float32
    assert len(draw_sample(rows, seed=1, memory=8 * 4 * 8 * 100)) == 100


def test_gathered_rows_are_unit_rows():
    rows, _ = features(n=300)
    which = np.array([0, 5, 299])
    expected = unit_rows(rows, 0, 300, metric="pearson")[which]
    memory = 6 * 4 * 900 * 7  # blocks of 7 rows
    found = gather(Slices(rows), which, metric="pearson", memory=memory)
    np.testing.assert_array_equal(found, expected)


def test_features_that_are_not_finite_are_refused():
    rows, _ = features(n=50)
    rows[31, 4] = np.inf
    with pytest.raises(ActivationError, match="row 31 of the features holds NaN or infinity"):
        project_rows(rows, 10, metric="cosine", seed=0)
