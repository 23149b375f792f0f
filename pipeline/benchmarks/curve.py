"""P1: the modularity curve of a network against the paper's algorithm."""

from collections import defaultdict

import numpy as np
import torch
from numpy.typing import NDArray

from graphs.modularity import modularity
from graphs.neighbors import knn
from graphs.snapshots import Snapshot
from pipeline.benchmarks.images import Workload, prepare
from pipeline.benchmarks.paper_algorithm import paper_modularity
from pipeline.benchmarks.setting import Case, Measured, Setting, alternate
from pipeline.forward import place
from pipeline.hooks import capture, resolve_layers
from pipeline.models import load_model

K = 3
BATCH = 250
# The paper's float32 similarities may order near ties otherwise: a few links of thousands.
TOLERANCE = 1e-3

Layers = list[NDArray[np.float32]]


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


def _modularity(values: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    graph = knn(values, K, device="cpu")
    # Q needs no graph; it is built here because the other side has one afterwards
    Snapshot.from_knn(graph)
    return float(modularity(graph.indices, graph.weights, labels))


def activations(workload: Workload) -> tuple[Layers, NDArray[np.int64]]:
    """Run the network once: features of shape (n, D) a layer, and the labels."""
    data = workload.load()
    model = load_model(workload.network.model, weights=workload.network.weights)
    layers = resolve_layers(model, "blocks", data.images([0]))
    place(model, torch.device("cpu"))
    parts = defaultdict(list)
    with capture(model, layers) as captured, torch.inference_mode():
        for at in range(0, len(data), BATCH):
            pixels = data.images(np.arange(at, min(at + BATCH, len(data))))
            model(pixels.contiguous(memory_format=torch.channels_last))
            for name, values in captured.outputs.items():
                parts[name].append(values.numpy())
    return [np.concatenate(parts[layer.name]) for layer in layers], data.labels
