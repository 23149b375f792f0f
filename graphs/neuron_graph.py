"""The neurons of a network as a weighted graph: nodes by layer, edges from weight matrices.

Knows matrices, no network: `pipeline.neurons.weight_graph.neuron_graph` reads those of a model.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from graphs.errors import GraphError

Drop = Literal["isolated", "detached", "negligible"]
# of the median strength: what weight decay leaves of a dead neuron lies far below
_NEGLIGIBLE = 1e-3
_WHY = {"detached": " on a path through the network", "negligible": " or negligible"}


@dataclass(frozen=True, kw_only=True, eq=False)
class WeightBlock:
    """The edges that one weight matrix makes.

    Attributes
    ----------
    name : str
        The module that has the weights: ``net.3``.
    weights : csr_array of float64, shape (r, c)
        Edge weights >= 0 without stored zeros: row = what is read, column = the neuron that reads.
    sources : tuple of ndarray of int32, shape (r,)
        The node that each row stands for, -1 for none. More than one array where layers are added
        before they are read (residual networks): row i is an edge from each of them.
    targets : ndarray of int32, shape (c,)
        The node that each column stands for, -1 for none.
    """

    name: str
    weights: csr_array
    sources: tuple[NDArray[np.int32], ...]
    targets: NDArray[np.int32]


@dataclass(frozen=True, kw_only=True, eq=False)
class NeuronGraph:
    """Neurons and the absolute weights between them, an undirected graph.

    A node is a neuron that was not dropped. Nodes are in the order of layers, and of units within
    a layer. Layer 0 of an MLP is the input. Build it with `layered_graph`, `NeuronGraph.build`, or
    from a model with `pipeline.neurons.weight_graph.neuron_graph`.

    Attributes
    ----------
    adjacency : csr_array of float64, shape (n, n)
        Symmetric, zero diagonal, no stored zeros, every row has at least one entry.
    layer : ndarray of int32, shape (n,)
        Layer of each node, an index into `layer_names`.
    unit : ndarray of int32, shape (n,)
        Its index among all neurons of that layer, dropped ones included: the row of the layer's
        weight tensor (of an input: the pixel).
    layer_names : tuple of str
        Name of the module that puts out each layer; ``input`` for what the network is given, or
        ``image`` where a module is called so.
    widths : tuple of int
        Neurons of each layer, dropped ones included.
    blocks : tuple of WeightBlock
        The edges again, a matrix each: what shuffles permute. Node numbers are those of
        `adjacency`; rows and columns of dropped neurons are cut out.
    """

    adjacency: csr_array
    layer: NDArray[np.int32]
    unit: NDArray[np.int32]
    layer_names: tuple[str, ...]
    widths: tuple[int, ...]
    blocks: tuple[WeightBlock, ...]

    @classmethod
    def build(
        cls,
        blocks: Sequence[WeightBlock],
        *,
        layer_names: Sequence[str],
        widths: Sequence[int],
        drop: Drop = "isolated",
    ) -> "NeuronGraph":
        """Put matrices together and leave out dead neurons.

        Parameters
        ----------
        blocks : sequence of WeightBlock
            Nodes numbered over all neurons: layer after layer, unit after unit.
        layer_names : sequence of str
            Of each layer, in order of depth.
        widths : sequence of int
            Neurons of each layer.
        drop : {"isolated", "detached", "negligible"}
            Leave out neurons without any edge (Filan et al. 2020); every component that does not
            reach from the first layer to the last; or neurons whose edges sum up to less than a
            thousandth of the median: weight decay shrinks dead neurons without reaching 0, and
            each of them makes a cluster of its own.

        Raises
        ------
        GraphError
            For weights that are not finite, negative ones, and when a layer loses all its neurons.
        """
        for block in blocks:
            _check_weights(block)
        sizes = np.asarray(widths, dtype=np.int64)
        layer = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
        unit = np.concatenate([np.arange(size, dtype=np.int32) for size in widths])
        whole = assemble(blocks, len(layer))
        kept = np.diff(whole.indptr) > 0
        if drop == "detached":
            kept &= _reaching(whole, layer, last=len(sizes) - 1)
        elif drop == "negligible":
            kept = _strong(whole)
        alive = np.bincount(layer[kept], minlength=len(sizes))
        if not alive.all():
            empty = int(np.argmin(alive > 0))
            raise GraphError(
                f"layer {empty} ({layer_names[empty]}) has no neuron left: none of its "
                f"{widths[empty]} has a weight that is not 0" + _WHY.get(drop, ""),
                "prune it less, or leave the layer out",
            )
        number = np.where(kept, np.cumsum(kept) - 1, -1).astype(np.int32)
        return cls(
            adjacency=whole[kept][:, kept],
            layer=layer[kept],
            unit=unit[kept],
            layer_names=tuple(layer_names),
            widths=tuple(int(size) for size in widths),
            blocks=tuple(_renumber(block, number) for block in blocks),
        )

    @property
    def n_nodes(self) -> int:
        """Neurons that are nodes."""
        return len(self.layer)

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Which of all neurons are nodes: layer after layer, unit after unit."""
        kept = np.zeros(sum(self.widths), dtype=bool)
        kept[self.neuron] = True
        return kept

    @property
    def neuron(self) -> NDArray[np.int64]:
        """Number of each node among all neurons."""
        starts = np.concatenate(([0], np.cumsum(self.widths)))
        return np.asarray(starts[self.layer] + self.unit, dtype=np.int64)

    def by_layer(self, labels: NDArray[np.integer]) -> list[NDArray[np.int32]]:
        """Spread labels of nodes over all neurons, a list item a layer; -1 for dropped ones.

        Examples
        --------
        >>> graph = layered_graph([[[1.0, 0.0], [2.0, 0.0]]])
        >>> [part.tolist() for part in graph.by_layer(np.array([0, 1, 1]))]
        [[0, 1], [1, -1]]
        """
        spread = np.full(sum(self.widths), -1, dtype=np.int32)
        spread[self.neuron] = labels
        return np.split(spread, np.cumsum(self.widths)[:-1])


