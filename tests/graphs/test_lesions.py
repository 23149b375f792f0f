import numpy as np
import pandas as pd
import pytest
from scipy import stats

from graphs.errors import GraphError
from graphs.lesions import (
    class_range,
    classify,
    combine,
    dependency,
    lesion_table,
    lower_tail,
    summarize_lesions,
    upper_tail,
)

HIGH = np.linspace(0.95, 0.97, 99)  # random sets


def test_p_counts_ties_against_the_module():
    random = [0.90, 0.95, 0.95, 0.99]
    assert lower_tail(0.95, random) == (1 + 3) / 5
    assert lower_tail(0.95, random, ties=False) == (1 + 1) / 5
    assert upper_tail(0.95, random) == (1 + 3) / 5
    assert upper_tail(0.95, random, ties=False) == (1 + 1) / 5


def test_a_lesion_that_changes_nothing_is_not_significant():
    assert lower_tail(0.1024, [0.1024] * 100) == 1
    # what makes every module of an untrained network significant in the published code
    assert lower_tail(0.1024, [0.1024] * 100, ties=False) == 1 / 101


def test_p_needs_random_sets():
    with pytest.raises(GraphError, match="no random sets"):
        lower_tail(0.5, [])


@pytest.mark.parametrize(
    ("size", "accuracy", "kind"),
    [
        (200, 0.10, "complete"),
        (12, 0.10, "small"),  # 12 <= 0.05 * 256 = 12.8
        (13, 0.94, "important"),
        (13, 0.9499, "important"),  # below all, 0.98 - 0.9499 > 0.01
        (40, 0.96, "different-only"),
        (40, 0.9701, "prunable"),  # above all, and 0.98 - 0.9701 < 0.01
        (40, 0.95, "different-only"),  # as low as the lowest random set: a tie
    ],
)
def test_kinds(size, accuracy, kind):
    found = classify(size, 200, accuracy=accuracy, intact=0.98, random=HIGH, width=256)
    assert found == kind


def test_kinds_that_depend_on_the_loss():
    near = np.linspace(0.975, 0.976, 99)
    assert classify(40, 200, accuracy=0.974, intact=0.98, random=near, width=256) == (
        "significant-only"
    )
    assert classify(40, 200, accuracy=0.9755, intact=0.98, random=near, width=256) == "other"
    low = np.linspace(0.5, 0.6, 99)
    assert classify(40, 200, accuracy=0.7, intact=0.98, random=low, width=256) == "least-important"
    # exactly a point is a point, whatever binary fractions make of 0.98 - 0.97
    assert classify(40, 200, accuracy=0.97, intact=0.98, random=near, width=256) == "important"


def test_class_range_by_hand():
    changes = np.array([[-0.3, -0.1, 0.2], [0.0, 0.0, 0.0]])
    assert class_range(changes) == pytest.approx([0.5 / 0.2, 0])


def test_combined_p_is_fishers():
    p = np.array([1 / 101, 0.5, 1.0])
    expected = stats.chi2.sf(-2 * np.log(p - 1 / 202).sum(), 6)
    assert combine(p, 100) == pytest.approx(expected)
    assert np.isnan(combine([], 100))


def test_types_of_dependency():
    kinds = {
        (a, b): dependency(earlier_matters=a, later_matters=b)
        for a in (False, True)
        for b in (False, True)
    }
    assert kinds == {
        (False, False): "one-path",
        (True, False): "later-on-earlier",
        (False, True): "earlier-through-later",
        (True, True): "none",
    }


def _sets(accuracies, ranges, **more):
    count = len(accuracies)
    columns = {
        "layer_index": 1,
        "layer": "net.1",
        "module": 4,
        "set": np.arange(-1, count - 1),
        "size": 30,
        "alive": 100,
        "width": 100,
        "intact": 0.9,
        "accuracy": accuracies,
        "mean_class_accuracy": accuracies,
        "class_range": ranges,
    }
    return pd.DataFrame(columns | more)


def test_table_of_one_module():
    table = lesion_table(_sets([0.5, 0.8, 0.6, 0.7], [3.0, 1.0, 2.0, 4.0]))
    row = table.iloc[0]
    assert (row["layer"], row["module"], row["kind"]) == ("net.1", 4, "important")
    assert row["lost"] == pytest.approx(0.9 - 0.5)
    assert row["random_mean"] == pytest.approx(0.7)
    assert row["z"] == pytest.approx((0.5 - 0.7) / np.std([0.6, 0.7, 0.8]))
    assert row["p"] == row["p_published"] == row["p_class"] == 1 / 4
    assert row["p_range"] == 2 / 4  # one of three reaches 3.0
    assert summarize_lesions(table) == {"important": 1}


def test_no_spread_has_no_z():
    assert np.isnan(lesion_table(_sets([0.9] * 4, [0.0] * 4)).iloc[0]["z"])
