"""Flow and events between layers made by hand, and what must hold for any partitions."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs.errors import GraphError
from graphs.matching import MATCHED, match_communities
from graphs.temporal import Event, community_events, community_flow

partitions = st.integers(1, 25).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(0, 6), min_size=n, max_size=n)] * 2)
)


def test_nothing_happens_to_communities_that_only_change_names():
    assert community_events([0, 0, 1, 1, 1], [4, 4, 2, 2, 2]) == []


def test_one_event_of_each_kind():
    # 0 and 1 merge into 0; 2 splits into 2 and 5; 3 goes apart; 6 is put together from parts of 4
    previous = [0] * 3 + [1] * 3 + [2] * 6 + [3] * 4 + [4] * 10
    current = [0] * 6 + [2] * 3 + [5] * 3 + [2, 5, 0, 4] + [6] * 2 + [4] * 8
    assert community_events(previous, current) == [
        # 2 of 10
        Event("birth", 6, 2, (4,), 2 / 10),
        # 3 of the 7 that are in either
        Event("merge", 0, 7, (0, 1), 3 / 7),
        # 3 of 6 + 4 − 3
        Event("split", 2, 6, (2, 5), 3 / 7),
        # one node to each of four: the first by number is told, the best is 1 of 4 + 4 − 1
        Event("death", 3, 4, (0,), 1 / 7),
    ]


def test_the_threshold_decides():
    # 2 of 4 nodes stay, 2 come: Jaccard 2/6
    previous, current = [0, 0, 0, 0, 1, 1, 1], [0, 0, 2, 2, 0, 0, 2]
    kinds = [event.kind for event in community_events(previous, current, threshold=2 / 6)]
    assert "split" in kinds
    assert {event.kind for event in community_events(previous, current, threshold=1.0)} == {
        "birth", "death",
    }  # fmt: skip


def test_a_node_alone_is_neither_born_nor_dies():
    assert community_events([0, 0, 0, 0, 1], [0, 0, 0, 0, 0]) == []
    assert community_events([0, 0, 0, 0, 0], [0, 0, 0, 0, 1]) == []


@given(partitions)
def test_flow_is_the_cross_table(pair):
    flow = community_flow(*pair)
    table = pd.crosstab(np.array(pair[0]), np.array(pair[1])).stack()
    table = table[table > 0]
    assert list(zip(flow.previous, flow.current, strict=True)) == table.index.tolist()
    assert flow.count.tolist() == table.tolist()
    assert flow.count.sum() == len(pair[0])


@given(partitions)
def test_backwards_births_are_deaths_and_merges_are_splits(pair):
    there, back = community_events(*pair), community_events(*pair[::-1])
    mirror = {"birth": "death", "death": "birth", "merge": "split", "split": "merge"}
    assert {event._replace(kind=mirror[event.kind]) for event in there} == set(back)


@given(partitions)
def test_what_is_born_has_a_number_of_its_own(pair):
    previous, current = np.array(pair[0]), np.array(pair[1])
    matched = match_communities(previous, current, threshold=MATCHED)
    for event in community_events(previous, matched):
        if event.kind == "birth":
            assert event.community not in previous
        if event.kind == "death":
            assert event.community not in matched
        if event.kind in ("merge", "split"):
            assert len(event.others) > 1
            assert event.jaccard >= MATCHED


@pytest.mark.parametrize("threshold", [0, -0.1, 1.01, float("nan")])
def test_thresholds_out_of_range_are_refused(threshold):
    with pytest.raises(GraphError, match=f"threshold={threshold} is no Jaccard overlap; use 0.3"):
        community_events([0, 0], [0, 0], threshold=threshold)


def test_partitions_of_other_nodes_are_refused():
    with pytest.raises(GraphError, match="cannot be compared"):
        community_flow([0, 0], [0, 0, 1])
