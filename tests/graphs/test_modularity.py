"""Q against fractions worked out by hand, against igraph and networkx, and its invariants."""

import math
import subprocess
import sys
from fractions import Fraction

import igraph
import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs.errors import GraphError
from graphs.modularity import modularity, modularity_of_edges

# Two triangles joined by one edge.
TRIANGLES = [[0, 1], [0, 2], [1, 2], [3, 4], [3, 5], [4, 5], [2, 3]]


def undirected_matrix(indices, weights):
    """A = (D + Dᵀ)/2 as a dense matrix, the definition written down."""
    n = len(indices)
    directed = np.zeros((n, n))
    for i in range(n):
        for j, weight in zip(indices[i], weights[i], strict=True):
            directed[i, j] += max(weight, 0.0)
    return (directed + directed.T) / 2


def definition(matrix, labels):
    """Q = 1/2W Σ_ij [a_ij − s_i s_j / 2W] δ(c_i, c_j), the definition written down."""
    total, strength = matrix.sum(), matrix.sum(axis=1)
    same = np.equal.outer(labels, labels)
    return ((matrix - np.outer(strength, strength) / total) * same).sum() / total


def random_lists(seed, *, n=40, k=4, classes=3):
    rng = np.random.default_rng(seed)
    indices = np.array([rng.choice(np.delete(np.arange(n), i), k, replace=False) for i in range(n)])
    weights = rng.uniform(-0.2, 1.0, (n, k)).astype(np.float32)
    labels = np.append(np.arange(classes), rng.integers(0, classes, n - classes))
    return indices.astype(np.int32), weights, labels


lists = st.builds(
    random_lists,
    st.integers(0, 2**32 - 1),
    n=st.integers(6, 40),
    k=st.integers(1, 5),
    classes=st.integers(2, 5),
)


def test_two_triangles_and_a_bridge():
    q = modularity_of_edges(TRIANGLES, np.ones(7), [0, 0, 0, 1, 1, 1])
    assert q.value == pytest.approx(6 / 7 - 2 * (7 / 14) ** 2, abs=1e-15)
    assert q.inside == pytest.approx([3 / 7, 3 / 7], abs=1e-15)
    assert q.share == pytest.approx([7 / 14, 7 / 14], abs=1e-15)
    assert q.maximum == 1 - 2 * (1 / 2) ** 2
    assert q.inside_fraction == pytest.approx(6 / 7, abs=1e-15)
    assert q.assortativity == pytest.approx((6 / 7 - 1 / 2) / (1 / 2), abs=1e-15)
    assert q.conductance == pytest.approx([1 / 7, 1 / 7], abs=1e-15)
    assert float(q) == q.value
    assert q.sizes.tolist() == [3, 3]


def test_one_way_link_keeps_half_its_weight():
    # 0 and 1 choose each other, 2 chooses 1: A has a_01 = 1, a_12 = 1/2.
    q = modularity([[1], [0], [1]], np.ones((3, 1)), [0, 0, 1])
    strengths = [Fraction(1), Fraction(3, 2), Fraction(1, 2)]
    shares = [(strengths[0] + strengths[1]) / 3, strengths[2] / 3]
    assert q.share.tolist() == [float(share) for share in shares]
    assert q.inside.tolist() == [2 / 3, 0.0]
    assert q.value == pytest.approx(float(Fraction(2, 3) - shares[0] ** 2 - shares[1] ** 2))


def test_negative_weights_are_clipped_and_counted():
    indices = [[1, 2], [0, 2], [1, 0]]
    q = modularity(indices, [[0.5, -0.3], [0.5, 0.25], [0.25, -0.1]], [0, 0, 1])
    assert q.clipped == 2
    assert q.inside.tolist() == [1.0 / 1.5, 0.0]


def test_every_link_between_classes_gives_the_minimum_of_two():
    q = modularity([[1], [0]], [[1.0], [1.0]], ["cat", "dog"])
    assert q.value == 0 - 2 * (1 / 2) ** 2
    assert q.conductance.tolist() == [1.0, 1.0]
    assert q.classes.tolist() == ["cat", "dog"]


def test_a_class_without_links_has_a_term_of_zero_and_no_conductance():
    q = modularity_of_edges([[0, 1], [1, 2]], [1.0, 1.0], [0, 0, 1, 2])
    assert q.terms[2] == 0
    assert math.isnan(q.conductance[2])


def test_one_part_is_allowed_for_a_detected_partition():
    q = modularity_of_edges(TRIANGLES, np.ones(7), np.zeros(6, dtype=int))
    assert q.value == 0
    assert q.maximum == 0
    assert math.isnan(q.assortativity)
    assert math.isnan(q.conductance[0])


def test_blocks_add_up(monkeypatch):
    indices, weights, labels = random_lists(3)
    whole = modularity(indices, weights, labels)
    monkeypatch.setattr("graphs.modularity._BLOCK_VALUES", 12)  # 3 rows a block
    blocked = modularity(indices, weights, labels)
    assert blocked.value == pytest.approx(whole.value, abs=1e-15)
    assert blocked.clipped == whole.clipped == np.count_nonzero(weights < 0)


