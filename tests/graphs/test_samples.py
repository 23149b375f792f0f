"""The labels that neighbours carry, by hand on graphs of a few samples."""

import numpy as np
import pandas as pd
import pytest

from graphs.errors import GraphError
from graphs.metric_rows import node_rows
from graphs.neighbors import knn
from graphs.neighbors.knn_graph import KnnGraph
from graphs.samples import neighbor_votes, sample_table, settled_layer
from graphs.snapshots import Snapshot


def graph(indices, weights=None):
    indices = np.array(indices, dtype=np.int32)
    weights = np.ones(indices.shape) if weights is None else weights
    return KnnGraph(
        indices=indices,
        weights=np.array(weights, dtype=np.float32),
        metric="cosine",
        engine="reference",
        exact=True,
    )


# cats 0 1 2, dogs 3 4 5; in MIXED cat 2 lies among the dogs
PURE = graph([[1, 2], [0, 2], [0, 1], [4, 5], [3, 5], [3, 4]])
MIXED = graph([[1, 2], [0, 2], [3, 4], [4, 5], [3, 5], [3, 4]])
CROSSED = graph([[3, 4], [3, 4], [3, 4], [0, 1], [0, 1], [0, 1]])
LABELS = [0, 0, 0, 1, 1, 1]
NODES = pd.DataFrame(
    {
        "node": np.arange(6, dtype=np.int32),
        "sample": np.arange(100, 106),
        "label": np.array(LABELS, dtype=np.int32),
        "label_name": ["cat"] * 3 + ["dog"] * 3,
        "predicted": [0, 0, 1, 1, 1, 7],
    }
)
NAMES = {0: "cat", 1: "dog", 7: "owl"}


def test_shares_count_links_in_both_directions():
    votes = neighbor_votes([MIXED], LABELS)
    # cat 2 chose dogs 3 and 4, and was chosen by cats 0 and 1
    assert votes.own_share[0].tolist() == pytest.approx([1, 1, 2 / 4, 4 / 5, 4 / 5, 1])
    weighted = neighbor_votes([graph(MIXED.indices, [[1, 0.5]] * 6)], LABELS)
    # chosen by 0 and 1 as second: 0.5 each; its own links 1 and 0.5
    assert weighted.own_share[0, 2] == pytest.approx(1 / 2.5)


def test_shares_are_those_of_the_metric_table():
    features = np.random.default_rng(0).normal(size=(50, 4))
    labels = np.arange(50, dtype=np.int32) % 4
    lists = knn(features, 3)
    rows = node_rows(Snapshot.from_knn(lists), {}, labels=labels, community=labels, matched=labels)
    share = rows["own_class_weight"] / rows["strength"]
    assert neighbor_votes([lists], labels).own_share[0] == pytest.approx(share.to_numpy())


def test_score_is_the_strongest_other_label_less_the_own():
    votes = neighbor_votes([MIXED], LABELS)
    assert votes.score.tolist() == pytest.approx([-1, -1, 0, -3 / 5, -3 / 5, -1])
    assert votes.neighbor_code.tolist() == [0, 0, 0, 1, 1, 1]  # a tie goes to the lower label
    assert neighbor_votes([PURE], [0, 0, 1, 1, 1, 1]).score[2] == 1


def test_layers_count_by_the_square_of_their_modularity():
    # PURE: Q = 1/2. MIXED: of 12 links 10 stay inside; strengths of cats and dogs are 5 and 7 of 12
    q = [1 / 2, 10 / 12 - (5 / 12) ** 2 - (7 / 12) ** 2]
    weights = np.square(q) / np.square(q).sum()
    votes = neighbor_votes([PURE, MIXED], LABELS)
    own = weights[0] * 1 + weights[1] * 2 / 4
    assert votes.score[2] == pytest.approx((1 - own) - own)
    # layers of negative Q have no say, unless there are no others
    assert neighbor_votes([CROSSED, PURE], LABELS).score.tolist() == [-1] * 6
    assert neighbor_votes([CROSSED, CROSSED], LABELS).score.tolist() == [1] * 6


def test_a_sample_without_links_says_nothing():
    lonely = graph([[1], [0], [0], [4], [3], [0]], [[1], [1], [-1], [1], [1], [1]])
    votes = neighbor_votes([lonely], LABELS)
    assert votes.own_share[0, 2] == 0
    assert votes.neighbor_code[2] == -1
    assert votes.score[2] == 0


def test_no_layers_and_other_labels_are_refused():
    with pytest.raises(GraphError, match="no layers to ask"):
        neighbor_votes([], LABELS)
    with pytest.raises(GraphError, match="6 nodes, but labels"):
        neighbor_votes([PURE], LABELS[:5])


@pytest.mark.parametrize(
    ("shares", "layer"),
    [([0.9, 0.9, 0.9], 0), ([0.5, 0.9, 0.6], 1), ([0.9, 0.2, 0.6], 2), ([0.9, 0.9, 0.5], 3)],
)
def test_a_sample_settles_where_its_class_stays_the_most(shares, layer):
    assert settled_layer(np.array(shares)[:, None]).tolist() == [layer]


def test_the_table_by_hand():
    table = sample_table(
        [PURE, MIXED, PURE, MIXED], NODES, ["a", "b", "c", "d"], class_names=NAMES, repeat=2
    )
    assert table["sample"].tolist() == list(range(100, 106))
    assert (table["repeat"] == 2).all()
    two = table.iloc[2]
    assert two["suspect"]
    assert (two["rank"], two["own_share"], two["lost"]) == (1, 0.5, "b,d")
    assert pd.isna(two["settled_index"])
    assert pd.isna(two["settled_layer"])
    assert table["settled_layer"].fillna("").tolist() == ["a", "a", "", "a", "a", "a"]
    assert table["predicted_name"].tolist() == ["cat", "cat", "dog", "dog", "dog", "owl"]
    assert table["neighbor_label_name"].tolist() == ["cat"] * 3 + ["dog"] * 3
    # dogs 3 and 4 have a link to cat 2 in two layers; equal scores go by node
    assert table["rank"].tolist() == [4, 5, 1, 2, 3, 6]


def test_predictions_may_be_missing():
    table = sample_table([PURE], NODES.drop(columns="predicted"), ["a"])
    assert table["predicted"].isna().all()
    assert table["predicted_name"].isna().all()
    some = sample_table([PURE], NODES.assign(predicted=[0, None, 1, 1, 1, 1]), ["a"])
    assert some["predicted_name"].fillna("").tolist() == ["cat", "", "dog", "dog", "dog", "dog"]
