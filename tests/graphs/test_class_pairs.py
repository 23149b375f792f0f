"""When classes are apart, on tables written by hand."""

import numpy as np
import pandas as pd
import pytest

from graphs.class_pairs import (
    confusion_agreement,
    confusion_pairs,
    pair_curves,
    separation_table,
)
from graphs.errors import TableError

NAMES = {0: "cat", 1: "dog", 2: "owl"}


def pair_table(curves, *, z=None, repeat=0):
    """``curves``: excess of every layer by pair; z is −5 where it is below 1, else 5."""
    rows = []
    for (a, b), excess in curves.items():
        for layer, value in enumerate(excess):
            score = z[a, b][layer] if z else (-5.0 if value < 1 else 5.0)
            rows.append([repeat, layer, f"conv{layer}", a, NAMES[a], b, NAMES[b], value, score])
    columns = "repeat layer_index layer class_a class_a_name class_b class_b_name excess z".split()
    return pd.DataFrame(rows, columns=columns)


def separates(table):
    """Layer of each pair, None where they stay together."""
    return {
        row["pair"]: None if pd.isna(row["separates"]) else row["separates"]
        for row in table.to_dict("records")
    }


def test_classes_separate_where_they_stay_apart():
    table = separation_table(
        pair_table(
            {
                (0, 0): [2, 5, 8, 9],
                (0, 1): [0.1, 0.9, 0.4, 0.3],  # apart, together again, apart for good
                (0, 2): [0.3, 0.2, 0.1, 0.0],
                (1, 2): [0.2, 0.2, 0.2, 1.5],
            }
        )
    )
    assert separates(table) == {"dog and owl": None, "cat and dog": "conv2", "cat and owl": "conv0"}
    assert table["excess_before"].tolist()[:2] == [1.5, 0.9]
    assert np.isnan(table["excess_before"].iloc[2])
    assert table["excess_last"].tolist() == [1.5, 0.3, 0.0]
    assert table["separates_index"].iloc[1:].tolist() == [2, 0]


def test_few_links_are_no_proof():
    curves, z = {(0, 1): [0.4, 0.4]}, {(0, 1): [-3.0, -1.9]}
    assert separates(separation_table(pair_table(curves, z=z))) == {"cat and dog": None}
    z = {(0, 1): [-1.9, -3.0]}
    assert separates(separation_table(pair_table(curves, z=z))) == {"cat and dog": "conv1"}


def test_half_of_chance_is_not_apart():
    assert not pair_curves(pair_table({(0, 1): [0.5]}))["apart"].any()
    assert pair_curves(pair_table({(0, 1): [0.499]}))["apart"].all()


def test_repeats_are_taken_together():
    z = {(0, 1): [-1.5]}
    tables = [pair_table({(0, 1): [0.2 + repeat / 10]}, z=z, repeat=repeat) for repeat in range(4)]
    (row,) = pair_curves(pd.concat(tables)).to_dict("records")
    assert row["excess"] == pytest.approx((0.2 + 0.3 + 0.4 + 0.5) / 4)
    assert row["z"] == pytest.approx(4 * -1.5 / 2)
    assert row["apart"]


def test_of_many_classes_a_missing_row_is_no_link():
    tables = [pair_table({(0, 1): [3.0, 0.6], (0, 2): [0.4, 0.2]}, repeat=r) for r in (0, 1)]
    whole = pd.concat(tables, ignore_index=True)
    gone = (whole["class_b"] == 1) & ((whole["layer_index"] == 1) | (whole["repeat"] == 1))
    curves = pair_curves(whole[~gone]).set_index(["pair", "layer_index"])
    assert curves["excess"].to_dict() == {
        ("cat and dog", 0): pytest.approx(3 / 2),
        ("cat and dog", 1): 0,
        ("cat and owl", 0): pytest.approx(0.4),
        ("cat and owl", 1): pytest.approx(0.2),
    }
    # no link at all, but nothing says how sure that is
    table = separation_table(whole[~gone])
    assert separates(table) == {"cat and dog": None, "cat and owl": "conv0"}
    assert table["excess_last"].tolist() == [0, pytest.approx(0.2)]


def test_one_class_has_no_pairs():
    assert separation_table(pair_table({(0, 0): [1.0, 1.0]})).empty


def test_pairs_without_a_z_are_not_apart():
    (row,) = pair_curves(pair_table({(0, 1): [0.0]}, z={(0, 1): [np.nan]})).to_dict("records")
    assert np.isnan(row["z"])
    assert not row["apart"]


def sample_table(pairs):
    return pd.DataFrame(pairs, columns=["label", "predicted"])


def test_confusions_are_counted_both_ways():
    found = confusion_pairs(sample_table([[0, 1], [1, 0], [2, 2], [2, 1], [0, None], [1, 1]]))
    assert found.to_numpy().tolist() == [[0, 1, 2], [1, 2, 1]]
    assert confusion_pairs(sample_table([[0, 0], [1, 1]])).empty
    assert confusion_pairs(sample_table([[0, None], [1, None]]).astype(float)).empty


def test_agreement_counts_pairs_that_are_never_confused():
    table = separation_table(pair_table({(0, 1): [1.2], (0, 2): [0.4], (1, 2): [0.1]}))
    confused = confusion_pairs(sample_table([[0, 1], [1, 0], [0, 2]]))
    assert confusion_agreement(table, confused) == 1.0
    assert np.isnan(confusion_agreement(table, confused.iloc[:0]))


def test_other_tables_are_refused():
    with pytest.raises(TableError, match="class_pairs has no column 'excess'"):
        pair_curves(pair_table({(0, 1): [1]}).drop(columns="excess"))
