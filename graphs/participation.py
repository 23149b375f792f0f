"""Whether the links of a node stay in one community or reach many."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphs.errors import GraphError
from graphs.snapshots import Snapshot


def participation(snapshot: Snapshot, communities: ArrayLike) -> NDArray[np.float64]:
    """Participation coefficient of every node: how evenly its links go to communities.

    P_i = 1 − Σ_c (s_ic / s_i)², with s_ic the weight that links node i to community c, and s_i its
    strength. 0 where all links stay in one community, close to 1 where they go to many alike.

    Parameters
    ----------
    snapshot : Snapshot
        The graph of one layer.
    communities : array of int, shape (n,)
        Community of every node.

    Returns
    -------
    ndarray of float64, shape (n,)
        NaN for nodes without links.

    Raises
    ------
    GraphError
        When the communities are not of the graph's nodes.

    Notes
    -----
    Guimerà & Nunes Amaral 2005, "Functional cartography of complex metabolic networks", with
    weights in the place of link counts.

    Examples
    --------
    >>> star = Snapshot(
    ...     layer_index=0, layer="", n_nodes=5,
    ...     edges=np.array([[0, 1], [0, 2], [0, 3]], dtype=np.int32), weights=np.array([1.0, 1, 2]),
    ... )
    >>> participation(star, [0, 0, 1, 2, 2])
    array([0.625, 0.   , 0.   , 0.   ,   nan])
    """
    parts = np.asarray(communities)
    if parts.shape != (snapshot.n_nodes,):
        raise GraphError(
            f"communities of the shape {parts.shape}, the graph has {snapshot.n_nodes} nodes",
            "give the community of every node",
        )
    codes = np.unique(parts, return_inverse=True)[1]
    n, width = snapshot.n_nodes, int(codes.max(initial=0)) + 1
    source = snapshot.edges.astype(np.int64).ravel()
    target = snapshot.edges[:, ::-1].ravel()
    weight = np.repeat(snapshot.weights, 2)
    pairs, inverse = np.unique(source * width + codes[target], return_inverse=True)
    into = np.bincount(inverse, weight, minlength=len(pairs))
    strength = np.bincount(source, weight, minlength=n)
    squares = np.bincount(pairs // width, into**2, minlength=n)
    found = np.full(n, np.nan)
    linked = strength > 0
    # a node with one community shall have 0, not a rounding error
    found[linked] = np.maximum(0.0, 1 - squares[linked] / strength[linked] ** 2)
    return found
