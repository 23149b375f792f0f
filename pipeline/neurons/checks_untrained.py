"""Checks of neuron graphs that need no training and no data."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from graphs.eigenvalues import laplacian_eigenvalues
from graphs.neuron_graph import NeuronGraph, layered_graph
from graphs.spectral import newman_modularity, normalized_cut, spectral_partition
from pipeline.models.mlp import MLP
from pipeline.neurons.checks import CheckSetting, Finding
from pipeline.neurons.weight_graph import neuron_graph

SHAPE = (1, 28, 28)
HIDDEN = (256, 256, 256, 256)
TOLERANCE = 0.01  # of an n-cut, beside the spread between the networks of a check
# clusters: lowest and highest n-cut of a few networks
RANDOM = {
    2: (0.384, 0.386),
    4: (2.346, 2.355),
    7: (5.27, 5.32),
    10: (8.29, 8.33),
    12: (10.22, 10.37),
}
PRUNED = {2: (0.357, 0.362), 4: (2.09, 2.10), 7: (4.78, 4.78), 10: (7.50, 7.50), 12: (9.34, 9.40)}


def fixture(_setting: CheckSetting) -> Iterator[Finding]:
    """Check 1: a network of six neurons, whose n-cut is 1.68 / 43.48 + 1.68 / 27.88."""
    weights = ([[12, -1.3], [0, 7.4]], [[-8.9, 0.15], [0.23, -5.7]])
    value = normalized_cut(layered_graph(weights).adjacency, [0, 1, 0, 1, 0, 1])
    exact = 1.68 / 43.48 + 1.68 / 27.88
    yield Finding("n-cut of 2-2-2", "0.0989", f"{value:.4f}", abs(value - exact) < 1e-12)


def random_networks(setting: CheckSetting) -> Iterator[Finding]:
    """Check 2: Glorot-uniform networks 784-256x4-10."""
    yield from _n_cuts(setting, "random", RANDOM, sparsity=0.0)


def pruned_untrained(setting: CheckSetting) -> Iterator[Finding]:
    """Check 3: the same networks with the largest tenth of the weights of each layer."""
    yield from _n_cuts(setting, "pruned untrained", PRUNED, sparsity=0.9)


def depth_split(_setting: CheckSetting) -> Iterator[Finding]:
    """Check 4: two clusters of a random network are its layers above and below a border."""
    graph = glorot_graph(0)
    labels = spectral_partition(graph.adjacency, 2, seed=0)
    shares = [np.bincount(labels[graph.layer == at]).max() for at in range(len(graph.widths))]
    least = min(share / width for share, width in zip(shares, graph.widths, strict=True))
    yield Finding("least share of a layer in one cluster", "1.00", f"{least:.2f}", least >= 0.995)
    value, q = (f(graph.adjacency, labels) for f in (normalized_cut, newman_modularity))
    yield Finding("n-cut", ".385", f"{value:.3f}".removeprefix("0"), abs(value - 0.385) < 0.005)
    yield Finding("Newman's Q", ".308", f"{q:.3f}".removeprefix("0"), abs(q - 0.308) < 0.005)


def clusterable(setting: CheckSetting) -> Iterator[Finding]:
    """Check 5: weights inside ten random modules are larger from the beginning."""
    from pipeline.neurons.initial import initialize_neurons

    values = []
    for seed in range(setting.networks):
        model = initialize_neurons(MLP(SHAPE, hidden=HIDDEN), "clusterable", seed=seed, first=True)
        values += ncuts(neuron_graph(model, SHAPE), (12,))
    low, high = 6.80 - 3 * 0.034, 6.80 + 3 * 0.034
    yield Finding(
        "clusterable init, K = 12",
        "6.80 ± .03",
        spread(values),
        bool(low <= np.mean(values) <= high),
    )


def gradient(_setting: CheckSetting) -> Iterator[Finding]:
    """Check 14: the gradient of the eigenvalues against finite differences."""
    generator = np.random.default_rng(0)
    widths = (49, 64, 64, 64, 10)
    weights = [generator.normal(size=(a, b)) for a, b in pairwise(widths)]
    gradients = laplacian_eigenvalues(weights).gradients
    errors = [
        abs(_difference(weights, place, index) / gradients[place][index] - 1)
        for place in range(len(weights))
        for index in [(0, 0), (20, 5), (40, 9)]
    ]
    yield Finding(
        "49-64-64-64-10: closed form against central differences, largest relative error",
        "exact",
        f"{max(errors):.0e}",
        max(errors) < 1e-4,
    )


def _difference(weights: list[NDArray[np.float64]], place: int, index: tuple[int, int]) -> float:
    step = 1e-5
    values = []
    for sign in (1, -1):
        moved = [weight.copy() for weight in weights]
        moved[place][index] += sign * step
        values.append(float(laplacian_eigenvalues(moved).values.mean()))
    return (values[0] - values[1]) / (2 * step)


def glorot_graph(seed: int, *, sparsity: float = 0.0) -> NeuronGraph:
    """Return the graph of an untrained MLP 784-256x4-10, weights uniform as Glorot's.

    Parameters
    ----------
    seed : int
        Of the weights.
    sparsity : float
        Share of the weights of each layer that are set to 0, the smallest.
    """
    rng = np.random.default_rng(seed)
    sizes = (int(np.prod(SHAPE)), *HIDDEN, 10)
    return layered_graph([_glorot(a, b, rng, sparsity) for a, b in pairwise(sizes)])


def _glorot(
    fan_in: int, fan_out: int, rng: np.random.Generator, sparsity: float
) -> NDArray[np.float64]:
    limit = np.sqrt(6 / (fan_in + fan_out))
    weights = rng.uniform(-limit, limit, (fan_in, fan_out))
    weights[np.abs(weights) < np.quantile(np.abs(weights), sparsity)] = 0
    return weights


def ncuts(graph: NeuronGraph, clusters: Sequence[int]) -> list[float]:
    """Return the n-cut of a graph for each number of clusters."""
    matrix = graph.adjacency
    return [normalized_cut(matrix, spectral_partition(matrix, k, seed=0)) for k in clusters]


def spread(values: Sequence[float]) -> str:
    """Write values as lowest to highest.

    Examples
    --------
    >>> spread([10.31, 10.236]), spread([0.385])
    ('10.24 to 10.31', '.385')
    """
    digits = 3 if max(values) < 3 else 2
    texts = [f"{value:.{digits}f}".removeprefix("0") for value in (min(values), max(values))]
    return texts[0] if texts[0] == texts[1] else " to ".join(texts)


def _n_cuts(
    setting: CheckSetting, what: str, expected: dict[int, tuple[float, float]], *, sparsity: float
) -> Iterator[Finding]:
    graphs = [glorot_graph(seed, sparsity=sparsity) for seed in range(setting.networks)]
    for clusters, (low, high) in expected.items():
        values = [value for graph in graphs for value in ncuts(graph, (clusters,))]
        slack = TOLERANCE * clusters
        yield Finding(
            f"{what}, K = {clusters}",
            spread((low, high)),
            spread(values),
            low - slack <= min(values) and max(values) <= high + slack,
        )
