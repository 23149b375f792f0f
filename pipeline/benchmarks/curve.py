"""P1: the modularity curve of a network against the paper's algorithm."""

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from graphs.modularity import modularity
from graphs.neighbors import knn
from graphs.snapshots import Snapshot
from pipeline.benchmarks.images import Workload, prepare
from pipeline.benchmarks.paper_algorithm import paper_modularity
from pipeline.benchmarks.setting import Case, Measured, Setting, alternate

K = 3
# The paper's float32 similarities may order near ties otherwise: a few links of thousands.
TOLERANCE = 1e-3

Layers = list[NDArray[np.floating]]


def measure_curve(setting: Setting) -> Measured:
    """Compare k-NN, graph and modularity of all layers of ResNet20, features in memory."""
    workload = prepare(setting, setting.size(2000, quick=60))
    layers, labels = activations(workload)
    ours: list[float] = []
    paper: list[float] = []

    def run_ours() -> None:
        ours[:] = [_modularity(values, labels) for values in layers]

    def run_paper() -> None:
        paper[:] = [paper_modularity(values, labels, k=K) for values in layers]

    seconds, baseline = alternate(run_ours, run_paper, rounds=setting.rounds)
    difference = float(np.abs(np.subtract(ours, paper)).max())
    case = Case(
        what="all layers",
        seconds=seconds,
        baseline=baseline,
        difference=difference,
        agrees=difference <= TOLERANCE,
    )
    return Measured(cases=(case,), input=f"{workload.text}, {len(layers)} layers, k={K}")


def _modularity(values: NDArray[np.floating], labels: NDArray[np.int64]) -> float:
    graph = knn(values, K, device="cpu")
    # Q needs no graph; it is built here because the other side has one afterwards
    Snapshot.from_knn(graph)
    return float(modularity(graph.indices, graph.weights, labels))


def activations(workload: Workload) -> tuple[Layers, NDArray[np.int64]]:
    """Run the network once: features of shape (n, D) a layer, and the labels."""
    forward = workload.forward()
    n = len(forward.data)
    parts = defaultdict(list)
    for batch in forward.batches(np.arange(n), range(n)):
        for name, values in batch.activations.items():
            parts[name].append(values)
    return [np.concatenate(parts[layer.name]) for layer in forward.layers], forward.data.labels
