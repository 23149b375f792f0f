"""Null models of neuron graphs: the same weights, placed at random."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from graphs.errors import GraphError
from graphs.neuron_graph import NeuronGraph, WeightBlock, assemble
from graphs.spectral import (
    count_components,
    newman_modularity,
    normalized_cut,
    spectral_partition,
)

NullName = Literal["layer", "layer_nonzero", "degree"]
NULLS: tuple[NullName, ...] = get_args(NullName)

# Trades of every row in a rewiring: then no more of the old pattern is left than by chance.
_TRADES = 15
# Values that differ by rounding only are ties.
_TIE = 1e-12


@dataclass(frozen=True, kw_only=True)
class Shuffled:
    """What the clustering of one shuffled graph gave.

    Attributes
    ----------
    ncut, modularity : float
        Of its own partition.
    n_nodes : int
        Neurons with edges.
    n_clusters : int
        Clusters that are not empty.
    n_components : int
        Connected parts.
    """

    ncut: float
    modularity: float
    n_nodes: int
    n_clusters: int
    n_components: int


@dataclass(frozen=True, kw_only=True)
class NullTest:
    """How the n-cut of a graph stands to those of its shuffles.

    Attributes
    ----------
    shuffles : int
        How many.
    mean, sd, low, high : float
        Of their n-cuts; sd is that of the population.
    at_most : int
        Shuffles whose n-cut is at most the graph's: ties count against it.
    p : float
        (1 + at_most) / (shuffles + 1), one-sided: small where the graph is more clusterable.
    z : float
        (n-cut - mean) / sd; NaN where all shuffles give the same.
    """

    shuffles: int
    mean: float
    sd: float
    low: float
    high: float
    at_most: int
    p: float
    z: float


def shuffle_block(block: WeightBlock, null: NullName, rng: np.random.Generator) -> WeightBlock:
    """Place the weights of one matrix at random.

    Parameters
    ----------
    block : WeightBlock
        One matrix.
    null : {"layer", "layer_nonzero", "degree"}
        What is kept beside the weights of the matrix. ``layer``: nothing; all entries are permuted,
        zeros too. ``layer_nonzero``: which entries are not 0; their values are permuted (both
        Filan et al. 2020). ``degree``: how many edges each neuron has on either side, and which
        weights go out of each neuron of the earlier layer, so its strength, too; the strength of
        what comes in is not kept. Edges are rewired by curveball trades (Strona et al. 2014), whose
        patterns are uniform among those of these degrees (Carstens 2015); a full matrix has one
        pattern only. Then the weights of each row are permuted.
    rng : Generator
        Where chance comes from.

    Examples
    --------
    >>> matrix = csr_array(np.array([[1.0, 2.0, 0.0], [0.0, 0.0, 3.0]]))
    >>> ends = (np.arange(2, dtype=np.int32),), np.arange(2, 5, dtype=np.int32)
    >>> block = WeightBlock(name="0", weights=matrix, sources=ends[0], targets=ends[1])
    >>> shuffled = shuffle_block(block, "degree", np.random.default_rng(0)).weights
    >>> sorted(shuffled[[0]].data.tolist()), np.diff(shuffled.indptr).tolist()
    ([1.0, 2.0], [2, 1])
    """
    matrix = block.weights
    rows, columns = matrix.shape
    if null == "layer":
        places = rng.choice(rows * columns, matrix.nnz, replace=False)
        found = coo_array((matrix.data, np.divmod(places, columns)), shape=matrix.shape).tocsr()
    elif null == "layer_nonzero":
        found = _with_data(matrix, rng.permutation(matrix.data))
    else:
        found = _rewired(matrix, rng)
        of_row = np.repeat(np.arange(rows), np.diff(found.indptr))
        order = np.lexsort((rng.random(len(of_row)), of_row))
        found = _with_data(found, matrix.data[order])
    return replace(block, weights=found)


def shuffled_partition(
    graph: NeuronGraph, null: NullName, clusters: int, *, seed: int, number: int
) -> Shuffled:
    """Shuffle every matrix of a graph, cluster what comes out, and measure it.

    Where several layers are read as one sum, they are shuffled as the one matrix that reads them.

    Parameters
    ----------
    graph : NeuronGraph
        Left as it is.
    null : {"layer", "layer_nonzero", "degree"}
        See `shuffle_block`.
    clusters : int
        As for the graph itself.
    seed, number : int
        Of the study, and of this shuffle: every shuffle has a random stream of its own.

    Raises
    ------
    GraphError
        When too few neurons have edges after it.
    """
    sequence = np.random.SeedSequence(seed, spawn_key=(NULLS.index(null), number))
    rng = np.random.default_rng(sequence)
    blocks = [shuffle_block(block, null, rng) for block in graph.blocks]
    matrix = assemble(blocks, graph.n_nodes)
    labels = spectral_partition(matrix, clusters, seed=int(rng.integers(2**31)))
    return Shuffled(
        ncut=normalized_cut(matrix, labels),
        modularity=newman_modularity(matrix, labels),
        n_nodes=int((labels >= 0).sum()),
        n_clusters=int(labels.max()) + 1,
        n_components=count_components(matrix),
    )


def compare_with_null(ncut: float, shuffled: Sequence[float] | NDArray[np.float64]) -> NullTest:
    """Compare an n-cut with those of shuffles.

    Parameters
    ----------
    ncut : float
        Of the graph.
    shuffled : sequence of float
        Of its shuffles.

    Raises
    ------
    GraphError
        When there is no shuffle.

    Examples
    --------
    >>> test = compare_with_null(2.0, [3.0, 5.0, 2.0])
    >>> test.p, round(test.z, 3)  # a tie: (1 + 1) / (3 + 1)
    (0.5, -1.069)
    """
    values = np.asarray(shuffled, dtype=np.float64)
    if not values.size:
        raise GraphError("there are no shuffles to compare with", "give --shuffles of at least 1")
    sd = float(values.std())
    varies = sd > _TIE * abs(float(values.mean()))
    at_most = int((values <= ncut * (1 + _TIE)).sum())
    return NullTest(
        shuffles=values.size,
        mean=float(values.mean()),
        sd=sd,
        low=float(values.min()),
        high=float(values.max()),
        at_most=at_most,
        p=(1 + at_most) / (values.size + 1),
        z=(ncut - float(values.mean())) / sd if varies else float("nan"),
    )


def _with_data(matrix: csr_array, data: NDArray[np.float64]) -> csr_array:
    return csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def _rewired(matrix: csr_array, rng: np.random.Generator) -> csr_array:
    """Return a random 0-1 matrix with the row and column sums of the pattern, as weights of 1."""
    pattern = _with_data(matrix, np.ones(matrix.nnz))
    rows, columns = pattern.shape
    if rows > columns:  # few long rows mix sooner
        return csr_array(_rewired(csr_array(pattern.T), rng).T)
    full = pattern.nnz * 2 > rows * columns
    if full:  # what is not there is less to move
        pattern = csr_array(1 - pattern.toarray())
    entries = pattern.tocoo()
    row, column = entries.row.astype(np.int64), entries.col.astype(np.int64)
    if row.size:
        for _ in range(_TRADES):
            row, column = _trade(row, column, (rows, columns), rng)
    found = coo_array((np.ones(len(row)), (row, column)), shape=pattern.shape).tocsr()
    return csr_array(1 - found.toarray()) if full else found


def _trade(
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    shape: tuple[int, int],
    rng: np.random.Generator,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pair the rows at random; each pair deals out anew the columns that one of the two has."""
    rows, columns = shape
    pair_of = np.empty(rows, dtype=np.int64)
    order = rng.permutation(rows)
    pair_of[order] = np.arange(rows) // 2
    key = pair_of[row] * columns + column
    by_key = np.argsort(key, kind="stable")
    row, column, key = row[by_key], column[by_key], key[by_key]
    same = key[1:] == key[:-1]
    common = np.concatenate(([False], same)) | np.concatenate((same, [False]))
    free = np.flatnonzero(~common)
    # sorted by pair: to either row of a pair as many columns as before, but drawn at random
    dealt = np.argsort(pair_of[row[free]] + rng.random(len(free)))
    row[free] = row[free][dealt]
    return row, column
