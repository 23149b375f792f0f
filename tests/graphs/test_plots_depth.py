"""What the figure of several networks shows."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from graphs.errors import TableError
from graphs.plots_depth import plot_depths

mpl.use("Agg")

RUNS = {
    "short": ([0.2, 0.1, 0.8], ["", "drop", ""]),
    "long": ([0.2, 0.5, 0.8, 0.8, 0.8], ["", "", "", "plateau", "plateau"]),
}


@pytest.fixture
def ax():
    return Figure(figsize=(6, 4)).subplots()


def table(runs=RUNS):
    return pd.concat(
        [
            pd.DataFrame({"run": name, "depth": np.linspace(0, 1, len(q)), "mark": marks})
            .assign(modularity=q, sd=0.05)
            for name, (q, marks) in runs.items()
        ]
    )  # fmt: skip


def test_lines_signs_and_legend(ax):
    plot_depths(table(), ax)
    lines = [line for line in ax.get_lines() if line.get_linestyle() == "-"]
    assert [line.get_xdata().tolist() for line in lines] == [
        [0, 0.5, 1], [0, 0.25, 0.5, 0.75, 1],
    ]  # fmt: skip
    drops = [line for line in ax.get_lines() if line.get_marker() == "v" and len(line.get_xdata())]
    assert [(line.get_xdata().tolist(), line.get_ydata().tolist()) for line in drops] == [
        ([0.5], [0.1])
    ]
    hollow = [
        line for line in ax.get_lines()
        if line.get_markerfacecolor() == "white" and len(line.get_xdata())
    ]  # fmt: skip
    assert [line.get_xdata().tolist() for line in hollow] == [[0.75, 1]]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "short", "long", "Q drops", "plateau: Q moves by 0.03 at most",
    ]  # fmt: skip


def test_signs_that_are_not_there_are_not_explained(ax):
    plot_depths(table({"a": ([0.1, 0.5], ["", ""])}), ax)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a"]


def test_published_curves_lie_behind_in_the_same_colour(ax):
    columns = {"model": "VGG11", "dataset": "CIFAR-10", "x": [1, 2, 5], "Q": [0.1, 0.2, 0.5]}
    plot_depths(table(), ax, published={"long": pd.DataFrame(columns)})
    wide = next(line for line in ax.get_lines() if line.get_linewidth() == 5)
    ours = next(line for line in ax.get_lines() if line.get_label() == "long")
    assert wide.get_xdata().tolist() == [0, 0.25, 1]
    assert wide.get_color() == ours.get_color()
    assert wide.get_label() == "VGG11, CIFAR-10 (Lu et al. 2022)"


def test_one_repeat_has_no_band_and_many_runs_have_colours(ax):
    many = {f"run{i}": ([0.1, 0.2], ["", ""]) for i in range(12)}
    plot_depths(table(many).assign(sd=np.nan), ax)
    lines = [line for line in ax.get_lines() if line.get_linestyle() == "-"]
    assert len({line.get_color() for line in lines}) == 12


def test_a_table_without_its_columns_is_an_error(ax):
    with pytest.raises(TableError, match="has no column 'run'"):
        plot_depths(pd.DataFrame({"depth": [0.0]}), ax)
