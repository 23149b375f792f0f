"""Modularity of a given partition, Q = Σ_c (e_cc − a_c²), with its terms.

Sources: Newman & Girvan 2004, "Finding and evaluating community structure in networks", eq. 5;
for weights, Newman 2004, "Analysis of weighted networks"; of classes on the k-NN graph of a
layer's features, Lu et al. 2022, section 3.2.
"""

import math
import sys
from dataclasses import dataclass, field
from functools import cached_property
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphs.errors import GraphError

# Rows handled at once: the block and its float64 copy stay in the processor's cache.
_BLOCK_VALUES = 1 << 17


@dataclass(frozen=True, kw_only=True, eq=False)
class Modularity:
    """Q of one partition of one graph. Everything is a share of the graph's weight.

    Attributes
    ----------
    classes : ndarray, shape (c,)
        The distinct labels, sorted; the other arrays follow this order.
    sizes : ndarray of int64, shape (c,)
        Nodes of each class.
    inside : ndarray of float64, shape (c,)
        e_cc: share of the weight that links two nodes of class c.
    share : ndarray of float64, shape (c,)
        a_c: share of the strength (weighted degree) that class c holds.
    clipped : int
        Links whose weight was negative and was taken as 0.

    Examples
    --------
    >>> q = modularity([[1], [0], [3], [2]], [[1.0]] * 4, ["cat", "cat", "dog", "dog"])
    >>> float(q), q.maximum, q.inside_fraction
    (0.5, 0.5, 1.0)
    >>> q.terms
    array([0.25, 0.25])
    """

    classes: NDArray[Any]
    sizes: NDArray[np.int64] = field(repr=False)
    inside: NDArray[np.float64] = field(repr=False)
    share: NDArray[np.float64] = field(repr=False)
    clipped: int = 0

    @cached_property
    def terms(self) -> NDArray[np.float64]:
        """e_cc − a_c² of each class, shape (c,): Q is their sum."""
        return self.inside - self.share**2

    @cached_property
    def value(self) -> float:
        """Q, the exactly rounded sum of the terms."""
        return math.fsum(self.terms)

    @cached_property
    def maximum(self) -> float:
        """Largest Q of this partition, 1 − Σ a_c²: every link inside its class."""
        return 1.0 - math.fsum(self.share**2)

    @cached_property
    def assortativity(self) -> float:
        """Q / Q_max (Newman 2003, eq. 2): comparable between numbers of classes; NaN if Q_max = 0.

        Notes
        -----
        M. E. J. Newman, "Mixing patterns in networks", Physical Review E 67, 026126.
        """
        return self.value / self.maximum if self.maximum > 0 else math.nan

    @cached_property
    def inside_fraction(self) -> float:
        """Share of the weight that links nodes of equal label, Σ e_cc."""
        return math.fsum(self.inside)

    @cached_property
    def conductance(self) -> NDArray[np.float64]:
        """Weight cut off each class over the smaller side's strength, shape (c,).

        cut / min(vol, rest), in shares (a_c − e_cc) / min(a_c, 1 − a_c): 0 for a class apart, 1
        for one without a link of its own; NaN where one side has no strength.
        """
        # Rounding may leave a_c − e_cc or 1 − a_c a hair below 0.
        cut = np.maximum(self.share - self.inside, 0.0)
        smaller = np.maximum(np.minimum(self.share, 1.0 - self.share), 0.0)
        return np.divide(cut, smaller, out=np.full_like(cut, np.nan), where=smaller > 0)

    def __float__(self) -> float:
        return self.value


def modularity(indices: ArrayLike, weights: ArrayLike, labels: ArrayLike) -> Modularity:
    """Q of the classes on A = (D + Dᵀ)/2, straight from the directed neighbour list D.

    Works in O(n·k) without building the graph. Negative weights count as 0.

    Parameters
    ----------
    indices : array of int, shape (n, k)
        Neighbours of each node.
    weights : array of float, shape (n, k)
        Their similarities.
    labels : array, shape (n,)
        Class of each node; any sortable values.

    Returns
    -------
    Modularity
        Q with its terms; ``float(result)`` is Q.

    Raises
    ------
    GraphError
        For shapes that do not fit, a neighbour that does not exist, a weight that is not finite,
        a graph without weight, or one class only.

    Notes
    -----
    Lu et al. 2022, eq. 2. With 2W = Σ d_ij the strength of node i in A is (out_i + in_i)/2, so
    a_c = (out_c + in_c)/(2·2W) and e_cc = Σ d_ij [c_i = c_j = c] / 2W: A itself is not needed.

    Examples
    --------
    >>> float(modularity([[1], [0], [1]], [[0.5], [0.5], [0.5]], [0, 0, 1]))  # 2/3 − (25 + 1)/36
    -0.0555...
    """
    neighbours, values = np.asarray(indices), np.asarray(weights)
    if neighbours.ndim != 2 or neighbours.shape != values.shape:
        raise GraphError(
            f"indices have the shape {neighbours.shape}, weights {values.shape}: both must be "
            "(nodes, neighbours)",
            "pass the two arrays of one KnnGraph",
        )
    classes, codes, sizes = _encode(labels, n_nodes=neighbours.shape[0])
    if len(classes) == 1:
        raise GraphError(
            f"all {codes.size} nodes have the label {classes[0]!s}, and the modularity of one "
            "class is 0 for every graph",
            "use samples of at least two classes",
        )
    totals = _sum_links(codes, neighbours, values, codes=codes, n_classes=len(classes))
    return _shares(classes, sizes, totals)


