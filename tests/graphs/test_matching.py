"""Communities matched from layer to layer, by hand and by brute force."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from graphs.communities import number_by_size
from graphs.errors import GraphError
from graphs.matching import match_communities, match_series

partitions = st.integers(1, 25).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(0, 6), min_size=n, max_size=n)] * 2)
)


def test_a_community_keeps_its_number():
    assert match_communities([0, 0, 0, 1, 1, 2], [2, 2, 2, 0, 0, 1]).tolist() == [0, 0, 0, 1, 1, 2]


def test_of_a_split_the_larger_part_keeps_the_number():
    # Jaccard 3/5 against 2/5; number 1 is in use, so the new community is 2.
    previous = [0, 0, 0, 0, 0, 1, 1, 1]
    assert match_communities(previous, [5, 5, 6, 6, 6, 7, 7, 7]).tolist() == [
        *[2, 2, 0, 0, 0],
        *[1, 1, 1],
    ]


def test_of_a_merge_the_larger_part_gives_the_number():
    assert match_communities([0, 0, 1, 1, 1], [4, 4, 4, 4, 4]).tolist() == [1] * 5


def test_without_overlap_there_is_no_match():
    # Every node of 1 goes to the community that continues 0: what is left over is new, not 1.
    assert match_communities([0, 0, 0, 0, 1], [0, 0, 3, 0, 0]).tolist() == [0, 0, 2, 0, 0]


def test_one_is_matched_against_the_sum_not_greedily():
    # The best pair first is not always part of the best sum: compared with every assignment.
    rng = np.random.default_rng(4)
    for _ in range(50):
        previous, current = rng.integers(0, 4, (2, 12))
        matched = match_communities(previous, current)
        assert total_overlap(previous, matched) == pytest.approx(best_overlap(previous, current))


def jaccard(previous, current):
    olds, news = np.unique(previous), np.unique(current)
    return np.array(
        [
            [
                np.sum((previous == o) & (current == c)) / np.sum((previous == o) | (current == c))
                for c in news
            ]
            for o in olds
        ]
    )


def total_overlap(previous, matched):
    return sum(
        np.sum((previous == c) & (matched == c)) / np.sum((previous == c) | (matched == c))
        for c in np.intersect1d(previous, matched)
    )


def best_overlap(previous, current):
    table = jaccard(previous, current)
    if table.shape[0] > table.shape[1]:
        table = table.T
    return max(
        sum(table[i, j] for i, j in enumerate(columns))
        for columns in permutations(range(table.shape[1]), table.shape[0])
    )


@given(partitions)
def test_matching_keeps_the_partition_and_is_optimal(pair):
    previous, current = np.array(pair[0]), np.array(pair[1])
    matched = match_communities(previous, current)
    assert number_by_size(matched).tolist() == number_by_size(current).tolist()
    table = jaccard(previous, current)
    rows, columns = linear_sum_assignment(table, maximize=True)
    assert total_overlap(previous, matched) == pytest.approx(table[rows, columns].sum())
    # Small numbers: none beyond what both partitions together need.
    assert matched.max() < max(previous.max() + 1, len(table) + table.shape[1])


@given(partitions)
def test_equal_partitions_keep_all_numbers(pair):
    a = np.array(pair[0])
    assert match_communities(a, number_by_size(a)).tolist() == a.tolist()


def test_series():
    layers = [[3, 3, 3, 1, 1, 2], [0, 0, 0, 2, 2, 1], [1, 1, 1, 1, 1, 0], [0, 0, 0, 1, 1, 2]]
    assert [part.tolist() for part in match_series(layers)] == [
        [0, 0, 0, 1, 1, 2],
        [0, 0, 0, 1, 1, 2],
        [0, 0, 0, 0, 0, 2],
        [0, 0, 0, 1, 1, 2],
    ]
    assert match_series([]) == []
    apart = [[0] * 5 + [1] * 5, [0, 0, 0, 1, 1] * 2]  # overlaps of 3/8 and 2/7
    assert match_series(apart)[1].tolist() == [0, 0, 0, 1, 1] * 2
    assert match_series(apart, threshold=0.376)[1].tolist() == [2, 2, 2, 3, 3] * 2


def test_what_overlaps_too_little_is_not_matched():
    # 1 keeps a node of 0's four, Jaccard 1/4; the rest of 0 is 2 of 4.
    previous, current = [0, 0, 0, 0, 1, 1], [5, 5, 6, 7, 6, 6]
    assert match_communities(previous, current).tolist() == [0, 0, 1, 2, 1, 1]
    apart = [0] * 5 + [1] * 5, [0, 0, 0, 1, 1] * 2
    assert match_communities(*apart, threshold=3 / 8).tolist() == [0, 0, 0, 2, 2] * 2
    assert match_communities(*apart, threshold=0.376).tolist() == [2, 2, 2, 3, 3] * 2


@pytest.mark.parametrize("other", [[0, 1, 2], [[0, 1]]])
def test_partitions_of_other_nodes_are_refused(other):
    with pytest.raises(GraphError, match="cannot be compared; give two partitions of the same"):
        match_communities([0, 1], other)
