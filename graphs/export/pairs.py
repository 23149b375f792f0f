"""The links of all layers, sorted by pair: what union and dynamic files are written from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphs.snapshots import DynamicGraph


@dataclass(frozen=True)
class PairTable:
    """Every pair that is linked in some layer, with its links in depth order.

    Attributes
    ----------
    pairs : ndarray of int64, shape (p, 2)
        Source < target, in lexicographic order.
    starts : ndarray of int64, shape (p + 1,)
        The links of pair i are ``starts[i]`` to ``starts[i + 1] - 1``.
    positions : ndarray of int64, shape (m,)
        Position of each link's layer among the snapshots, in order of their layer index.
    weights : ndarray of float64, shape (m,)
        Weight of each link.
    """

    pairs: NDArray[np.int64]
    starts: NDArray[np.int64]
    positions: NDArray[np.int64]
    weights: NDArray[np.float64]


def pair_table(dynamic: DynamicGraph) -> PairTable:
    """Sort the links of all layers by pair, then by depth."""
    n = dynamic.n_nodes
    in_depth = sorted(
        range(len(dynamic.snapshots)), key=lambda place: dynamic.snapshots[place].layer_index
    )
    layers = [dynamic.snapshots[place] for place in in_depth]
    codes = np.concatenate([layer.edges.astype(np.int64) @ np.array([n, 1]) for layer in layers])
    sizes = [len(layer.edges) for layer in layers]
    order = np.argsort(codes, kind="stable")
    pairs, first = np.unique(codes[order], return_index=True)
    return PairTable(
        pairs=np.column_stack((pairs // n, pairs % n)),
        starts=np.append(first, len(codes)),
        positions=np.repeat(np.array(in_depth), sizes)[order],
        weights=np.concatenate([layer.weights for layer in layers])[order],
    )
