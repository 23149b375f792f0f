"""What notebooks show of graphs, read by an HTML parser."""

import numpy as np
import pandas as pd
from lxml import html

from graphs.cards import SHOWN_ROWS, card
from graphs.neighbors.knn_graph import KnnGraph
from graphs.snapshots import DynamicGraph

EVIL = '<script>alert("x")</script> & Co.'


def cells(page):
    return [[cell.text_content() for cell in row] for row in page.iter("tr")]


def knn(**more):
    given = {
        "indices": np.array([[1], [0], [1], [0]], dtype=np.int32),
        "weights": np.array([[0.5], [0.5], [0.25], [-0.25]], dtype=np.float32),
        "metric": "cosine",
        "engine": "hnsw",
        "exact": False,
        "recall": 0.987,
        "recall_error": 0.004,
    }
    return KnnGraph(**given | more)


def test_everything_is_escaped():
    text = card(EVIL, [[EVIL, 1]], headers=[EVIL, "b"], notes=[EVIL])
    page = html.fromstring(text)
    assert list(page.iter("script")) == []
    assert page.text_content().count(EVIL) == 4


def test_numbers_are_written_for_people_and_stand_to_the_right():
    page = html.fromstring(card("t", [["a", 12345, 0.12345, 1234.5, float("nan"), True]]))
    assert cells(page) == [["a", "12,345", "0.123", "1,234.5", "", "True"]]
    sides = [cell.get("style").rpartition(":")[2] for cell in page.iter("td")]
    assert sides[:2] == ["left", "right"]


def test_long_tables_are_cut_and_say_so():
    page = html.fromstring(card("t", [[row] for row in range(SHOWN_ROWS + 5)]))
    assert len(list(page.iter("tr"))) == SHOWN_ROWS
    assert "and 5 more rows" in page.text_content()


def test_a_neighbour_list():
    shown = dict(cells(html.fromstring(knn(zero_rows=1, project=64)._repr_html_())))
    assert shown == {
        "nodes": "4",
        "neighbours of each": "1",
        "similarity": "cosine, -0.250 to 0.500",
        "neighbours": "recall 0.987 ± 0.004 (hnsw)",
        "values after projection": "64",
        "rows without direction": "1",
    }
    exact = knn(exact=True, engine="faiss")._repr_html_()
    assert dict(cells(html.fromstring(exact)))["neighbours"] == "exact (faiss)"


def test_graphs():
    nodes = pd.DataFrame({"label": [0, 0, 1, 1], "label_name": ["a", "a", "b", "b"]})
    graph = DynamicGraph.from_knn([knn(), knn()], nodes, layers=["stem", EVIL], name="clean-r0")
    page = html.fromstring(graph._repr_html_())
    # the pair chose each other: 0.5; one half link of 0.25; node 3 has but a negative one
    assert cells(page)[1:] == [
        ["0", "stem", "2", "0.625", "1"],
        ["1", EVIL, "2", "0.625", "1"],
    ]
    assert "4 nodes, 2 layers, 2 classes" in page.text_content()
    single = html.fromstring(graph.snapshots[1]._repr_html_())
    assert EVIL in single.text_content()
    shown = dict(cells(single))
    assert shown["edges"] == "2"
    assert shown["links with a negative similarity, left out"] == "1"
