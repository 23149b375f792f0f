"""What the figures of training show."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from graphs.errors import TableError
from graphs.plots_training import plot_accuracy, plot_epochs, plot_untrained
from graphs.published import Published

mpl.use("Agg")


@pytest.fixture
def ax():
    return Figure(figsize=(6, 4), layout="constrained").subplots()


def epoch_table(layers=3, epochs=4, *, test=True):
    rows = [
        [e, e / epochs, e / epochs - 0.01 if test else np.nan, i, f"layer{i}", e * i / 20]
        for e in range(epochs)
        for i in range(layers)
    ]
    columns = ["epoch", "accuracy", "test_accuracy", "layer_index", "layer", "modularity"]
    return pd.DataFrame(rows, columns=columns)


def drawn(ax):
    return [line for line in ax.get_lines() if len(line.get_xdata())]


def test_a_line_a_layer_and_their_names(ax):
    plot_epochs(epoch_table(), ax)
    lines = drawn(ax)
    assert [line.get_ydata().tolist() for line in lines] == [
        [e * i / 20 for e in range(4)] for i in range(3)
    ]
    assert len({line.get_color() for line in lines}) == 3
    ax.figure.canvas.draw()
    bar = ax.figure.axes[1]
    assert [text.get_text() for text in bar.get_yticklabels()] == ["layer0", "layer1", "layer2"]


def test_of_many_layers_some_are_named(ax):
    plot_epochs(epoch_table(layers=45), ax)
    names = [text.get_text() for text in ax.figure.axes[1].get_yticklabels()]
    assert names == [f"layer{index}" for index in range(0, 45, 3)]


def test_one_layer(ax):
    plot_epochs(epoch_table(layers=1), ax)
    assert len(drawn(ax)) == 1


def test_accuracy(ax):
    plot_accuracy(epoch_table(), ax)
    ours, test = drawn(ax)
    assert ours.get_ydata().tolist() == [0, 0.25, 0.5, 0.75]
    assert test.get_linestyle() == "--"
    assert ax.get_ylim() == (0, 1)


def test_only_what_is_known_is_drawn(ax):
    plot_accuracy(epoch_table(test=False), ax)
    assert len(drawn(ax)) == 1


def test_nothing_known(ax):
    plot_accuracy(epoch_table(test=False).assign(accuracy=np.nan), ax)
    assert ax.get_legend() is None


def layer_table():
    curves = {"random-0": [0.1, 0.1], "random-1": [0.3, 0.1], "trained": [0.2, 0.9]}
    rows = [[v, 0, i, f"l{i}", q] for v, curve in curves.items() for i, q in enumerate(curve)]
    return pd.DataFrame(rows, columns=["variant", "repeat", "layer_index", "layer", "modularity"])


def test_untrained_networks_are_a_band(ax):
    plot_untrained(layer_table(), ax)
    grey, other, trained = drawn(ax)
    assert [line.get_ydata().tolist() for line in (grey, other, trained)] == [
        [0.1, 0.1], [0.3, 0.1], [0.2, 0.9],
    ]  # fmt: skip
    sd = np.std([0.1, 0.3], ddof=1)
    heights = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == pytest.approx((min(0.1, 0.2 - sd), 0.2 + sd))
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["trained, one repeat", "2 untrained, mean ± SD"]


def test_untrained_networks_are_the_only_band_in_grey(ax):
    once = layer_table().assign(modularity_null_mean=0.0, modularity_null_sd=0.1)
    twice = pd.concat([once, once.assign(repeat=1)])
    plot_untrained(twice, ax)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["trained, mean ± SD over the repeats", "2 untrained, mean ± SD"]
    # of the untrained ones and of the trained one's repeats
    assert len(ax.collections) == 2


@pytest.mark.parametrize("plot", [plot_epochs, plot_accuracy, plot_untrained])
def test_a_table_without_its_columns_is_an_error(ax, plot):
    with pytest.raises(TableError, match="has no column"):
        plot(pd.DataFrame({"layer": ["a"]}), ax)


def test_published_epochs_are_dotted_in_the_colour_of_their_depth(ax):
    rows = pd.DataFrame(
        [(name, x, x / 100) for name in ("Acc", "L1", "L13", "L7") for x in range(1, 31)],
        columns=["setting", "x", "Q"],
    )
    near = Published(rows=rows, model="VGG16", dataset="CIFAR-10", layers=13, same=False)
    plot_epochs(epoch_table(), ax, published=near)
    dotted = [line for line in drawn(ax) if line.get_linestyle() == ":"]
    # as far as our epochs go; layers 1, 7 and 13 of 13 are 0, 1 and 2 of our 3
    assert [line.get_xdata().tolist() for line in dotted] == [[1, 2, 3]] * 3
    ours = [line for line in drawn(ax) if line.get_linestyle() == "-"]
    assert [line.get_color() for line in dotted] == [line.get_color() for line in ours]
    (words,) = (text.get_text() for text in ax.get_legend().get_texts())
    assert words == "VGG16, CIFAR-10 (Lu et al. 2022),\nlayers 1, 7, 13 of 13"
    other = Figure().subplots()
    plot_accuracy(epoch_table(), other, published=near)
    assert [text.get_text() for text in other.get_legend().get_texts()][-1] == near.title
