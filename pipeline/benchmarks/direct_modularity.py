"""P4: Q straight from a directed list against the graph in igraph."""

import igraph
import numpy as np
from numpy.typing import NDArray

from graphs.modularity import modularity
from pipeline.benchmarks.setting import Case, Measured, Setting, alternate

CLASSES = 10
K = 10
TOLERANCE = 1e-9


def measure_direct_modularity(setting: Setting) -> Measured:
    """Compare `modularity` with building the igraph graph and asking it, on a random list."""
    nodes = setting.size(1_000_000, quick=2000)
    indices, weights, labels = _random_list(nodes)
    found = {"ours": 0.0, "igraph": 0.0}

    def ours() -> None:
        found["ours"] = float(modularity(indices, weights, labels))

    def with_igraph() -> None:
        # Parallel edges of half the weight give the same Q as their sum: the shortest way there.
        sources = np.repeat(np.arange(nodes, dtype=np.int32), K)
        edges = np.column_stack((sources, indices.ravel()))
        graph = igraph.Graph(n=nodes, edges=edges, directed=False)
        halves = weights.ravel().astype(np.float64) / 2
        found["igraph"] = graph.modularity(labels, weights=halves)

    seconds, baseline = alternate(ours, with_igraph, rounds=setting.rounds)
    difference = abs(found["ours"] - found["igraph"])
    case = Case(
        what="Q",
        seconds=seconds,
        baseline=baseline,
        difference=difference,
        agrees=difference <= TOLERANCE,
    )
    return Measured(cases=(case,), input=f"{nodes} nodes x {K} neighbours, random")


def _random_list(
    nodes: int,
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int64]]:
    """Draw a directed list without loops, half of whose links lead to a node close by."""
    rng = np.random.default_rng(0)
    steps = rng.integers(1, nodes, size=(nodes, K))
    steps[:, : K // 2] = rng.integers(1, 100, size=(nodes, K // 2))
    indices = (np.arange(nodes)[:, None] + steps) % nodes
    labels = np.arange(nodes) * CLASSES // nodes
    return indices.astype(np.int32), rng.random((nodes, K), np.float32), labels
