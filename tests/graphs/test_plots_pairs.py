"""The heat map of pairs of classes: rows, columns, colours, dots."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from graphs.errors import TableError
from graphs.plots_pairs import plot_class_pairs

mpl.use("Agg")


def pair_table(excess, *, names=("cat", "dog", "owl")):
    """Excess by pair and layer; pairs in order (0, 1), (0, 2), (1, 2); z is far below 0."""
    pairs = [(a, b) for a in range(len(names)) for b in range(a, len(names))]
    different = [pair for pair in pairs if pair[0] != pair[1]]
    rows = [
        ["clean", 0, layer, f"conv{layer}", a, names[a], b, names[b], value, -9.0]
        for (a, b), curve in zip(different, excess, strict=False)
        for layer, value in enumerate(curve)
    ]
    columns = "variant repeat layer_index layer class_a class_a_name class_b class_b_name"
    return pd.DataFrame(rows, columns=[*columns.split(), "excess", "z"])


TABLE = pair_table([[2.0, 0.1], [1.0, 1.5], [0.25, 0.0]])


def test_rows_columns_colours_and_dots():
    ax = plot_class_pairs(TABLE)
    shown = [label.get_text() for label in ax.get_yticklabels()]
    assert shown == ["cat and owl", "cat and dog", "dog and owl"]  # the last to come apart first
    values = ax.collections[0].get_array().reshape(3, 2)
    # log2; 1/8 is the least that is told apart
    assert values.tolist() == [[0, pytest.approx(np.log2(1.5))], [1, -3], [-2, -3]]
    assert (ax.collections[0].get_clim()) == (-3, 3)
    dots = {tuple(place) for place in ax.collections[1].get_offsets().tolist()}
    assert dots == {(1.5, 1.5), (0.5, 2.5), (1.5, 2.5)}
    assert [label.get_text() for label in ax.get_xticklabels()] == ["conv0", "conv1"]
    bar = ax.collections[0].colorbar.ax
    assert bar.get_ylim() == (-3, 1)
    assert [label.get_text() for label in bar.get_yticklabels()][:4] == ["1/8", "1/4", "1/2", "1"]


def test_only_some_of_many_pairs_are_shown():
    names = tuple(f"c{i}" for i in range(8))
    excess = [[1 + pair / 100] for pair in range(28)]
    ax = plot_class_pairs(pair_table(excess, names=names), shown=5)
    assert ax.get_ylabel().startswith("5 of ")
    assert ax.collections[0].get_array().size == 5
    assert ax.get_yticklabels()[0].get_text() == "c6 and c7"


def test_classes_of_one_name_are_two():
    ax = plot_class_pairs(pair_table([[2.0], [1.0], [4.0]], names=("owl", "crane", "crane")))
    shown = [label.get_text() for label in ax.get_yticklabels()]
    assert shown == ["crane and crane", "owl and crane", "owl and crane"]
    assert ax.collections[0].get_array().ravel().tolist() == [2, 1, 0]


def test_other_tables_are_refused():
    two = pd.concat([TABLE, TABLE.assign(variant="pgd")])
    with pytest.raises(TableError, match=r"class_pairs holds 2 variants: clean, pgd; select one"):
        plot_class_pairs(two)
    with pytest.raises(TableError, match="class_pairs has no column 'z'"):
        plot_class_pairs(TABLE.drop(columns="z"))
    with pytest.raises(TableError, match="no pair of different classes"):
        plot_class_pairs(TABLE.assign(class_b=TABLE["class_a"]))
