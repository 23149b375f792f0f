"""Criteria that read the graphs of the layers: how much Q a layer adds."""

import numpy as np
from numpy.typing import NDArray

from graphs.communities import leiden
from graphs.modularity import modularity_of_edges
from graphs.snapshots import Snapshot
from pipeline.pruning.evidence import Evidence


def modularity_gain(evidence: Evidence) -> NDArray[np.float64]:
    """Q[l] − Q[l−1] of the classes: Lu et al. 2022, Table 1. NaN for the first layer.

    Raises
    ------
    DataError
        When the samples have no labels.
    """
    return _gains(evidence.curve)


def above_maximum(evidence: Evidence) -> NDArray[np.float64]:
    """Q[l] less the largest Q before it: the released code of Lu et al. 2022. NaN for the first.

    Raises
    ------
    DataError
        When the samples have no labels.
    """
    before = np.maximum.accumulate(evidence.curve)[:-1]
    return np.concatenate([[np.nan], evidence.curve[1:] - before])


def leiden_gain(evidence: Evidence) -> NDArray[np.float64]:
    """Q*[l] − Q*[l−1] of the communities that Leiden finds, without labels. NaN for the first."""
    found = []
    for part in evidence.parts:
        graph = Snapshot.from_knn(
            evidence.graph(part.index), layer_index=part.index, layer=part.name
        )
        communities = leiden(graph, seed=evidence.seed)
        found.append(modularity_of_edges(graph.edges, graph.weights, communities).value)
    return _gains(np.array(found))


def _gains(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([[np.nan], np.diff(curve)])
