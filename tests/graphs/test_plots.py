"""What the figures show: the lines, bands, names and colours on the Axes, and that they render."""

from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from graphs.errors import TableError
from graphs.plots import plot_classes, plot_curve

mpl.use("Agg")

CURVES = {"clean": [0.1, 0.05, 0.3, 0.8], "pgd": [0.1, 0.02, 0.15, 0.2]}
OFFSETS = (-0.02, 0.0, 0.02)  # sample standard deviation 0.02


def layer_table(curves=None, *, repeats=3, names=None):
    rows = []
    for variant, values in (curves or CURVES).items():
        for repeat in range(repeats):
            for index, value in enumerate(values):
                name = names[index] if names else f"layer{index}"
                q = value + (OFFSETS[repeat] if repeats > 1 else 0)
                rows.append([variant, repeat, index, name, q, q / 2])
    columns = ["variant", "repeat", "layer_index", "layer", "modularity", "ami"]
    return pd.DataFrame(rows, columns=columns).astype({"repeat": "int32", "layer_index": "int32"})


def class_table(n_classes=3, n_layers=4, *, repeats=2):
    rows = [
        ["clean", repeat, layer, f"conv{layer}", c, f"kind {c}", layer / 10 - c / 100 + repeat / 50]
        for repeat in range(repeats)
        for layer in range(n_layers)
        for c in range(n_classes)
    ]
    columns = ["variant", "repeat", "layer_index", "layer", "class", "class_name"]
    columns.append("modularity_term")
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture
def ax():
    return Figure(figsize=(6, 4)).subplots()


def texts(legend):
    return [text.get_text() for text in legend.get_texts()]


def drawn(ax):
    """The lines with data (seaborn adds empty ones for the legend)."""
    return [line for line in ax.get_lines() if len(line.get_xdata())]


def render(ax):
    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def test_curve_draws_the_mean_and_one_standard_deviation(ax):
    assert plot_curve(layer_table(), ax) is ax
    lines = drawn(ax)
    assert [line.get_ydata().tolist() for line in lines] == [
        pytest.approx(CURVES["clean"]),
        pytest.approx(CURVES["pgd"]),
    ]
    bands = [collection.get_paths()[0].vertices[:, 1] for collection in ax.collections]
    assert [band.max() for band in bands] == pytest.approx([0.8 + 0.02, 0.2 + 0.02])
    assert [band.min() for band in bands] == pytest.approx([0.05 - 0.02, 0.02 - 0.02])
    legend = ax.get_legend()
    assert texts(legend) == ["clean", "pgd"]
    assert legend.get_title().get_text() == "mean ± SD, 3 repeats"
    assert ax.get_ylabel() == "modularity Q of the classes"
    assert len(np.unique(render(ax))) > 10


def test_one_line_alone_is_not_called_clean(ax):
    plot_curve(layer_table({"clean": [0.1, 0.5]}), ax)
    assert texts(ax.get_legend()) == ["mean ± SD, 3 repeats"]
    assert ax.get_legend().get_title().get_text() == ""


def test_one_line_of_one_repeat_needs_no_legend_and_has_no_band(ax):
    plot_curve(layer_table({"clean": [0.1, 0.5]}, repeats=1), ax)
    assert ax.get_legend() is None
    assert all(
        len(c.get_paths()) == 0 or c.get_paths()[0].vertices.size == 0 for c in ax.collections
    )
    assert drawn(ax)[0].get_ydata().tolist() == [0.1, 0.5]


def with_chance(table):
    """The columns of intervals and permuted labels."""
    q = table["modularity"]
    return table.assign(
        modularity_low=q - 0.05,
        modularity_high=q + 0.03,
        modularity_null_mean=-0.01 * (1 + table["layer_index"]),
        modularity_null_sd=0.02,
    )


def heights(band):
    return band.get_paths()[0].vertices[:, 1]


def test_one_repeat_has_its_interval_and_what_permuted_labels_give(ax):
    plot_curve(with_chance(layer_table({"clean": [0.1, 0.5]}, repeats=1)), ax)
    interval, null = [band for band in ax.collections if len(band.get_paths())][-2:]
    assert (heights(interval).min(), heights(interval).max()) == pytest.approx((0.05, 0.53))
    assert (heights(null).min(), heights(null).max()) == pytest.approx((-0.02 - 0.04, -0.01 + 0.04))
    assert drawn(ax)[1].get_ydata().tolist() == [-0.01, -0.02]
    assert texts(ax.get_legend()) == [
        "Q and 95 % of its draws (bootstrap over samples)",
        "labels permuted (mean ± 2 SD)",
    ]


def test_several_repeats_keep_their_band_and_several_lines_have_no_null(ax):
    plot_curve(with_chance(layer_table({"clean": [0.1, 0.5]})), ax)
    assert texts(ax.get_legend()) == ["mean ± SD, 3 repeats", "labels permuted (mean ± 2 SD)"]
    assert len([band for band in ax.collections if len(band.get_paths())]) == 2
    two = plot_curve(with_chance(layer_table()), Figure().subplots())
    assert texts(two.get_legend()) == ["clean", "pgd"]
    assert len(drawn(two)) == 2


def test_few_layers_are_named_many_are_numbered(ax):
    plot_curve(layer_table(), ax)
    assert [label.get_text() for label in ax.get_xticklabels()] == [f"layer{i}" for i in range(4)]
    assert ax.get_xticks().tolist() == [0, 1, 2, 3]
    assert ax.get_xlabel() == "layer"
    deep = plot_curve(layer_table({"clean": list(np.linspace(0, 1, 51))}), Figure().subplots())
    assert [label.get_text() for label in deep.get_xticklabels()] == [str(5 * i) for i in range(11)]
    assert deep.get_xlabel() == "layer index"


