"""The metric tables of a graph small enough to measure by hand, and against networkx."""

import math

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from graphs.errors import GraphError
from graphs.measures import collect, follow, measure_dynamic_graph, measure_layer
from graphs.neighbors.knn_graph import KnnGraph
from graphs.snapshots import DynamicGraph, Snapshot

WHERE = {"variant": "str", "repeat": "int32", "layer_index": "int32", "layer": "str"}
PARTITION = {
    "size": "int32",
    "inside": "float64",
    "share": "float64",
    "modularity_term": "float64",
    "conductance": "float64",
    "purity": "float64",
}
COLUMNS = {
    "layers": WHERE
    | {"n_nodes": "int32", "k": "int32", "metric": "str", "engine": "str", "exact": "bool"}
    | {"modularity": "float64", "modularity_max": "float64", "inside_fraction": "float64"}
    | {"n_edges": "int64", "n_components": "int32", "n_communities": "int32"}
    | {"modularity_leiden": "float64", "nmi": "float64", "ami": "float64", "ari": "float64"}
    | {"assortativity": "float64", "mutual_fraction": "float64"}
    | {"clipped": "int64", "zero_rows": "int32", "recall": "float64", "recall_error": "float64"}
    | {"project": "int32", "project_q_shift": "float64"}
    | {"modularity_null_mean": "float64", "modularity_null_sd": "float64"}
    | {"modularity_z": "float64", "modularity_p": "float64"}
    | {"modularity_low": "float64", "modularity_high": "float64"}
    | {"leiden_null_mean": "float64", "leiden_null_sd": "float64", "leiden_z": "float64"},
    "classes": WHERE | {"class": "int32", "class_name": "str"} | PARTITION,
    "class_pairs": WHERE
    | {"class_a": "int32", "class_a_name": "str", "class_b": "int32", "class_b_name": "str"}
    | {"observed": "float64", "expected": "float64", "excess": "float64", "z": "float64"},
    "communities": WHERE
    | {"community": "int32"}
    | PARTITION
    | {"matched": "int32", "majority_class": "int32", "majority_class_name": "str"},
    "nodes": WHERE
    | {"node": "int32", "community": "int32", "degree": "int32", "strength": "float64"}
    | {"own_class_weight": "float64", "core_number": "int32", "matched": "int32"}
    | {"participation": "float64"},
}
# of several layers
THROUGH_DEPTH = {
    "layers": COLUMNS["layers"]
    | {"nmi_previous": "float64", "ami_previous": "float64", "ari_previous": "float64"},
    "flows": WHERE
    | {"community": "int32", "matched": "int32", "next_layer_index": "int32", "next_layer": "str"}
    | {"next_community": "int32", "next_matched": "int32", "count": "int32", "jaccard": "float64"},
    "events": WHERE
    | {"event": "str", "matched": "int32", "size": "int32", "others": "str", "jaccard": "float64"},
}


def kinds(frame):
    # Strings are objects before pandas 3.
    return {name: str(kind).replace("object", "str") for name, kind in frame.dtypes.items()}


def knn(indices, weights, *, zero_rows=0):
    return KnnGraph(
        indices=np.array(indices, dtype=np.int32),
        weights=np.array(weights, dtype=np.float32),
        metric="cosine",
        engine="reference",
        exact=True,
        zero_rows=zero_rows,
    )


def node_table(labels, names=("cat", "dog", "owl")):
    return pd.DataFrame(
        {
            "node": np.arange(len(labels), dtype=np.int32),
            "label": np.array(labels, dtype=np.int32),
            "label_name": [names[label % len(names)] for label in labels],
        }
    )


def nearest(features, k):
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -2)
    order = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    return knn(order, np.take_along_axis(similarity, order, axis=1))


@pytest.fixture
def tiny():
    """Triangle 0-1-2 in a ring of one-way links, pair 3-4 mutual, 5 alone with a negative link."""
    lists = knn([[1], [2], [0], [4], [3], [0]], [[1], [1], [1], [0.5], [0.5], [-0.25]], zero_rows=1)
    return Snapshot.from_knn(lists, layer_index=2, layer="conv3"), lists


@pytest.fixture
def measured(tiny):
    return measure_layer(*tiny, node_table([0, 0, 1, 1, 1, 2]), variant="pgd", repeat=4)


@pytest.fixture(scope="module")
def digits():
    """Three layers over 300 digits: two projections and the pixels."""
    images, labels = load_digits(return_X_y=True)
    features = images[:300] - images.mean(axis=0)
    rng = np.random.default_rng(0)
    lists = [nearest(features @ rng.normal(size=(64, d)), 4) for d in (2, 6)]
    lists.append(nearest(features, 4))
    nodes = node_table(labels[:300], names=[f"digit {d}" for d in range(10)])
    return DynamicGraph.from_knn(lists, nodes, layers=["a", "b", "c"], name="clean-r1"), lists


