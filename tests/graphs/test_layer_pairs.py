"""The tidy table of pairs of layers, and what is read from it."""

import numpy as np
import pandas as pd
import pytest

from graphs.errors import TableError
from graphs.layer_pairs import (
    MEASURES,
    Layers,
    best_matches,
    distinct_pairs,
    mean_pairs,
    neighboring_layers,
    pair_table,
)
from graphs.tables import read_frame, write_table

ONE = Layers(run="one", names=["stem", "a", "b"])
TWO = Layers(run="two", names=["x", "y"])


def table(first=ONE, second=ONE, *, repeat=0, cka=None):
    shape = (len(first.names), len(second.names))
    numbers = np.arange(shape[0] * shape[1]).reshape(shape) / 10 + repeat
    measures = dict.fromkeys(MEASURES, numbers) | ({} if cka is None else {"cka": cka})
    return pair_table(first, second, repeat=repeat, measures=measures)


def test_rows_are_the_entries_of_the_matrices(tmp_path):
    found = table(ONE, TWO)
    assert len(found) == 3 * 2
    row = found[(found["layer_a"] == "b") & (found["layer_b"] == "x")].iloc[0]
    assert (row["layer_a_index"], row["layer_b_index"], row["cka"]) == (2, 0, 4 / 10)
    path = write_table(found, tmp_path / "similarity.parquet", "similarity")
    assert read_frame(path, "similarity").to_dict("list") == found.to_dict("list")


def test_a_pair_without_cka_is_written(tmp_path):
    found = table(cka=np.full((3, 3), np.nan))
    path = write_table(found, tmp_path / "similarity.parquet", "similarity")
    assert read_frame(path, "similarity")["cka"].isna().all()


def test_mean_and_spread_over_repeats():
    both = [table(repeat=repeat) for repeat in (0, 1)]
    means = mean_pairs(pd.concat(both))
    assert means["cka"].tolist() == pytest.approx(np.arange(9) / 10 + 0.5)
    assert means["cka_sd"].tolist() == pytest.approx([0.5**0.5] * 9)  # 0 and 1: sd √½
    assert mean_pairs(both[0])["cka_sd"].isna().all()


def test_pairs_of_one_run_count_once():
    assert distinct_pairs(mean_pairs(table()))["cka"].tolist() == [0.1, 0.2, 0.5]
    assert len(distinct_pairs(mean_pairs(table(ONE, TWO)))) == 6
    steps = neighboring_layers(mean_pairs(table()))
    assert steps[["layer_a", "layer_b"]].to_numpy().tolist() == [["stem", "a"], ["a", "b"]]


def test_best_matches_leave_out_layers_without_cka():
    cka = np.array([[0.1, 0.9], [np.nan, np.nan], [0.5, 0.4]])
    found = best_matches(mean_pairs(table(ONE, TWO, cka=cka)))
    assert found[["layer_a", "layer_b"]].to_numpy().tolist() == [["stem", "y"], ["b", "x"]]


def test_a_table_that_is_none():
    with pytest.raises(TableError, match="the table similarity has no column 'cka'"):
        mean_pairs(table().drop(columns="cka"))
    with pytest.raises(TableError, match="the table similarity has no rows"):
        mean_pairs(table().iloc[:0])
