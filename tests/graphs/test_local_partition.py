from itertools import pairwise

import numpy as np
import pytest

from graphs.errors import GraphError
from graphs.local_partition import local_partition
from graphs.neuron_graph import layered_graph


def _blocks(sizes, modules, seed=0):
    """Layers whose neurons are linked within modules only, in a random order."""
    generator = np.random.default_rng(seed)
    owners = [generator.permutation(np.arange(size) % modules) for size in sizes]
    weights = [
        np.where(a[:, None] == b[None, :], generator.uniform(1, 2, (len(a), len(b))), 0.001)
        for a, b in pairwise(owners)
    ]
    return layered_graph(weights), np.concatenate(owners)


def test_modules_of_each_layer_are_found():
    graph, owners = _blocks([12, 9, 12, 6], 3)
    found = local_partition(graph, owners, seed=0)
    for layer in range(4):
        here = graph.layer == layer
        pairs = set(zip(found[here].tolist(), owners[here].tolist(), strict=True))
        assert len(pairs) == 3  # the same division under other names
        assert {a for a, _ in pairs} == {0, 1, 2}


def test_each_layer_gets_as_many_clusters_as_it_has_in_the_whole():
    graph, owners = _blocks([12, 9, 12, 6], 3)
    labels = np.where(graph.layer == 2, 0, owners)
    found = local_partition(graph, labels, seed=0)
    assert set(found[graph.layer == 2]) == {0}
    assert set(found[graph.layer == 1]) == {0, 1, 2}


def test_what_is_refused():
    graph, owners = _blocks([4, 4], 2)
    with pytest.raises(GraphError, match="2 layers has no layer between"):
        local_partition(graph, owners, seed=0)
    graph, owners = _blocks([4, 4, 4], 2)
    with pytest.raises(GraphError, match="one label a node"):
        local_partition(graph, owners[:3], seed=0)
