"""Neurons linked by how alike they behave, instead of by weights."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.stats import rankdata

from graphs.errors import ActivationError
from graphs.neuron_graph import NeuronGraph, WeightBlock


def correlation_graph(activations: Mapping[str, ArrayLike]) -> NeuronGraph:
    """Link neurons, of the same layer and of others, by their squared rank correlation.

    Parameters
    ----------
    activations : mapping of str to array_like of float, shape (n, units)
        What the neurons of each layer put out for the same n samples, layers in order of depth.

    Returns
    -------
    NeuronGraph
        Edges have Spearman's rho, squared. Neurons whose output never changes are left out. It has
        one block: rows and columns are all neurons, entries above the diagonal.

    Raises
    ------
    ActivationError
        When layers have different numbers of samples, fewer than three, or values are not finite.

    Notes
    -----
    Filan et al. (2021) and Hod et al. (2021), comparison with activations; theirs is dense, too.

    Examples
    --------
    >>> graph = correlation_graph({"a": [[0, 5], [1, 5], [2, 5]], "b": [[2], [1], [0]]})
    >>> graph.unit.tolist(), graph.adjacency.toarray().round(6).tolist()
    ([0, 0], [[0.0, 1.0], [1.0, 0.0]])
    """
    layers = {name: np.asarray(values, np.float64) for name, values in activations.items()}
    _check(layers)
    units = np.concatenate(list(layers.values()), axis=1)
    ranks = rankdata(units, axis=0)
    ranks -= ranks.mean(axis=0)
    length = np.sqrt((ranks**2).sum(axis=0))
    unit = np.divide(ranks, length, out=np.zeros_like(ranks), where=length > 0)
    squared: NDArray[np.float64] = np.triu((unit.T @ unit) ** 2, k=1)
    everyone = np.arange(squared.shape[0], dtype=np.int32)
    block = WeightBlock(
        name="correlations", weights=csr_array(squared), sources=(everyone,), targets=everyone
    )
    return NeuronGraph.build(
        [block],
        layer_names=list(layers),
        widths=[values.shape[1] for values in layers.values()],
    )


def _check(layers: Mapping[str, NDArray[np.float64]]) -> None:
    counts = {values.shape[0] if values.ndim == 2 else -1 for values in layers.values()}
    if len(counts) != 1 or min(counts) < 3:
        shapes = ", ".join(f"{name} {values.shape}" for name, values in layers.items())
        raise ActivationError(
            f"activations of shapes {shapes or 'none'} cannot be correlated",
            "give (samples, units) for each layer, at least 3 samples, the same ones",
        )
    for name, values in layers.items():
        if not np.isfinite(values).all():
            raise ActivationError(
                f"layer {name} puts out values that are not finite", "check weights and images"
            )
