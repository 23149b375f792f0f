import numpy as np
import pandas as pd
import pytest

from graphs.errors import TableError
from graphs.plots_lesions import COLOURS, plot_lesion_classes, plot_lesions


def _table():
    return pd.DataFrame(
        {
            "layer_index": [2, 1, 1],
            "layer": ["net.3", "net.1", "net.1"],
            "module": [0, 3, 1],
            "size": [30, 20, 5],
            "kind": ["important", "other", "small"],
            "intact": 0.9,
            "lost": [0.4, 0.01, -0.002],
            "random_low": [0.85, 0.88, 0.89],
            "random_high": [0.9, 0.9, 0.9],
        }
    )


def test_bars_by_layer_and_cluster():
    ax = plot_lesions(_table())
    bars = ax.patches
    assert [bar.get_height() for bar in bars] == pytest.approx([-0.2, 1, 40])
    assert [bar.get_x() + bar.get_width() / 2 for bar in bars] == [0, 1, 3]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "3", "0"]
    texts = [text.get_text() for text in ax.texts]
    assert texts == ["5", "20", "30", "net.1", "net.3"]
    spans = [segment[:, 1].tolist() for segment in ax.collections[0].get_segments()]
    assert spans == [pytest.approx([0, 1]), pytest.approx([0, 2]), pytest.approx([0, 5])]
    shown = [text.get_text() for text in ax.get_legend().get_texts()]
    assert shown == ["important", "small", "other", "random sets"]
    assert set(COLOURS) >= set(shown[:-1])


def test_classes():
    table = pd.DataFrame(
        {
            "layer_index": 1,
            "layer": "net.1",
            "module": [0, 0, 1, 1],
            "class": [0, 1, 0, 1],
            "class_name": ["cat", "dog"] * 2,
            "accuracy": [0.5, 0.9, 0.9, 0.9],
            "random_mean": 0.8,
        }
    )
    ax = plot_lesion_classes(table)
    assert np.asarray(ax.collections[0].get_array()).ravel() == pytest.approx([30, -10, -10, -10])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["cat", "dog"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["net.1 / 0", "net.1 / 1"]


def test_what_is_refused():
    with pytest.raises(TableError, match="no column 'kind'"):
        plot_lesions(_table().drop(columns="kind"))
    with pytest.raises(TableError, match="no rows"):
        plot_lesion_classes(
            pd.DataFrame(
                columns=[
                    "layer_index", "layer", "module", "class", "class_name", "accuracy",
                    "random_mean",
                ]
            )
        )  # fmt: skip
