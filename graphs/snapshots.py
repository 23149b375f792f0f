"""From directed neighbour lists to undirected graphs: one layer's, and the series of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import igraph
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from graphs.cards import card
from graphs.errors import GraphError
from graphs.neighbors.knn_graph import KnnGraph


@dataclass(frozen=True, kw_only=True, eq=False)
class Snapshot:
    """The undirected weighted graph of one layer, A = (D + Dᵀ)/2.

    Attributes
    ----------
    layer_index : int
        Position of the layer in depth order.
    layer : str
        Name of the layer in the network.
    n_nodes : int
        Number of nodes, isolated ones included.
    edges : ndarray of int32, shape (m, 2)
        One row a linked pair, source < target, in lexicographic order.
    weights : ndarray of float64, shape (m,)
        Positive weights. A one-way neighbour keeps half its similarity, a mutual pair all of it.
    clipped : int
        Directed links whose similarity was negative and was taken as 0.
    """

    layer_index: int
    layer: str
    n_nodes: int
    edges: NDArray[np.int32]
    weights: NDArray[np.float64]
    clipped: int = 0

    @classmethod
    def from_knn(cls, knn: KnnGraph, *, layer_index: int = 0, layer: str = "") -> "Snapshot":
        """Symmetrise a directed neighbour list (Lu et al. 2022, section 3.2).

        Parameters
        ----------
        knn : KnnGraph
            The directed list of one layer.
        layer_index, layer
            Where the layer stands and what it is called.

        Raises
        ------
        GraphError
            When no link has a positive similarity (such a graph has no weight), when one is not
            finite, when a neighbour does not exist or is the node itself. The layer is named.

        Examples
        --------
        >>> knn = KnnGraph(
        ...     indices=np.array([[1], [0], [1]], dtype=np.int32),
        ...     weights=np.array([[0.5], [0.5], [0.25]], dtype=np.float32),
        ...     metric="cosine", engine="reference", exact=True,
        ... )
        >>> snapshot = Snapshot.from_knn(knn)
        >>> snapshot.edges.tolist(), snapshot.weights.tolist()
        ([[0, 1], [1, 2]], [0.5, 0.125])
        """
        title = _title(layer_index, layer)
        _check_links(knn, title)
        n = knn.n_nodes
        source = np.repeat(np.arange(n, dtype=np.int64), knn.k)
        target = knn.indices.astype(np.int64).ravel()
        weight = knn.weights.astype(np.float64).ravel()
        clipped = int(np.count_nonzero(weight < 0))
        keep = weight > 0
        if not keep.any():
            raise GraphError(
                f"{title}: none of the {weight.size} links has a positive similarity, the graph "
                "has no weight",
                "leave the layer out with --layers, or look at its activations",
            )
        low = np.minimum(source, target)[keep]
        high = np.maximum(source, target)[keep]
        pairs, inverse = np.unique(low * n + high, return_inverse=True)
        halves = np.bincount(inverse, weights=weight[keep] / 2).astype(np.float64)
        edges = np.column_stack((pairs // n, pairs % n)).astype(np.int32)
        return cls(
            layer_index=layer_index,
            layer=layer,
            n_nodes=n,
            edges=edges,
            weights=halves,
            clipped=clipped,
        )

    @property
    def title(self) -> str:
        """What messages call the layer: ``layer 3 (layer1.2)``."""
        return _title(self.layer_index, self.layer)

    def _repr_html_(self) -> str:
        rows = [*self.figures().items()]
        if self.clipped:
            rows.append(("links with a negative similarity, left out", self.clipped))
        return card(f"Graph of {self.title}", rows)

    def figures(self) -> dict[str, float]:
        """Size of the graph in figures: ``nodes``, ``edges``, ``weight``, ``isolated nodes``."""
        return {
            "nodes": self.n_nodes,
            "edges": len(self.edges),
            "weight": float(self.weights.sum()),
            "isolated nodes": self.n_nodes - len(np.unique(self.edges)),
        }

    @cached_property
    def graph(self) -> igraph.Graph:
        """The igraph graph, weights in the edge attribute ``weight``."""
        return igraph.Graph(
            n=self.n_nodes, edges=self.edges, edge_attrs={"weight": self.weights}, directed=False
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class DynamicGraph:
    """Snapshots over one node set, in the order of depth.

    Attributes
    ----------
    name : str
        Variant and repeat, as file names carry them: ``clean-r0``.
    nodes : DataFrame
        One row a node, in node order: ``node, sample, label, label_name`` and, where they are
        known, ``predicted, confidence``.
    snapshots : tuple of Snapshot
        One graph a layer.
    """

    name: str
    nodes: pd.DataFrame
    snapshots: tuple[Snapshot, ...] = field(repr=False)

    def __post_init__(self) -> None:
        if not self.snapshots:
            raise GraphError(f"{self.name} has no layers", "choose at least one with --layers")
        sizes = {snapshot.n_nodes for snapshot in self.snapshots}
        if sizes != {len(self.nodes)}:
            raise GraphError(
                f"the graphs of {self.name} have {sorted(sizes)} nodes, its node table has "
                f"{len(self.nodes)}",
                "build every layer over the same node set",
            )

    @property
    def n_nodes(self) -> int:
        """Number of nodes, the same in every layer."""
        return len(self.nodes)

    @property
    def labels(self) -> NDArray[np.int32]:
        """Class of every node, shape (n,)."""
        return self.nodes["label"].to_numpy(np.int32)

    def _repr_html_(self) -> str:
        columns = ["edges", "weight", "isolated nodes"]
        rows = [
            [snapshot.layer_index, snapshot.layer, *(sizes[name] for name in columns)]
            for snapshot in self.snapshots
            for sizes in [snapshot.figures()]
        ]
        title = (
            f"Dynamic graph {self.name}: {self.n_nodes:,} nodes, {len(rows)} layers, "
            f"{self.nodes['label'].nunique()} classes"
        )
        return card(title, rows, headers=["", "layer", *columns])

    @classmethod
    def from_knn(
        cls, graphs: Sequence[KnnGraph], nodes: pd.DataFrame, *, layers: Sequence[str], name: str
    ) -> "DynamicGraph":
        """Build one snapshot a layer from directed neighbour lists over the same nodes.

        Parameters
        ----------
        graphs : sequence of KnnGraph
            The directed list of each layer, in order of depth.
        nodes : DataFrame
            The node table, in node order.
        layers : sequence of str
            Name of each layer.
        name : str
            Variant and repeat, as file names carry them: ``clean-r0``.

        Raises
        ------
        GraphError
            For no layers at all, numbers of lists and names that differ, layers of other nodes,
            and as in `Snapshot.from_knn`.
        """
        if len(graphs) != len(layers):
            raise GraphError(
                f"{name}: {len(graphs)} neighbour lists, but {len(layers)} layer names",
                "name every layer",
            )
        snapshots = tuple(
            Snapshot.from_knn(knn, layer_index=index, layer=layer)
            for index, (knn, layer) in enumerate(zip(graphs, layers, strict=True))
        )
        return cls(name=name, nodes=nodes, snapshots=snapshots)


def _title(layer_index: int, layer: str) -> str:
    return f"layer {layer_index} ({layer})" if layer else f"layer {layer_index}"


def _check_links(knn: KnnGraph, title: str) -> None:
    """Refuse what symmetrising would silently drop or turn into loops."""
    faults = (
        (~np.isfinite(knn.weights), "has a similarity that is not finite"),
        ((knn.indices < 0) | (knn.indices >= knn.n_nodes), "does not exist"),
        (knn.indices == np.arange(knn.n_nodes)[:, None], "is the node itself"),
    )
    for wrong, reason in faults:
        if wrong.any():
            node, rank = np.argwhere(wrong)[0]
            raise GraphError(
                f"{title}: neighbour {knn.indices[node, rank]} (rank {rank + 1}) of node {node} "
                f"{reason}",
                "build the edges of this layer again",
            )