@pytest.mark.parametrize("table", COLUMNS)
def test_columns_and_types(measured, table):
    frame = getattr(measured, table)
    assert kinds(frame) == COLUMNS[table]
    assert list(frame) == list(COLUMNS[table])
    for name, value in {"variant": "pgd", "repeat": 4, "layer_index": 2, "layer": "conv3"}.items():
        assert (frame[name] == value).all()


def test_layer_by_hand(measured):
    (row,) = measured.layers.to_dict("records")
    # Three half links of 1, one whole of 0.5: W = 2. Class 0 has edge 01, class 1 has edge 34.
    shares = [2 / 4, 2 / 4, 0]
    inside = (0.5 + 0.5) / 2
    expected = {
        "n_nodes": 6,
        "k": 1,
        "modularity": inside - sum(share**2 for share in shares),
        "modularity_max": 1 - sum(share**2 for share in shares),
        "inside_fraction": inside,
        "assortativity": (inside - 1 / 2) / (1 - 1 / 2),
        "n_edges": 4,
        "n_components": 3,
        "n_communities": 3,
        "modularity_leiden": 1 - (3 / 4) ** 2 - (1 / 4) ** 2,
        "mutual_fraction": 1 / 4,
        "clipped": 1,
        "zero_rows": 1,
    }
    assert {name: row[name] for name in expected} == pytest.approx(expected, abs=1e-15)
    assert row["exact"] is True
    assert (row["metric"], row["engine"]) == ("cosine", "reference")


def test_classes_by_hand(measured):
    classes = measured.classes
    assert classes["class"].tolist() == [0, 1, 2]
    assert classes["class_name"].tolist() == ["cat", "dog", "owl"]
    assert classes["size"].tolist() == [2, 3, 1]
    assert classes["inside"].tolist() == [1 / 4, 1 / 4, 0]
    assert classes["share"].tolist() == [1 / 2, 1 / 2, 0]
    assert classes["modularity_term"].tolist() == [1 / 4 - 1 / 4, 1 / 4 - 1 / 4, 0]
    assert classes["conductance"].tolist()[:2] == [(1 / 4) / (1 / 2)] * 2
    assert math.isnan(classes["conductance"].iloc[2])
    # Dogs: one in the triangle, two in the pair.
    assert classes["purity"].tolist() == [1, 2 / 3, 1]


def test_communities_by_hand(measured):
    communities = measured.communities
    assert communities["community"].tolist() == [0, 1, 2]
    assert communities["size"].tolist() == [3, 2, 1]
    assert communities["inside"].tolist() == [3 / 4, 1 / 4, 0]
    assert communities["conductance"].tolist()[:2] == [0, 0]
    assert communities["purity"].tolist() == [2 / 3, 1, 1]
    assert communities["majority_class"].tolist() == [0, 1, 2]
    assert communities["majority_class_name"].tolist() == ["cat", "dog", "owl"]
    assert communities["matched"].tolist() == [0, 1, 2]


def test_nodes_by_hand(measured):
    nodes = measured.nodes
    assert nodes["node"].tolist() == [0, 1, 2, 3, 4, 5]
    assert nodes["community"].tolist() == [0, 0, 0, 1, 1, 2]
    assert nodes["degree"].tolist() == [2, 2, 2, 1, 1, 0]
    assert nodes["strength"].tolist() == [1, 1, 1, 0.5, 0.5, 0]
    assert nodes["own_class_weight"].tolist() == [0.5, 0.5, 0, 0.5, 0.5, 0]
    assert nodes["core_number"].tolist() == [2, 2, 2, 1, 1, 0]


def test_ties_of_the_majority_go_to_the_smaller_class(tiny):
    tied = measure_layer(*tiny, node_table([1, 0, 2, 1, 0, 2]))
    assert tied.communities["majority_class"].tolist() == [0, 0, 2]


def test_labels_need_not_start_at_zero(tiny):
    labels = np.array([40, 40, 7, 7, 7, 1000])
    classes = measure_layer(*tiny, node_table(labels)).classes
    assert classes["class"].tolist() == [7, 40, 1000]
    assert classes["purity"].tolist() == [2 / 3, 1, 1]
    assert classes["class_name"].tolist() == ["dog", "dog", "dog"]


def test_communities_are_matched_to_the_layer_before(tiny):
    before = np.array([9, 9, 9, 0, 0, 5])
    after = measure_layer(*tiny, node_table([0, 0, 1, 1, 1, 2]), previous_communities=before)
    assert after.matched.tolist() == before.tolist()
    assert after.communities["matched"].tolist() == [9, 0, 5]
    assert after.nodes["community"].tolist() == [0, 0, 0, 1, 1, 2]


def test_modularity_is_exactly_the_sum_of_the_terms(digits):
    tables = measure_dynamic_graph(*digits)
    for layer in tables.layers.itertuples():
        for table, value in (
            (tables.classes, layer.modularity),
            (tables.communities, layer.modularity_leiden),
        ):
            terms = table.loc[table["layer_index"] == layer.layer_index, "modularity_term"]
            assert math.fsum(terms) == value


