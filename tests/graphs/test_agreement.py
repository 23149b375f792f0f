import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from graphs.agreement import criteria_agreement, mean_scores
from graphs.errors import TableError
from graphs.schema import COLUMNS
from graphs.tables import read_frame, write_table


def scores(**values):
    """One repeat a row of an array of shape (repeats, layers)."""
    rows = [
        (name, np.int32(repeat), np.int32(index), f"layer{index}", score)
        for name, table in values.items()
        for repeat, line in enumerate(np.atleast_2d(table))
        for index, score in enumerate(line)
    ]
    return pd.DataFrame(rows, columns=["criterion", "repeat", "layer_index", "layer", "score"])


LAYERS = [f"layer{index}" for index in range(5)]


def test_means_over_repeats_in_the_order_of_the_table():
    means = mean_scores(scores(z=[[1, 5], [2, np.nan]], a=[[np.nan, 0], [np.nan, 1]]))
    assert means["criterion"].tolist() == ["z", "z", "a", "a"]
    np.testing.assert_array_equal(means["score"], [1.5, 5, np.nan, 0.5])


def test_order_and_overlap_by_hand():
    # over layers 1 to 4: 5 of 6 pairs in the same order, one reversed
    table = scores(a=[np.nan, 1, 2, 3, 4], b=[9, 10, 20, 40, 30])
    removed = {"a": ["layer1", "layer2"], "b": ["layer1", "layer4", "layer3"]}
    row = criteria_agreement(table, removed, removable=LAYERS[1:]).iloc[0]
    assert row["kendall"] == pytest.approx((5 - 1) / 6)
    assert (row["n_layers"], row["n_removed_both"]) == (4, 1)
    assert row["jaccard"] == 1 / 4


def test_layers_that_stay_have_no_part_in_the_order():
    table = scores(a=[9, 1, 2, 3, -9], b=[-9, 1, 2, 3, 9])
    found = criteria_agreement(table, {"a": [], "b": []}, removable=LAYERS[1:4])
    assert found[["kendall", "jaccard", "n_layers"]].values.tolist() == [[1, 1, 3]]


def test_all_pairs_once_and_few_known_layers():
    table = scores(a=[1, 2, 3, 4, 5], b=[5, 4, 3, 2, 1], c=[np.nan, np.nan, np.nan, 1, 2])
    found = criteria_agreement(table, {name: ["layer0"] for name in "abc"}, removable=LAYERS)
    pairs = found[["criterion_a", "criterion_b"]].values.tolist()
    assert pairs == [["a", "b"], ["a", "c"], ["b", "c"]]
    assert found["kendall"].iloc[0] == -1
    assert found["kendall"].iloc[1:].isna().all()
    assert found["n_layers"].tolist() == [5, 2, 2]


def test_one_criterion_has_no_pairs():
    found = criteria_agreement(scores(a=[1, 2, 3]), {"a": []}, removable=LAYERS)
    assert found.empty
    assert list(found) == COLUMNS["agreement"].names


def test_the_tables_have_their_schema(tmp_path):
    table = scores(a=[math.nan, 1, 2, 4], b=[3, 1, 2, math.nan])
    found = criteria_agreement(table, {"a": ["layer1"], "b": []}, removable=LAYERS)
    for name, frame in (("criteria", table), ("agreement", found)):
        path = tmp_path / f"{name}.parquet"
        write_table(frame, path, name)
        pd.testing.assert_frame_equal(read_frame(path, name), frame)
        assert pa.parquet.read_schema(path).types == COLUMNS[name].types


def test_what_is_missing_is_said():
    with pytest.raises(TableError, match="nothing says which layers 'b' removes"):
        criteria_agreement(scores(a=[1], b=[1]), {"a": []}, removable=LAYERS)
    with pytest.raises(TableError, match="criteria has no column 'score'"):
        mean_scores(scores(a=[1]).drop(columns="score"))
