"""C1: what permuted labels give in all layers of a network."""

import numpy as np

from graphs.confidence import PERMUTATIONS, bootstrap_interval, permutation_null
from graphs.modularity import modularity
from graphs.neighbors import knn
from pipeline.benchmarks.curve import K, activations
from pipeline.benchmarks.images import prepare
from pipeline.benchmarks.setting import Case, Measured, Note, Setting
from pipeline.benchmarks.setting import seconds as seconds_of

TOLERANCE = 1e-12


def measure_permutations(setting: Setting) -> Measured:
    """Time 200 permutations of the labels in every layer of ResNet20, graphs in memory."""
    workload = prepare(setting, setting.size(1000, quick=60))
    layers, labels = activations(workload)
    graphs = [knn(values, K, device="cpu") for values in layers]
    found: list[float] = []

    def permute() -> None:
        found[:] = [permutation_null(one.indices, one.weights, labels).value for one in graphs]

    def draw() -> None:
        for graph in graphs:
            bootstrap_interval(graph, labels)

    times = tuple(seconds_of(permute) for _ in range(setting.rounds))
    drawn = [seconds_of(draw) for _ in range(setting.rounds)]
    curve = [float(modularity(one.indices, one.weights, labels)) for one in graphs]
    difference = float(np.abs(np.subtract(found, curve)).max())
    case = Case(
        what="all layers", seconds=times, difference=difference, agrees=difference <= TOLERANCE
    )
    note = Note(
        what="bootstrap of 200 draws, as well",
        value=float(np.median(drawn)),
        low=min(drawn),
        high=max(drawn),
        unit="s",
    )
    text = f"{workload.text}, {len(layers)} layers, k={K}, {PERMUTATIONS} permutations"
    return Measured(cases=(case,), input=text, notes=(note,))
