"""Rank correlation and distance between curves."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs.errors import TableError
from graphs.shapes import compare_curves


def curve(values, *, setting, varied="k", repeats=1, names=None):
    names = names or [f"layer{i}" for i in range(len(values))]
    return pd.concat(
        pd.DataFrame({"layer": names, "modularity": values, "repeat": repeat}).assign(
            varied=varied, setting=setting
        )
        for repeat in range(repeats)
    )


def test_ranks_and_the_largest_difference():
    # ranks 1 2 3 4 against 1 3 2 4: rho = 1 - 6 * (1 + 1) / (4 * (16 - 1)), tau = (5 - 1) / 6
    a = curve([0.1, 0.2, 0.3, 0.4], setting="3")
    b = curve([0.1, 0.3, 0.2, 0.9], setting="5")
    row = compare_curves(pd.concat((a, b))).iloc[0]
    assert (row["setting_a"], row["setting_b"], row["n_layers"]) == ("3", "5", 4)
    assert row["spearman"] == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert row["kendall"] == pytest.approx((5 - 1) / 6)
    assert (row["largest_difference"], row["layer"]) == (pytest.approx(0.9 - 0.4), "layer3")


def test_repeats_are_averaged_before_curves_are_compared():
    a = curve([0.1, 0.5, 0.9], setting="3")
    b = pd.concat((curve([0.1, 0.4, 0.9], setting="5"), curve([0.1, 0.6, 0.9], setting="5")))
    row = compare_curves(pd.concat((a, b))).iloc[0]
    assert row["largest_difference"] == pytest.approx(0)


def test_only_settings_of_the_same_quantity_and_layers_of_the_same_name_are_compared():
    tables = pd.concat(
        (
            curve([1, 2, 3], setting="3"),
            curve([1, 2, 3], setting="100", varied="samples"),
            curve([1, 2, 9, 3], setting="blocks", varied="layers", names=["a", "b", "x", "c"]),
            curve([1, 2, 3], setting="all", varied="layers", names=["a", "b", "c"]),
            curve([1, 2, 3], setting="other", varied="layers", names=["d", "e", "f"]),
        )
    )
    found = compare_curves(tables)
    assert found["varied"].tolist() == ["layers"]
    row = found.iloc[0]
    assert (row["n_layers"], row["spearman"], row["largest_difference"]) == (3, 1.0, 0.0)


def test_a_constant_curve_and_one_of_two_layers_have_no_rank_correlation():
    flat = pd.concat((curve([0.2] * 3, setting="3"), curve([0.1, 0.2, 0.3], setting="5")))
    short = pd.concat((curve([0.2, 0.3], setting="3"), curve([0.1, 0.2], setting="5")))
    for table in (flat, short):
        row = compare_curves(table).iloc[0]
        assert np.isnan(row["spearman"])
        assert np.isnan(row["kendall"])
        assert row["largest_difference"] == pytest.approx(0.1)


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=9, unique=True))
def test_a_shifted_and_stretched_curve_has_the_same_shape(values):
    values = np.round(values, 3)
    if len(set(values)) < len(values):
        return
    row = compare_curves(
        pd.concat((curve(values, setting="3"), curve(2 * values + 0.5, setting="5")))
    ).iloc[0]
    assert row["spearman"] == pytest.approx(1)
    assert row["kendall"] == pytest.approx(1)


def test_a_missing_column_is_named():
    with pytest.raises(TableError, match="no column 'varied'"):
        compare_curves(pd.DataFrame({"setting": []}))
