"""Leiden's optimum against that of graphs with the same degrees and no structure."""

import numpy as np
from numpy.typing import NDArray

from graphs.communities import leiden
from graphs.errors import GraphError
from graphs.modularity import modularity_of_edges
from graphs.seeding import seeded
from graphs.snapshots import Snapshot

SWAPS_PER_EDGE = 10


def check_rewirings(rewirings: int) -> None:
    """Check how many graphs are to be rewired.

    Raises
    ------
    GraphError
        For less than none.
    """
    if rewirings < 0:
        raise GraphError(f"rewirings={rewirings} is less than none", "use --rewirings 20, or 0")


def rewired_modularity(
    snapshot: Snapshot, *, rewirings: int = 20, seed: int = 0
) -> NDArray[np.float64]:
    """Modularity that Leiden finds in graphs with the same degrees, linked at random.

    A search for communities finds some in any graph: its optimum says something only where it lies
    above these. Each takes as long as Leiden itself.

    Parameters
    ----------
    snapshot : Snapshot
        The graph of a layer.
    rewirings : int
        How many random graphs; none where that is not asked.
    seed : int
        Of the rewiring and of Leiden.

    Returns
    -------
    ndarray of float64, shape (rewirings,)
        Q of Leiden's communities in each of them.

    Raises
    ------
    GraphError
        For less than none.

    Notes
    -----
    Maslov & Sneppen 2002: ends of two edges are swapped, ten times as often as there are edges, no
    loop and no double edge is made. Degrees are kept, strengths are not: weights are dealt anew.

    Examples
    --------
    >>> edges = np.array([[0, 1], [0, 2], [1, 2], [2, 3], [3, 4], [3, 5], [4, 5]], dtype=np.int32)
    >>> graph = Snapshot(layer_index=0, layer="", n_nodes=6, edges=edges, weights=np.ones(7))
    >>> rewired_modularity(graph, rewirings=3).shape
    (3,)
    """
    check_rewirings(rewirings)
    found = np.empty(rewirings)
    generator = np.random.default_rng(seed)
    for place in range(rewirings):
        own = int(generator.integers(2**31))
        graph = snapshot.graph.copy()
        with seeded(own):
            graph.rewire(SWAPS_PER_EDGE * len(snapshot.edges))
        edges = np.sort(np.array(graph.get_edgelist(), dtype=np.int32), axis=1)
        other = Snapshot(
            layer_index=snapshot.layer_index,
            layer=snapshot.layer,
            n_nodes=snapshot.n_nodes,
            edges=edges,
            weights=generator.permutation(snapshot.weights),
        )
        parts = leiden(other, seed=own)
        found[place] = modularity_of_edges(other.edges, other.weights, parts).value
    return found