def layered_graph(
    weights: Sequence[ArrayLike | csr_array],
    *,
    layer_names: Sequence[str] | None = None,
    drop: Drop = "isolated",
) -> NeuronGraph:
    """Build the graph of a plain chain of layers from its weight matrices.

    Parameters
    ----------
    weights : sequence of array, shape (fan_in, fan_out)
        One matrix between each layer and the next (torch has them transposed). Signs are dropped;
        0 is no edge.
    layer_names : sequence of str, optional
        One more than matrices; ``0``, ``1``, ... without it.
    drop : {"isolated", "detached", "negligible"}
        See `NeuronGraph.build`.

    Raises
    ------
    GraphError
        When matrices do not fit together, and as `NeuronGraph.build`.

    Examples
    --------
    >>> graph = layered_graph([[[12, -1.3], [0, 7.4]], [[-8.9, 0.15], [0.23, -5.7]]])
    >>> graph.n_nodes, graph.adjacency.nnz, graph.layer.tolist()
    (6, 14, [0, 0, 1, 1, 2, 2])
    """
    matrices = [abs(csr_array(matrix, dtype=np.float64)) for matrix in weights]
    if not matrices:
        raise GraphError("there are no weight matrices", "give at least one")
    widths = [matrices[0].shape[0], *(matrix.shape[1] for matrix in matrices)]
    for index, matrix in enumerate(matrices):
        if matrix.shape[0] != widths[index]:
            raise GraphError(
                f"weight matrix {index} has {matrix.shape[0]} rows, the layer before has "
                f"{widths[index]} neurons",
                "give matrices of shape (fan_in, fan_out)",
            )
    names = list(map(str, range(len(widths)))) if layer_names is None else list(layer_names)
    starts = np.concatenate(([0], np.cumsum(widths))).astype(np.int32)
    blocks = [
        WeightBlock(
            name=names[index + 1],
            weights=matrix,
            sources=(np.arange(starts[index], starts[index + 1], dtype=np.int32),),
            targets=np.arange(starts[index + 1], starts[index + 2], dtype=np.int32),
        )
        for index, matrix in enumerate(matrices)
    ]
    return NeuronGraph.build(blocks, layer_names=names, widths=widths, drop=drop)


def assemble(blocks: Sequence[WeightBlock], n_nodes: int) -> csr_array:
    """Return the symmetric adjacency matrix of blocks, without stored zeros.

    Parameters
    ----------
    blocks : sequence of WeightBlock
        With nodes from 0 to `n_nodes` - 1.
    n_nodes : int
        Rows of the result.
    """
    rows, columns, values = [], [], []
    for block in blocks:
        entries = block.weights.tocoo()
        target = block.targets[entries.col]
        for nodes in block.sources:
            source = nodes[entries.row]
            there = (source >= 0) & (target >= 0) & (entries.data != 0)
            rows += [source[there], target[there]]
            columns += [target[there], source[there]]
            values += [entries.data[there]] * 2
    if not rows:
        return csr_array((n_nodes, n_nodes), dtype=np.float64)
    places = (np.concatenate(rows), np.concatenate(columns))
    # entries of one place (a flattened map, a layer that is added twice) are summed
    return coo_array((np.concatenate(values), places), shape=(n_nodes, n_nodes)).tocsr()


def _check_weights(block: WeightBlock) -> None:
    values = block.weights.data
    if not np.isfinite(values).all():
        count = int(np.count_nonzero(~np.isfinite(values)))
        raise GraphError(
            f"the weights of {block.name} hold NaN or infinite values ({count} of {values.size})",
            "check the training, or load other weights",
        )
    if (values < 0).any():
        raise GraphError(f"block {block.name} has negative weights", "take absolute values")


def _strong(adjacency: csr_array) -> NDArray[np.bool_]:
    """Nodes whose strength counts, also without those that do not."""
    strength = np.asarray(adjacency.sum(axis=1))
    least = _NEGLIGIBLE * float(np.median(strength[strength > 0])) if strength.any() else 0.0
    kept = strength > least
    while (weak := kept & (adjacency @ kept.astype(np.float64) <= least)).any():
        kept &= ~weak
    return np.asarray(kept, dtype=bool)


def _reaching(adjacency: csr_array, layer: NDArray[np.int32], *, last: int) -> NDArray[np.bool_]:
    """Nodes of components that hold a node of the first layer and one of the last."""
    count, component = connected_components(adjacency, directed=False)
    ends = [np.bincount(component[layer == end], minlength=count) > 0 for end in (0, last)]
    return np.asarray((ends[0] & ends[1])[component], dtype=bool)


def _renumber(block: WeightBlock, number: NDArray[np.int32]) -> WeightBlock:
    """Cut rows and columns of dropped neurons out, and name nodes by their new numbers."""
    sources = [np.where(nodes >= 0, number[nodes], -1).astype(np.int32) for nodes in block.sources]
    targets = np.where(block.targets >= 0, number[block.targets], -1).astype(np.int32)
    rows, columns = np.max(sources, axis=0) >= 0, targets >= 0
    matrix = csr_array(block.weights[rows][:, columns])
    matrix.eliminate_zeros()
    return replace(
        block,
        weights=matrix,
        sources=tuple(nodes[rows] for nodes in sources),
        targets=targets[columns],
    )