def test_whole_series_equals_layer_by_layer(digits):
    graph, lists = digits
    whole = measure_dynamic_graph(graph, lists, variant="clean", repeat=1, seed=3)
    parts, previous = [], None
    for snapshot, knn_graph in zip(graph.snapshots, lists, strict=True):
        parts.append(
            measure_layer(
                snapshot,
                knn_graph,
                graph.nodes,
                repeat=1,
                previous_communities=previous,
                seed=3,
            )
        )
        previous = parts[-1].matched
    together = follow(parts)
    for table, columns in (COLUMNS | THROUGH_DEPTH).items():
        pd.testing.assert_frame_equal(getattr(whole, table), getattr(together, table))
        assert kinds(getattr(whole, table)) == columns
    assert whole.layers["layer"].tolist() == ["a", "b", "c"]
    assert len(whole.classes) == 30
    assert len(whole.nodes) == 900
    # The pixels separate the digits better than two random directions do.
    assert whole.layers["modularity"].is_monotonic_increasing


def test_digits_equal_networkx(digits):
    graph, lists = digits
    snapshot = graph.snapshots[1]
    measured = measure_layer(snapshot, lists[1], graph.nodes)
    other = nx.from_edgelist([])
    other.add_nodes_from(range(300))
    for (a, b), weight in zip(snapshot.edges.tolist(), snapshot.weights, strict=True):
        other.add_edge(a, b, weight=weight)
    classes = [set(np.flatnonzero(graph.labels == c).tolist()) for c in range(10)]
    row = measured.layers.iloc[0]
    assert row["modularity"] == pytest.approx(nx.community.modularity(other, classes), abs=1e-12)
    assert row["n_components"] == nx.number_connected_components(other)
    nodes = measured.nodes
    assert nodes["core_number"].tolist() == list(nx.core_number(other).values())
    assert nodes["degree"].tolist() == [degree for _, degree in other.degree()]
    assert nodes["strength"].tolist() == pytest.approx(
        [s for _, s in other.degree(weight="weight")]
    )
    conductances = [nx.conductance(other, members, weight="weight") for members in classes]
    assert measured.classes["conductance"].tolist() == pytest.approx(conductances)
    members = nodes.groupby("community")["node"].apply(set)
    found = nx.community.modularity(other, list(members))
    assert row["modularity_leiden"] == pytest.approx(found, abs=1e-12)
    same = [
        sum(
            d["weight"]
            for u in other[v]
            if graph.labels[u] == graph.labels[v]
            for d in [other[v][u]]
        )
        for v in range(300)
    ]
    assert nodes["own_class_weight"].tolist() == pytest.approx(same)


def test_purity_equals_a_cross_table(digits):
    graph, lists = digits
    measured = measure_layer(graph.snapshots[2], lists[2], graph.nodes)
    table = pd.crosstab(graph.labels, measured.nodes["community"])
    assert measured.classes["purity"].tolist() == pytest.approx(
        (table.max(axis=1) / table.sum(axis=1)).tolist()
    )
    assert measured.communities["purity"].tolist() == pytest.approx(
        (table.max() / table.sum()).tolist()
    )
    assert measured.communities["majority_class"].tolist() == table.idxmax().tolist()


def test_one_community_is_no_error():
    # A complete graph has no better partition than the whole.
    lists = knn([[1, 2], [0, 2], [0, 1]], np.ones((3, 2)))
    measured = measure_layer(Snapshot.from_knn(lists), lists, node_table([0, 0, 1]))
    assert measured.layers["n_communities"].tolist() == [1]
    assert measured.layers["modularity_leiden"].tolist() == [0.0]
    assert measured.communities["conductance"].isna().all()


def test_errors(tiny, digits):
    snapshot, lists = tiny
    nodes = node_table([0, 0, 1, 1, 1, 2])
    with pytest.raises(GraphError, match=r"layer 2 \(conv3\): all 6 nodes have the label 1"):
        measure_layer(snapshot, lists, node_table([1] * 6))
    with pytest.raises(GraphError, match=r"layer 2 \(conv3\): the graph has 6 nodes, .* table 5"):
        measure_layer(snapshot, lists, nodes.iloc[:5])
    with pytest.raises(GraphError, match="no column 'label_name': it has node, label; give label"):
        measure_layer(snapshot, lists, nodes[["node", "label"]])
    with pytest.raises(GraphError, match=r"shapes \(2,\) and \(6,\) cannot be compared"):
        measure_layer(snapshot, lists, nodes, previous_communities=[0, 1])
    with pytest.raises(GraphError, match="clean-r1 has 3 layers, but 2 neighbour lists"):
        measure_dynamic_graph(digits[0], digits[1][:2])
    with pytest.raises(GraphError, match="no measured layers to put together"):
        collect([])