def modularity_of_edges(edges: ArrayLike, weights: ArrayLike, labels: ArrayLike) -> Modularity:
    """Q of any partition of an undirected graph, detected communities for example.

    Unlike `modularity` it accepts a partition of one part (Q = 0), which a detector may return.

    Parameters
    ----------
    edges : array of int, shape (m, 2)
        One row an undirected edge.
    weights : array of float, shape (m,)
        Weights; negative ones count as 0.
    labels : array, shape (n,)
        Part of each node.

    Returns
    -------
    Modularity
        Q with its terms.

    Raises
    ------
    GraphError
        For shapes that do not fit, a node that does not exist, a weight that is not finite, or a
        graph without weight.

    Notes
    -----
    Newman & Girvan 2004, eq. 5.

    Examples
    --------
    >>> path = [[0, 1], [1, 2], [2, 3]]
    >>> modularity_of_edges(path, [1, 1, 1], [0, 0, 1, 1]).value == 2 / 3 - 2 * (3 / 6) ** 2
    True
    """
    pairs, values = np.asarray(edges), np.asarray(weights)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or values.shape != pairs.shape[:1]:
        raise GraphError(
            f"edges have the shape {pairs.shape}, weights {values.shape}: they must be (edges, 2) "
            "and (edges,)",
            "pass the edges and weights of one Snapshot",
        )
    classes, codes, sizes = _encode(labels, n_nodes=np.size(labels))
    check_nodes(pairs, codes.size)
    totals = _sum_links(
        codes[pairs[:, 0]], pairs[:, 1:], values[:, None], codes=codes, n_classes=len(classes)
    )
    return _shares(classes, sizes, totals)


def _encode(
    labels: ArrayLike, *, n_nodes: int
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.int64]]:
    """Distinct labels, the class number of every node, the class sizes."""
    values = np.asarray(labels)
    if values.shape != (n_nodes,):
        raise GraphError(
            f"{n_nodes} nodes, but labels of the shape {values.shape}", "give one label a node"
        )
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise GraphError(
            f"label {values[~np.isfinite(values)][0]} of node "
            f"{int(np.flatnonzero(~np.isfinite(values))[0])} is not finite",
            "leave out samples without a label",
        )
    classes, codes, sizes = np.unique(values, return_inverse=True, return_counts=True)
    # One byte a node where it will do: the look-up table of random reads stays in the cache.
    return classes, codes.astype(np.min_scalar_type(len(classes))), sizes.astype(np.int64)


def check_nodes(nodes: NDArray[Any], n_nodes: int) -> None:
    """Check that all numbers are those of nodes of a graph.

    Raises
    ------
    GraphError
        For what is no whole number, or no node.
    """
    if nodes.dtype.kind not in "iu":
        raise GraphError(f"node numbers of the type {nodes.dtype}", "give integers")
    if nodes.size and (nodes.min() < 0 or nodes.max() >= n_nodes):
        bad = nodes[(nodes < 0) | (nodes >= n_nodes)][0]
        raise GraphError(
            f"node {bad} does not exist, the graph has the nodes 0 to {n_nodes - 1}",
            "pass labels and edges of the same node set",
        )


def _sum_links(
    source: NDArray[Any],
    indices: NDArray[Any],
    weights: NDArray[Any],
    *,
    codes: NDArray[Any],
    n_classes: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], int]:
    """Weight that stays in, leaves and enters each class; number of negative weights.

    ``source`` is the class of every row's node, ``codes`` the class of every node. Block by block,
    because float64 copies of the whole list would pass through memory several times.
    """
    inside, leaving, entering = np.zeros((3, n_classes))
    clipped = 0
    step = max(1, _BLOCK_VALUES // max(1, indices.shape[1]))
    for start in range(0, len(indices), step):
        rows = slice(start, start + step)
        check_nodes(indices[rows], codes.size)
        values = weights[rows].astype(np.float64)
        if not np.isfinite(values).all():
            row, column = np.argwhere(~np.isfinite(values))[0]
            raise GraphError(
                f"weight {values[row, column]} in row {start + row} is not finite",
                "look at the activations of this layer",
            )
        negative = int(np.count_nonzero(values < 0))
        if negative:
            clipped += negative
            np.maximum(values, 0.0, out=values)
        target, own = codes[indices[rows]], source[rows]
        within = np.einsum("ij,ij->i", values, target == own[:, None])
        inside += np.bincount(own, within, minlength=n_classes)
        leaving += np.bincount(own, values.sum(axis=1), minlength=n_classes)
        entering += np.bincount(target.ravel(), values.ravel(), minlength=n_classes)
    return inside, leaving, entering, clipped


def _shares(
    classes: NDArray[Any],
    sizes: NDArray[np.int64],
    totals: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], int],
) -> Modularity:
    inside, leaving, entering, clipped = totals
    weight = math.fsum(leaving)
    if weight <= 0:
        raise GraphError(
            "no link has a positive weight, and a graph without weight has no modularity",
            "leave the layer out, or look at its activations",
        )
    return Modularity(
        classes=classes,
        sizes=sizes,
        inside=inside / weight,
        share=(leaving + entering) / (2 * weight),
        clipped=clipped,
    )


class _CallableModule(ModuleType):
    """Both ``from graphs import modularity`` and ``graphs.modularity.modularity`` are promised.

    A package attribute can be the function or this module, not both: so the module can be called.
    """

    def __call__(self, indices: ArrayLike, weights: ArrayLike, labels: ArrayLike) -> Modularity:
        return modularity(indices, weights, labels)


sys.modules[__name__].__class__ = _CallableModule
