from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.datasets import load_digits

from graphs.errors import ActivationError, GraphError
from graphs.neighbors import knn
from graphs.neighbors.pairs import (
    BlockLinks,
    block_ranges,
    block_size,
    link_pair,
    merge_blocks,
    merge_pairs,
)


def by_pairs(x, k, size, metric="cosine", engine="faiss"):
    """Link the upper triangle of blocks, last pair first, and put it together."""
    blocks = block_ranges(len(x), size)
    found = []
    for i, first in reversed(list(enumerate(blocks))):
        for second in blocks[i:]:
            found += link_pair(x, first, second, k=k, metric=metric, engine=engine, device="cpu")
    return merge_pairs(found, metric=metric, engine="faiss")


def assert_same(a, b):
    np.testing.assert_array_equal(a.indices, b.indices)
    np.testing.assert_array_equal(a.weights, b.weights)
    assert a.indices.dtype == b.indices.dtype
    assert a.weights.dtype == b.weights.dtype
    assert (a.zero_rows, a.exact, a.metric) == (b.zero_rows, b.exact, b.metric)


def test_cosines_of_known_angles_in_two_blocks():
    # rows 0 and 1 at 0 and 30 degrees; rows 2 and 3 at 90 and 180
    angles = np.deg2rad([0.0, 30.0, 90.0, 180.0])
    x = np.column_stack((np.cos(angles), np.sin(angles)))
    there, back = link_pair(x, range(2), range(2, 4), k=1, metric="cosine", device="cpu")
    assert (there.rows, there.base) == (range(2), range(2, 4))
    assert (back.rows, back.base) == (range(2, 4), range(2))
    assert there.indices.tolist() == [[2], [2]]  # cos 90 > cos 180, cos 60 > cos 150
    np.testing.assert_allclose(there.weights, [[0], [1 / 2]], atol=1e-7)
    assert back.indices.tolist() == [[1], [1]]
    np.testing.assert_allclose(back.weights, [[1 / 2], [-(3**0.5) / 2]], atol=1e-7)


@pytest.mark.parametrize("metric", ["cosine", "pearson"])
@pytest.mark.parametrize("size", [7, 64, 149, 1000])
@pytest.mark.parametrize("engine", ["faiss", "certified"])
def test_digits_in_blocks_are_the_digits_at_once(size, metric, engine):
    x = load_digits().data[:150]
    expected = knn(x, 5, metric=metric, engine="reference")
    assert_same(by_pairs(x, 5, size, metric, engine), expected)
    assert_same(by_pairs(x, 5, size, metric), knn(x, 5, metric=metric, engine="faiss"))


# few values, so that ties, equal rows and rows of zeros are common
SMALL = hnp.arrays(
    np.float32,
    st.tuples(st.integers(2, 40), st.integers(1, 3)),
    elements=st.sampled_from([0.0, 1.0, -1.0, 2.0]),
)


@given(x=SMALL, data=st.data())
@settings(max_examples=100)
def test_any_block_size_gives_what_the_reference_gives(x, data):
    k = data.draw(st.integers(1, len(x) - 1), label="k")
    size = data.draw(st.integers(1, len(x) + 1), label="block size")
    metric = data.draw(st.sampled_from(["cosine", "pearson"]), label="metric")
    engine = data.draw(st.sampled_from(["faiss", "certified"]), label="engine")
    expected = knn(x, k, metric=metric, engine="reference")
    assert_same(by_pairs(x, k, size, metric, engine), expected)