def test_networks_whose_layers_are_called_differently_are_numbered(ax):
    first = layer_table({"clean": [0.1, 0.2]}).assign(run="vgg")
    second = layer_table({"clean": [0.1, 0.3]}, names=["stem", "head"]).assign(run="resnet")
    plot_curve(pd.concat([first, second]), ax)
    assert ax.get_xlabel() == "layer index"
    assert texts(ax.get_legend()) == ["vgg", "resnet"]


def test_runs_and_variants_are_told_apart_by_colour_and_dashes(ax):
    table = pd.concat([layer_table().assign(run="a"), layer_table().assign(run="b")])
    plot_curve(table, ax)
    lines = drawn(ax)
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 4
    assert texts(ax.get_legend()) == ["run", "a", "b", "variant", "clean", "pgd"]


def test_any_column_can_tell_the_lines_apart(ax):
    table = pd.concat([layer_table({"clean": [0.1, k / 20]}).assign(k=k) for k in range(3, 16)])
    plot_curve(table, ax, hue="k", value="ami")
    assert texts(ax.get_legend()) == [str(k) for k in range(3, 16)]
    assert len({to_hex(line.get_color()) for line in drawn(ax)}) == 13
    assert ax.get_ylabel() == "ami"


def test_published_curve_lies_behind_in_grey_with_its_source(ax):
    published = pd.DataFrame(
        {
            "model": "ResNet18",
            "dataset": "CIFAR-10",
            "setting": None,
            "x": [1, 2],
            "Q": [0.15, 0.25],
        }
    )
    plot_curve(layer_table({"clean": [0.1, 0.3]}), ax, published=published)
    grey, ours = drawn(ax)
    assert grey.get_color() == "0.65"
    assert grey.get_zorder() < ours.get_zorder()
    assert grey.get_xdata().tolist() == [0, 1]
    assert grey.get_ydata().tolist() == [0.15, 0.25]
    assert texts(ax.get_legend()) == ["mean ± SD, 3 repeats", "ResNet18, CIFAR-10 (Lu et al. 2022)"]


def test_nothing_published_draws_nothing(ax):
    nothing = pd.DataFrame(columns=["model", "dataset", "setting", "x", "Q"])
    plot_curve(layer_table({"clean": [0.1, 0.3]}, repeats=1), ax, published=nothing)
    assert len(drawn(ax)) == 1
    assert ax.get_legend() is None


def test_classes_show_the_mean_terms(ax):
    assert plot_classes(class_table(), ax) is ax
    shown = ax.collections[0].get_array()
    expected = [[layer / 10 - c / 100 + 0.01 for layer in range(4)] for c in range(3)]
    np.testing.assert_allclose(np.reshape(shown, (3, 4)), expected)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["kind 0", "kind 1", "kind 2"]
    assert [label.get_text() for label in ax.get_xticklabels()] == [f"conv{i}" for i in range(4)]
    cmap, norm = ax.collections[0].get_cmap(), ax.collections[0].norm
    assert min(cmap(norm(0.0))[:3]) > 0.95  # white
    above, below = cmap(norm(0.1)), cmap(norm(-0.1))
    assert above[0] > above[2]
    assert below[2] > below[0]
    # 0 / 10 - 2 / 100 + 0.01 is the only part below 0, up to rounding 0 / 10 - 1 / 100 + 0.01 = 0
    assert ax.collections[1].get_offsets()[:, 1].tolist()[-1:] == [2 + 0.5]
    assert len(np.unique(render(ax))) > 10


def test_many_classes_and_layers_keep_their_labels_apart():
    table = class_table(n_classes=100, n_layers=51, repeats=1)
    table["class_name"] = "a class with a very long name " + table["class"].astype(str)
    ax = plot_classes(table)
    render(ax)
    labels = [label for label in ax.get_yticklabels() if label.get_text()]
    assert len(labels) == 50
    assert {label.get_text() for label in labels} == {"a class with a very lon…"}
    for axis_labels, side in ((labels, "y"), (ax.get_xticklabels(), "x")):
        boxes = [label.get_window_extent() for label in axis_labels]
        ends = sorted((getattr(b, f"{side}0"), getattr(b, f"{side}1")) for b in boxes)
        assert all(a[1] <= b[0] for a, b in pairwise(ends))
    mpl.pyplot.close(ax.figure)


def test_no_global_style_is_set():
    before = dict(mpl.rcParams)
    for ax in (plot_curve(layer_table()), plot_classes(class_table())):
        mpl.pyplot.close(ax.figure)
    assert dict(mpl.rcParams) == before


def test_saved_as_png_and_svg(ax, tmp_path):
    plot_curve(layer_table(), ax)
    for suffix, magic in (("png", b"\x89PNG"), ("svg", b"<?xml")):
        path = tmp_path / f"curve.{suffix}"
        ax.figure.savefig(path)
        assert path.read_bytes().startswith(magic)


def test_unfit_tables_are_refused(ax):
    with pytest.raises(TableError, match="table layers has no column 'modularity': it has variant"):
        plot_curve(layer_table().drop(columns="modularity"), ax)
    with pytest.raises(TableError, match="table layers has no column 'epoch'"):
        plot_curve(layer_table(), ax, hue="epoch")
    with pytest.raises(TableError, match="table layers has no rows; measure at least one layer"):
        plot_curve(layer_table().iloc[:0], ax)
    with pytest.raises(TableError, match="table classes has no column 'class_name'"):
        plot_classes(class_table().drop(columns="class_name"), ax)
    two = pd.concat([class_table(), class_table().assign(variant="pgd")])
    with pytest.raises(TableError, match="holds 2 variants: clean, pgd; select one"):
        plot_classes(two, ax)
