"""Numbers of curves, worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from graphs.errors import TableError
from graphs.trends import describe_curves, follow_accuracy


def layer_table(curves, repeats=1):
    rows = [
        {"variant": name, "repeat": repeat, "layer_index": index, "modularity": q}
        for name, each in curves.items()
        for repeat in range(repeats)
        for index, q in enumerate(each[repeat] if repeats > 1 else each)
    ]
    return pd.DataFrame(rows)


def epoch_table(accuracy, layers):
    rows = [
        {"epoch": e, "accuracy": a, "layer_index": i, "layer": name, "modularity": q[e]}
        for e, a in enumerate(accuracy)
        for i, (name, q) in enumerate(layers.items())
    ]
    return pd.DataFrame(rows)


def test_a_curve_in_numbers():
    found = describe_curves(layer_table({"b": [0.0, 1.0, 0.5], "a": [0.25, 0.25, 0.25]}))
    assert found["variant"].tolist() == ["b", "a"]
    assert found["range"].tolist() == [1, 0]
    # depths 0, 1/2, 1: slope Σ(x − x̄)(q − q̄) / Σ(x − x̄)² = (½·½ + 0 + ½·0) / ½
    assert found["slope"].tolist() == pytest.approx([(0.5 * 0.5) / 0.5, 0])
    # ranks 1, 3, 2 against 1, 2, 3: 1 − 6·2 / (3·8)
    assert found["spearman"][0] == pytest.approx(1 - 12 / 24)
    assert np.isnan(found["spearman"][1])
    assert found[["first_q", "last_q"]].to_numpy().tolist() == [[0, 0.5], [0.25, 0.25]]


def test_repeats_are_averaged_first():
    found = describe_curves(layer_table({"a": [[0.0, 1.0], [1.0, 0.0]]}, repeats=2))
    assert found["range"].tolist() == [0]


def test_two_layers_have_no_trend():
    found = describe_curves(layer_table({"a": [0.0, 1.0]}))
    assert found[["slope", "spearman"]].isna().all(axis=None)


def test_which_layers_follow():
    table = epoch_table(
        [0.1, 0.5, 0.9, 0.8],
        {"stem": [0.3, 0.2, 0.1, 0.15], "last": [0.0, 0.5, 0.9, 0.7], "dead": [0.1] * 4},
    )
    found = follow_accuracy(table)
    assert found["layer"].tolist() == ["stem", "last", "dead"]
    assert found["spearman"].tolist()[:2] == pytest.approx([-1, 1])
    assert np.isnan(found["spearman"][2])
    assert found["moved"].tolist() == pytest.approx([0.2, 0.9, 0])


def test_epochs_of_unknown_accuracy_are_left_out():
    table = epoch_table([0.1, np.nan, 0.9], {"last": [0.0, 0.5, 0.9]})
    assert follow_accuracy(table)["spearman"].isna().all()
    table = epoch_table([0.1, np.nan, 0.9, 0.5], {"last": [0.0, 9.9, 0.9, 0.5]})
    assert follow_accuracy(table)["spearman"].tolist() == [1.0]


@pytest.mark.parametrize("function", [describe_curves, follow_accuracy])
def test_a_missing_column_is_an_error(function):
    with pytest.raises(TableError, match="has no column"):
        function(pd.DataFrame({"layer_index": [0], "layer": ["a"]}))