@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_rows_that_are_nearly_equal_duplicates_and_zeros(data, seed):
    """More of them than spare candidates: rows must be settled by measuring everything."""
    draw = np.random.default_rng(seed)
    n = data.draw(st.integers(30, 90), label="n")
    x = np.ones((n, 8)) + draw.normal(scale=1e-6, size=(n, 8))
    x[draw.integers(0, n, n // 3)] = x[0]
    x[draw.integers(0, n, n // 6)] = 0
    size = data.draw(st.integers(1, n), label="block size")
    k = data.draw(st.integers(1, 10), label="k")
    assert_same(by_pairs(x, k, size), knn(x, k, engine="reference"))


def test_a_block_with_fewer_than_k_rows_is_padded():
    x = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    (alone,) = link_pair(x, range(1), range(1), k=2, metric="cosine", device="cpu")
    assert alone.indices.tolist() == [[-1, -1]]
    assert alone.weights.tolist() == [[-np.inf, -np.inf]]
    there, back = link_pair(x, range(1), range(1, 3), k=3, metric="cosine", device="cpu")
    assert there.indices.tolist() == [[1, 2, -1]]
    assert back.indices.tolist() == [[0, -1, -1], [0, -1, -1]]
    assert (there.zero_rows, back.zero_rows) == (0, 1)


def test_rows_without_direction_are_counted_once():
    x = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    graph = by_pairs(x, 2, 2)
    assert graph.zero_rows == 3
    assert graph.indices[[0, 2, 4]].tolist() == [[1, 2], [0, 1], [0, 1]]


def test_only_the_rows_of_the_two_blocks_are_read():
    class Recorded:
        shape = (8, 3)

        def __init__(self):
            self.read = []

        def __getitem__(self, rows):
            self.read.append((rows.start, rows.stop))
            return np.eye(8, 3)[rows]

    rows = Recorded()
    link_pair(rows, range(2, 4), range(6, 8), k=1, metric="cosine", device="cpu")
    assert rows.read == [(2, 4), (6, 8)]


def test_block_size_counts_twenty_bytes_a_feature():
    # two blocks, each as 4-byte unit rows and 2-byte residuals; the rest for reading and tiles
    assert block_size(width=1024, memory=1 << 20) == (1 << 20) // (20 * 1024)
    assert block_size(width=10**9, memory=1) == 1


def test_block_ranges_cover_the_rows():
    assert block_ranges(7, 3) == [range(3), range(3, 6), range(6, 7)]


def test_overlapping_blocks_are_refused():
    with pytest.raises(GraphError, match="rows 0 to 3 and 2 to 5 overlap; pass the same block"):
        link_pair(np.eye(6), range(3), range(2, 5), k=1, metric="cosine", device="cpu")


def test_a_pair_that_is_missing_is_noticed():
    x = np.eye(6)
    a, b, c = block_ranges(6, 2)
    some = [*link_pair(x, a, a, k=1, metric="cosine"), *link_pair(x, a, b, k=1, metric="cosine")]
    with pytest.raises(GraphError, match="rows 0 to 2 of 4 are not compared|rows 2 to 4 of 4"):
        merge_pairs(some, metric="cosine", engine="faiss")
    hole = [*link_pair(x, a, a, k=1, metric="cosine"), link_pair(x, a, c, k=1, metric="cosine")[0]]
    with pytest.raises(GraphError, match="do not follow on those of 0 to 2 among 0 to 2"):
        merge_blocks(hole)


def test_a_pair_that_came_twice_is_noticed():
    (once,) = link_pair(np.eye(3), range(3), range(3), k=1, metric="cosine", device="cpu")
    with pytest.raises(GraphError, match="every base block once"):
        merge_blocks([once, once])


def test_blocks_of_rows_that_are_missing_are_noticed():
    part = BlockLinks(
        rows=range(2, 4),
        base=range(4),
        indices=np.zeros((2, 1), np.int32),
        weights=np.zeros((2, 1), np.float32),
        zero_rows=0,
    )
    with pytest.raises(GraphError, match="rows 0 to 4 of 4 are not compared with all others"):
        merge_pairs([part], metric="cosine", engine="faiss")


def test_a_number_that_is_not_finite_is_named():
    x = np.ones((4, 2))
    x[3, 1] = np.nan
    with pytest.raises(ActivationError, match="row 3 of the features holds NaN"):
        link_pair(x, range(2), range(2, 4), k=1, metric="cosine", device="cpu")


def test_rows_are_counted_once_by_what_they_took_at_most():
    x = np.eye(4)
    links = link_pair(x, range(4), range(4), k=1, metric="cosine", engine="certified")[0]
    parts = [
        replace(links, base=range(2), effort=np.array([0, 1, 2, 0], np.uint8)),
        replace(links, base=range(2, 4), effort=np.array([0, 0, 1, 1], np.uint8)),
    ]
    graph = merge_pairs(parts, metric="cosine", engine="certified")
    assert (graph.certified, graph.repaired, graph.recomputed) == (1, 2, 1)


def test_rows_that_cannot_be_told_apart_are_recomputed_in_pairs_too():
    x = 1 + 1e-6 * np.random.default_rng(0).normal(size=(1200, 700)).astype(np.float32)
    first, second = block_ranges(1200, 600)
    there, back = link_pair(x, first, second, k=3, metric="cosine", engine="certified")
    assert (there.effort == 2).all()
    assert (back.effort == 2).all()
    assert there.product in ("bfloat16", "float32")


def test_machines_that_multiply_in_different_types_are_said():
    x = np.eye(4)
    links = link_pair(x, range(4), range(4), k=1, metric="cosine", engine="certified")[0]
    halves = [
        replace(links, base=range(2), product="bfloat16"),
        replace(links, base=range(2, 4), product="float32"),
    ]
    assert merge_pairs(halves, metric="cosine", engine="certified").product == "mixed"
