import numpy as np
import pytest

from graphs.errors import ExportError
from graphs.export import ExportAttributes
from graphs.export.attributes import (
    check_layers,
    community_column,
    doubles,
    layer_columns,
    node_colors,
    node_ids,
    node_labels,
    static_columns,
)


def table(columns):
    return {column.name: column.values for column in columns}


def test_ids_and_labels(dynamic):
    assert node_ids(dynamic) == ["s3", "s5", "s8", "s13"]
    assert node_labels(dynamic) == ["s3 cat", "s5 cat", "s8 dog", "s13 dog"]


def test_repeated_samples_are_refused(make_dynamic):
    twice = make_dynamic(samples=[3, 5, 5, 13])
    with pytest.raises(ExportError, match=r"sample 5 is in the node table of clean-r0 more than"):
        node_ids(twice)


def test_repeated_layer_indices_are_refused(make_dynamic):
    with pytest.raises(ExportError, match=r"indices \[0, 2, 2\], some of them twice; number"):
        check_layers(make_dynamic(indices=[0, 2, 2]))


def test_static_columns(dynamic):
    assert table(static_columns(dynamic, ExportAttributes())) == {
        "class_id": ["0", "0", "1", "1"],
        "class_name": ["cat", "cat", "dog", "dog"],
        "sample_index": ["3", "5", "8", "13"],
        "pred_id": ["0", "1", "1", None],
        "pred_name": ["cat", "dog", "dog", None],
        "correct": ["true", "false", "true", None],
    }


@pytest.mark.parametrize("predicted", [None, [None] * 4])
def test_unknown_predictions_make_no_column(make_dynamic, predicted):
    columns = table(static_columns(make_dynamic(predicted=predicted), ExportAttributes()))
    assert list(columns) == ["class_id", "class_name", "sample_index"]


def test_names_of_classes_without_a_sample(make_dynamic):
    guesses = make_dynamic(predicted=[0, 7, 8, 1])
    known = ExportAttributes(class_names={0: "not this", 7: "INF bird"})
    columns = table(static_columns(guesses, known))
    assert columns["pred_name"] == ["cat", "Inf bird", None, "dog"]
    assert columns["class_name"] == ["cat", "cat", "dog", "dog"]


def test_layer_columns(dynamic, attributes):
    assert table(layer_columns(dynamic, 2, attributes=attributes)) == {
        "community": ["0", "0", "1", None],
        "strength": ["0.125", "0.625", "0.25", "0.75"],
        "degree": ["1", "2", "1", "2"],
    }
    assert table(layer_columns(dynamic, 0, attributes=ExportAttributes())) == {
        "strength": ["0.75", "0.5", "0.25", "0.0"],
        "degree": ["2", "1", "1", "0"],
    }


def test_missing_names(make_dynamic):
    nameless = make_dynamic(names={0: None, 1: float("nan")})
    assert node_labels(nameless) == node_ids(nameless)
    assert table(static_columns(nameless, ExportAttributes()))["class_name"] == [None] * 4


def test_a_colour_a_class(dynamic):
    assert node_colors(dynamic) == ["#0173b2", "#0173b2", "#de8f05", "#de8f05"]


def test_numbers():
    assert doubles([1e-300, 0.1 + 0.2, float("inf"), -float("inf")]) == [
        "1e-300", "0.30000000000000004", None, None,
    ]  # fmt: skip
    assert community_column("c", np.array([0, -1, 5])).values == ["0", None, "5"]


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"layout": np.zeros((3, 2))}, r"layout has the shape \(3, 2\), .* needs \(4, 2\)"),
        ({"communities": np.zeros((2, 4), int)}, r"communities has .* needs \(3, 4\); compute"),
        ({"modularity": [0.0]}, r"modularity has the shape \(1,\), .* needs \(3,\)"),
        ({"layout": np.full((4, 2), np.nan)}, r"layout of clean-r0 holds NaN .*; compute it with"),
    ],
)
def test_attributes_of_another_graph_are_refused(dynamic, wrong, match):
    with pytest.raises(ExportError, match=match):
        ExportAttributes(**wrong).check(dynamic)
