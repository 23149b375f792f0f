import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from graphs.errors import TableError
from graphs.plots_adversarial import Triple, draw_triples, plot_pairs
from graphs.published import Published


def layers():
    rows = []
    for attack, end in (("PGD", 0.2), ("CW", 0.6)):
        for state, last in (("clean", 0.9), ("attacked", end)):
            for index, q in enumerate([0.1, last]):
                rows.append(
                    {
                        "attack": attack, "state": state, "layer_index": index, "n_nodes": 30,
                        "layer": f"l{index}", "modularity": q, "repeat": 0, "variant": attack,
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


def test_attacked_by_their_end_and_clean_dashed_in_the_same_colour():
    ax = plot_pairs(layers(), Figure().subplots())
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words == ["CW (30)", "PGD (30)", "the same images, clean"]
    drawn = [line.get_ydata().tolist() for line in ax.lines if len(line.get_ydata())]
    assert sorted(drawn) == [[0.1, 0.2], [0.1, 0.6], [0.1, 0.9], [0.1, 0.9]]
    dashed = [line for line in ax.lines if line.get_linestyle() == "--" and len(line.get_ydata())]
    assert [line.get_ydata().tolist() for line in dashed] == [[0.1, 0.9]] * 2
    solid = [line for line in ax.lines if line.get_linestyle() == "-" and len(line.get_ydata())]
    assert {line.get_color() for line in dashed} == {line.get_color() for line in solid}
    assert len({line.get_color() for line in dashed}) == 2


def published(*, same):
    rows = pd.DataFrame(
        {"setting": ["CW", "CW", "JSMA", "JSMA"], "x": [1, 2, 1, 2], "Q": [0.2, 0.5, 0.1, 0.3]}
    )
    return Published(rows=rows, model="VGG16", dataset="CIFAR-10", layers=2, same=same)


def test_published_curves_of_the_same_network_lie_behind():
    ax = plot_pairs(layers(), Figure().subplots(), published=published(same=True))
    (wide,) = (line for line in ax.lines if line.get_linewidth() == 4)
    assert wide.get_xdata().tolist() == [0, 1]
    assert wide.get_ydata().tolist() == [0.2, 0.5]
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words[-1] == "VGG16, CIFAR-10 (Lu et al. 2022)"


def test_of_another_network_the_last_layers_are_marked():
    ax = plot_pairs(layers(), Figure().subplots(), published=published(same=False))
    (mark,) = (line for line in ax.lines if line.get_marker() == "D")
    assert (list(mark.get_xdata()), list(mark.get_ydata())) == ([1], [0.5])
    (ours,) = (line for line in ax.lines if list(line.get_ydata()) == [0.1, 0.6])
    assert mark.get_color() == ours.get_color()
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words[-1] == "VGG16, CIFAR-10 (Lu et al. 2022),\nlast layer"


def test_one_attack_has_a_legend_too():
    one = layers()
    ax = plot_pairs(one[one["attack"] == "CW"], Figure().subplots())
    assert len(ax.get_legend().get_texts()) == 2


def test_a_table_without_states():
    with pytest.raises(TableError, match="no column 'state'"):
        plot_pairs(layers().drop(columns="state"))


@pytest.mark.parametrize("channels", [1, 3])
def test_triples_show_image_attacked_image_and_difference(channels):
    clean = np.full((channels, 4, 4), 0.5)
    attacked = clean.copy()
    attacked[:, 1, 2] = 0.25
    triples = [
        Triple(row=row, clean=clean, attacked=attacked, before="cat", after="dog")
        for row in ("CW", "CW", "PGD")
    ]
    panels = draw_triples(Figure(), triples)
    assert panels.shape == (2, 6)
    titles = [ax.get_title() for ax in panels[0, :3]]
    assert titles == ["cat", "dog", "±0.25"]
    shown = np.asarray(panels[0, 2].images[0].get_array()).reshape(4, 4, -1)
    assert (shown[1, 2] == 0).all()
    assert (shown.sum(axis=2) == 0.5 * shown.shape[2]).sum() == 15
    assert not panels[1, 3].images


def test_no_triples():
    with pytest.raises(TableError, match="no images to draw"):
        draw_triples(Figure(), [])


def test_one_attack_alone_beside_published_ends():
    """Its curve has that of permuted labels beside it, which is no attack."""
    nulls = {"modularity_null_mean": 0.0, "modularity_null_sd": 0.01}
    rows = layers()[layers()["attack"] == "CW"].assign(**nulls)
    ax = plot_pairs(rows, Figure().subplots(), published=published(same=False))
    (mark,) = (line for line in ax.lines if line.get_marker() == "D")
    assert list(mark.get_ydata()) == [0.5]
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert "labels permuted (mean ± 2 SD)" in words
