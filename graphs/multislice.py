"""Communities of all layers at once. The only file that imports leidenalg."""

from collections.abc import Sequence
from types import ModuleType

import igraph
import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphs.communities import number_by_size
from graphs.errors import GraphError, ResourceError
from graphs.snapshots import Snapshot

MOST_SEEDS = 2**31  # leidenalg takes an int32


def multislice_modularity(
    snapshots: Sequence[Snapshot],
    communities: ArrayLike,
    *,
    coupling: float,
    resolution: float = 1.0,
) -> float:
    """Modularity of communities that go through all layers.

    Q = 1/(2μ) Σ_ijsr [(a_ijs − γ k_is k_js / 2m_s) δ_sr + ω δ_ij [|s − r| = 1]] δ(g_is, g_jr):
    that of every layer with its own null model, and what the couplings of a sample to itself in
    the next layer add where it keeps its community. 2μ is the sum of all strengths, couplings
    included.

    Parameters
    ----------
    snapshots : sequence of Snapshot
        The layers in order of depth, over the same nodes.
    communities : array of int, shape (L, n)
        Community of every node in every layer; a number means the same in all layers.
    coupling : float
        ω, the weight that couples a node to itself in the next layer.
    resolution : float
        γ; 1 as usual.

    Returns
    -------
    float
        Q. Without couplings the mean of the layers' modularities, weighted by their edge weight.

    Raises
    ------
    GraphError
        For no layers, layers of other nodes, or a coupling or resolution that cannot be.

    Notes
    -----
    Mucha, Richardson, Macon, Porter & Onnela 2010, "Community structure in time-dependent,
    multiscale, and multiplex networks", equation 1 for undirected layers in order.

    Examples
    --------
    >>> pair = Snapshot(
    ...     layer_index=0, layer="", n_nodes=2, edges=np.array([[0, 1]], np.int32),
    ...     weights=np.array([1.0]),
    ... )
    >>> multislice_modularity([pair, pair], [[0, 0], [0, 0]], coupling=1.0)  # 4 / 8
    0.5
    """
    n = _check(snapshots, coupling=coupling, resolution=resolution)
    parts = np.asarray(communities)
    if parts.shape != (len(snapshots), n):
        raise GraphError(
            f"communities of the shape {parts.shape}, there are {len(snapshots)} layers of {n} "
            "nodes",
            "give the community of every node in every layer",
        )
    inside, total = 0.0, 0.0
    for snapshot, part in zip(snapshots, parts, strict=True):
        first, second = snapshot.edges.T
        weight = snapshot.weights
        strength = np.bincount(snapshot.edges.ravel(), np.repeat(weight, 2), minlength=n)
        held = np.bincount(np.unique(part, return_inverse=True)[1], strength)
        twice = 2 * weight.sum()
        inside += 2 * weight[part[first] == part[second]].sum()
        inside -= resolution * float((held**2).sum()) / twice
        total += twice
    kept = int(np.count_nonzero(parts[1:] == parts[:-1]))
    couplings = 2 * coupling * n * (len(snapshots) - 1)
    return float((inside + 2 * coupling * kept) / (total + couplings))


def multislice_communities(
    snapshots: Sequence[Snapshot], *, coupling: float, seed: int, resolution: float = 1.0
) -> NDArray[np.int32]:
    """Communities of high multislice modularity by the Leiden algorithm, run until stable.

    Parameters
    ----------
    snapshots : sequence of Snapshot
        The layers in order of depth, over the same nodes.
    coupling : float
        ω. With 0 every layer is on its own; the larger it is, the less communities change from
        layer to layer.
    seed : int
        Same seed, same communities.
    resolution : float
        γ; larger values give more, smaller communities.

    Returns
    -------
    ndarray of int32, shape (L, n)
        Community of every node in every layer, one numbering for all layers: largest over all
        layers first.

    Raises
    ------
    GraphError
        As `multislice_modularity`.
    ResourceError
        When leidenalg is not installed.

    Notes
    -----
    Mucha et al. 2010; Traag, Waltman & van Eck 2019, by leidenalg.
    """
    n = _check(snapshots, coupling=coupling, resolution=resolution)
    leidenalg = require_leidenalg()
    graphs = []
    for snapshot in snapshots:
        graph = igraph.Graph(
            n=n, edges=snapshot.edges, edge_attrs={"weight": snapshot.weights}, directed=False
        )
        graph.vs["id"] = range(n)
        graphs.append(graph)
    found, _ = leidenalg.find_partition_temporal(
        graphs,
        leidenalg.RBConfigurationVertexPartition,
        interslice_weight=coupling,
        resolution_parameter=resolution,
        n_iterations=-1,
        seed=int(seed) % MOST_SEEDS,
    )
    return number_by_size(np.array(found).ravel()).reshape(len(snapshots), n)


def require_leidenalg() -> ModuleType:
    """Import leidenalg.

    Raises
    ------
    ResourceError
        When it is not installed.
    """
    try:
        import leidenalg
    except ImportError as error:
        raise ResourceError(
            "communities of all layers at once need leidenalg, which is not installed",
            "pip install -c constraints.txt -e '.[multislice]' (leidenalg is under the GPL)",
        ) from error
    module: ModuleType = leidenalg
    return module


def check_coupling(coupling: float) -> None:
    """Refuse what is no weight.

    Raises
    ------
    GraphError
        When it is negative or not finite.
    """
    if not (np.isfinite(coupling) and coupling >= 0):
        raise GraphError(f"coupling={coupling:g} is no weight", "give 0 or more: --coupling 0.2")


def _check(snapshots: Sequence[Snapshot], *, coupling: float, resolution: float) -> int:
    """Refuse what has no multislice modularity; return the number of nodes."""
    sizes = {snapshot.n_nodes for snapshot in snapshots}
    if len(sizes) != 1:
        raise GraphError(
            f"the layers have {sorted(sizes) or 'no'} nodes", "give layers over the same nodes"
        )
    check_coupling(coupling)
    if not (np.isfinite(resolution) and resolution > 0):
        raise GraphError(f"resolution={resolution} is no positive number", "use 1.0")
    return sizes.pop()
