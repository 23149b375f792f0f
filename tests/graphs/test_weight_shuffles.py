from collections import Counter
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.stats import chisquare

from graphs.errors import GraphError
from graphs.neuron_graph import WeightBlock, layered_graph
from graphs.spectral import normalized_cut, spectral_partition
from graphs.weight_shuffles import NULLS, compare_with_null, shuffle_block, shuffled_partition


def block(matrix):
    rows, columns = np.shape(matrix)
    ends = np.arange(rows + columns, dtype=np.int32)
    return WeightBlock(
        name="0", weights=csr_array(matrix), sources=(ends[:rows],), targets=ends[rows:]
    )


def weights(seed, shape=(9, 7), density=0.4):
    rng = np.random.default_rng(seed)
    return rng.uniform(1, 2, shape) * (rng.random(shape) < density)


def shuffled(matrix, null, seed=0):
    return shuffle_block(block(matrix), null, np.random.default_rng(seed)).weights.toarray()


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.sampled_from([0.1, 0.5, 0.9, 1.0]), st.booleans())
def test_what_each_null_model_keeps(seed, density, tall):
    before = weights(seed, (9, 7) if tall else (5, 8), density)
    found = {null: shuffled(before, null, seed) for null in NULLS}
    for after in found.values():
        assert (np.sort(after.ravel()) == np.sort(before.ravel())).all()
    assert ((found["layer_nonzero"] > 0) == (before > 0)).all()
    degree = found["degree"]
    for axis in (0, 1):
        assert ((degree > 0).sum(axis=axis) == (before > 0).sum(axis=axis)).all()
    # the weights that go out of each neuron, and so its strength
    assert (np.sort(degree, axis=1) == np.sort(before, axis=1)).all()
    assert degree.sum(axis=1) == pytest.approx(before.sum(axis=1))


def test_shuffling_moves_things():
    before = weights(0)
    for null in NULLS:
        assert (shuffled(before, null) != before).any()
    assert ((shuffled(before, "layer") > 0) != (before > 0)).any()
    assert ((shuffled(before, "degree") > 0) != (before > 0)).any()


@pytest.mark.parametrize("inverted", [False, True])
def test_rewiring_is_uniform_among_patterns_of_these_degrees(inverted):
    """All 15 patterns of these sums come up alike, also where most places are filled."""
    start = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [1, 0, 0, 1]])
    sums = [start.sum(axis=axis).tolist() for axis in (0, 1)]
    everything = [
        cells
        for cells in product((0, 1), repeat=12)
        if [np.reshape(cells, (3, 4)).sum(axis=axis).tolist() for axis in (0, 1)] == sums
    ]
    rng = np.random.default_rng(0)
    matrix = (1.0 - start if inverted else start.astype(float)) * 2
    counts = Counter()
    for _ in range(600):
        after = shuffle_block(block(matrix), "degree", rng).weights.toarray() > 0
        counts[tuple((after ^ inverted).astype(int).ravel())] += 1
    assert counts.keys() == set(everything)
    assert chisquare(list(counts.values())).pvalue > 1e-3


def test_places_of_the_layer_null_are_uniform():
    matrix = np.array([[1.0, 0], [0, 0], [0, 2.0]])
    rng = np.random.default_rng(0)
    total = sum(shuffle_block(block(matrix), "layer", rng).weights.toarray() for _ in range(1200))
    assert total == pytest.approx(np.full((3, 2), 1200 * 3 / 6), rel=0.15)


def test_a_shuffle_depends_on_its_number_and_the_seed_alone():
    graph = layered_graph([weights(1, (20, 15)), weights(2, (15, 6))])
    found = [
        [shuffled_partition(graph, null, 3, seed=5, number=number) for number in (0, 1)]
        for null in NULLS
    ]
    again = shuffled_partition(graph, NULLS[1], 3, seed=5, number=1)
    assert again == found[1][1]
    assert len({result.ncut for row in found for result in row}) == 6
    assert shuffled_partition(graph, NULLS[1], 3, seed=6, number=1) != again


def test_planted_modules_lie_far_below_every_null_model():
    rng = np.random.default_rng(0)
    part = [rng.integers(3, size=width) for width in (40, 30, 20)]
    graph = layered_graph(
        [
            rng.uniform(0.5, 1, (len(a), len(b))) * np.where(a[:, None] == b, 1, 0.05)
            for a, b in pairwise(part)
        ]
    )
    ncut = normalized_cut(graph.adjacency, spectral_partition(graph.adjacency, 3, seed=0))
    for null in NULLS:
        values = [shuffled_partition(graph, null, 3, seed=0, number=i).ncut for i in range(19)]
        test = compare_with_null(ncut, values)
        assert test.p == 1 / 20
        assert test.z < -5


def test_ties_count_against_significance():
    test = compare_with_null(2.0, [2.0, 1.0, 3.0, 4.0])
    assert test.at_most == 2
    assert test.p == (1 + 2) / (4 + 1)
    assert test.mean == 2.5
    assert test.sd == pytest.approx(np.sqrt((0.25 + 2.25 + 0.25 + 2.25) / 4))
    assert test.z == pytest.approx(-0.5 / test.sd)
    assert (test.low, test.high) == (1, 4)


def test_shuffles_that_all_give_the_same_have_no_z():
    test = compare_with_null(3.0, [3.0, 3.0 - 1e-15])
    assert np.isnan(test.z)
    assert test.p == 1


def test_no_shuffles_are_refused():
    with pytest.raises(GraphError, match="no shuffles to compare with; give --shuffles"):
        compare_with_null(1.0, [])