@given(lists)
def test_equal_to_the_definition(case):
    indices, weights, labels = case
    matrix = undirected_matrix(indices, weights)
    if matrix.sum() > 0:
        q = modularity(indices, weights, labels)
        assert q.value == pytest.approx(definition(matrix, labels), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_equal_to_igraph_and_networkx(seed):
    indices, weights, labels = random_lists(seed, n=60, k=5, classes=4)
    matrix = undirected_matrix(indices, weights)
    ours = modularity(indices, weights, labels).value
    graph = igraph.Graph.Weighted_Adjacency(matrix, mode="max")
    assert ours == pytest.approx(
        graph.modularity(labels.tolist(), weights=graph.es["weight"]), abs=1e-12
    )
    classes = [set(np.flatnonzero(labels == c).tolist()) for c in range(4)]
    other = nx.community.modularity(nx.from_numpy_array(matrix), classes)
    assert ours == pytest.approx(other, abs=1e-12)
    rows, columns = np.nonzero(np.triu(matrix))
    edges = np.column_stack((rows, columns))
    assert ours == pytest.approx(
        modularity_of_edges(edges, matrix[rows, columns], labels).value, abs=1e-12
    )


@given(lists, st.randoms(use_true_random=False), st.floats(0.01, 100))
def test_invariants(case, random, scale):
    indices, weights, labels = case
    if not (weights > 0).any():
        return
    q = modularity(indices, weights, labels)
    assert q.value == math.fsum(q.terms)
    assert q.value <= q.maximum + 1e-12 <= 1.0 + 1e-12
    assert q.value >= -0.5 - 1e-12
    assert math.fsum(q.share) == pytest.approx(1.0, abs=1e-12)
    assert np.all(q.inside <= q.share + 1e-12)

    order = list(range(len(labels)))
    random.shuffle(order)
    place = np.argsort(order)  # node i of the old order stands at place[i] of the new one
    shuffled = modularity(place[indices][order], weights[order], labels[order])
    assert shuffled.value == pytest.approx(q.value, abs=1e-12)

    renamed = np.array([f"class {9 - label}" for label in labels])
    assert modularity(indices, weights, renamed).value == pytest.approx(q.value, abs=1e-12)

    scaled = modularity(indices, weights.astype(np.float64) * scale, labels)
    assert scaled.value == pytest.approx(q.value, abs=1e-12)


@pytest.mark.slow
def test_a_hundred_thousand_nodes_and_many_classes_equal_igraph():
    rng = np.random.default_rng(0)
    n, k = 100_000, 10
    indices = rng.integers(0, n, (n, k), dtype=np.int32)
    weights = rng.random((n, k), dtype=np.float32)
    labels = rng.integers(0, 1000, n)
    edges = np.column_stack((np.repeat(np.arange(n, dtype=np.int32), k), indices.ravel()))
    graph = igraph.Graph(n=n, edges=edges)
    expected = graph.modularity(labels.tolist(), weights=weights.ravel().astype(np.float64))
    assert modularity(indices, weights, labels).value == pytest.approx(expected, abs=1e-9)


ONES = np.ones((3, 1))
LOOP = [[1], [2], [0]]


@pytest.mark.parametrize(
    ("indices", "weights", "labels", "message"),
    [
        (LOOP, ONES, [0, 1], r"3 nodes, but labels of the shape \(2,\); give one label a node"),
        (LOOP, ONES, [7, 7, 7], "all 3 nodes have the label 7, and the modularity of one class"),
        (LOOP, ONES * 0, [0, 1, 1], "no link has a positive weight"),
        (LOOP, -ONES, [0, 1, 1], "no link has a positive weight"),
        (LOOP, [[1], [math.nan], [1]], [0, 1, 1], "weight nan in row 1 is not finite"),
        (LOOP, [[1], [1], [-math.inf]], [0, 1, 1], "weight -inf in row 2 is not finite"),
        (LOOP, ONES, [0, 1, math.nan], "label nan of node 2 is not finite"),
        ([[1], [3], [0]], ONES, [0, 1, 1], "node 3 does not exist, the graph has the nodes 0 to 2"),
        ([[1], [-1], [0]], ONES, [0, 1, 1], "node -1 does not exist"),
        ([[1.0], [2.0], [0.0]], ONES, [0, 1, 1], "node numbers of the type float64"),
        (LOOP, np.ones((3, 2)), [0, 1, 1], r"shape \(3, 1\), weights \(3, 2\)"),
        ([1, 2, 0], np.ones(3), [0, 1, 1], r"both must be \(nodes, neighbours\)"),
        (np.empty((0, 3), int), np.empty((0, 3)), [], "no link has a positive weight"),
    ],
)
def test_bad_lists_are_refused(indices, weights, labels, message):
    with pytest.raises(GraphError, match=message):
        modularity(indices, weights, labels)


@pytest.mark.parametrize(
    ("edges", "weights", "labels", "message"),
    [
        ([[0, 1, 2]], [1.0], [0, 1, 1], r"they must be \(edges, 2\)"),
        ([[0, 1]], [1.0, 1.0], [0, 1], r"weights \(2,\)"),
        ([[0, 2]], [1.0], [0, 1], "node 2 does not exist"),
        ([[2, 0]], [1.0], [0, 1], "node 2 does not exist"),
        ([[0, 1]], [0.0], [0, 1], "no link has a positive weight"),
        ([[0, 1]], [math.inf], [0, 1], "weight inf in row 0 is not finite"),
        ([[0, 1]], [1.0], [[0, 1]], "labels of the shape"),
    ],
)
def test_bad_edges_are_refused(edges, weights, labels, message):
    with pytest.raises(GraphError, match=message):
        modularity_of_edges(edges, weights, labels)


@pytest.mark.parametrize(
    "statement",
    [
        "from graphs import modularity",
        "from graphs.modularity import modularity",
        "import graphs.modularity; modularity = graphs.modularity.modularity",
        "import graphs.modularity as home; modularity = home.modularity",
        "import graphs; from graphs import knn; modularity = graphs.modularity",
    ],
)
def test_every_way_to_import_it_gives_the_same(statement):
    code = f"{statement}; print(float(modularity([[1], [0], [3], [2]], [[1.0]] * 4, [0, 0, 1, 1])))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0.5\n"
