"""Neighbours by pairs of blocks: what can be computed anywhere and put together later.

The n rows are cut into B blocks. A pair of blocks gives the k best of each row of the first within
the second, and the other way round; B (B + 1) / 2 pairs, the upper triangle, cover everything. The
k best of a row over all rows are among its k best of each block, so merging them gives what one
search over everything gives, bit for bit: similarities do not depend on blocks, ties go to the
lower index.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from graphs.errors import ActivationError, GraphError
from graphs.neighbors.faiss_engine import (
    Search,
    neighbors_among,
)
from graphs.neighbors.knn_graph import Device, KnnGraph, Metric, count_efforts
from graphs.neighbors.rows import RowRange, Rows, unit_rows
from graphs.neighbors.select import best

PairEngine = Literal["faiss", "certified"]
PAIR_BYTES = 20  # for each feature of a row of one block, while a pair of blocks is linked


@dataclass(frozen=True, kw_only=True, eq=False)
class BlockLinks:
    """The best neighbours of some rows among some rows.

    Attributes
    ----------
    rows : range
        Whose neighbours they are, q of them.
    base : range
        Among which rows they were looked for; several blocks, once merged.
    indices : ndarray of int32, shape (q, k)
        Neighbours, most similar first, ties by lower index; -1 where the base has fewer than k.
    weights : ndarray of float32, shape (q, k)
        Their similarities; -inf where there is no neighbour.
    zero_rows : int
        How many of `rows` have no direction.
    effort : ndarray of uint8, shape (q,), or None
        Engine `certified`: how each row was settled, over all bases the most costly way.
    product : str
        Engine `certified`: in what rows were multiplied.
    """

    rows: range
    base: range
    indices: NDArray[np.int32]
    weights: NDArray[np.float32]
    zero_rows: int
    effort: NDArray[np.uint8] | None = None
    product: str = ""


@dataclass(frozen=True)
class _Block:
    """One block of unit rows, as what queries that begin at row `first` are compared with."""

    first: int
    rows: range
    unit: NDArray[np.float32]

    def __iter__(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        yield self.rows.start, self.unit


def block_ranges(n: int, size: int) -> list[range]:
    """Cut n rows into blocks of `size` rows, the last one smaller.

    Examples
    --------
    >>> block_ranges(5, 2)
    [range(0, 2), range(2, 4), range(4, 5)]
    """
    return [range(at, min(at + size, n)) for at in range(0, n, size)]


def block_size(width: int, memory: int) -> int:
    """Return how many rows a block may have so that a pair of blocks fits into `memory`.

    Two blocks of unit rows and of residuals, what is being read, and the candidates: 20 b D bytes.

    Parameters
    ----------
    width : int
        Features a row, D.
    memory : int
        Bytes.

    Examples
    --------
    >>> block_size(width=4096, memory=4 << 30)
    52428
    """
    return max(1, memory // (PAIR_BYTES * width))


def link_pair(
    rows: Rows,
    first: range,
    second: range,
    *,
    k: int,
    metric: Metric,
    engine: PairEngine = "faiss",
    device: Device = "auto",
) -> tuple[BlockLinks, ...]:
    """Find the best neighbours of two blocks of rows in each other.

    Parameters
    ----------
    rows : Rows
        Features, shape (n, D): only the two blocks are read.
    first, second : range
        The blocks: the same, or without a row in common.
    k : int
        Neighbours a row.
    metric : {"cosine", "pearson"}
        Similarity.
    engine : {"faiss", "certified"}
        How candidates are found; the result is the same.
    device : {"auto", "cpu", "cuda"}
        Where the search runs.

    Returns
    -------
    tuple of BlockLinks
        The rows of `first` among those of `second`, and the other way round; of a block with
        itself only the one.

    Raises
    ------
    GraphError
        When the blocks overlap without being the same.
    ActivationError
        When a feature is NaN or infinite.

    Examples
    --------
    >>> x = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]])
    >>> there, back = link_pair(x, range(2), range(2, 4), k=1, metric="cosine", device="cpu")
    >>> there.indices.ravel().tolist(), back.indices.ravel().tolist()
    ([3, 3], [1, 1])
    """
    if first != second and first.start < second.stop and second.start < first.stop:
        raise GraphError(
            f"rows {first.start} to {first.stop} and {second.start} to {second.stop} overlap",
            "pass the same block twice, or blocks without a row in common",
        )
    if engine == "certified":
        return _certified(rows, first, second, k=k, metric=metric, device=device)
    search = Search(device)
    left = unit_rows(rows, first.start, first.stop, metric=metric)
    if first == second:
        return (_links(left, _Block(first.start, first, left), k, search),)
    right = unit_rows(rows, second.start, second.stop, metric=metric)
    return (
        _links(left, _Block(first.start, second, right), k, search),
        _links(right, _Block(second.start, first, left), k, search),
    )


def _links(queries: NDArray[np.float32], base: _Block, k: int, search: Search) -> BlockLinks:
    """Link the rows from `base.first` on within one block; pad where it has fewer than k others."""
    count = len(queries)
    there = min(k, len(base.rows) - (base.first in base.rows))
    indices = np.full((count, k), -1, np.int32)
    weights = np.full((count, k), -np.inf, np.float32)
    if there:
        found = neighbors_among(queries, base, there, search=search)
        indices[:, :there], weights[:, :there] = found
    return BlockLinks(
        rows=range(base.first, base.first + count),
        base=base.rows,
        indices=indices,
        weights=weights,
        zero_rows=int(np.count_nonzero(~queries.any(axis=1))),
    )


def _certified(
    rows: Rows, first: range, second: range, *, k: int, metric: Metric, device: Device
) -> tuple[BlockLinks, ...]:
    """Link two blocks with the engine `certified`."""
    from graphs.neighbors.certified import certified_pair  # brings torch

    other = None if first == second else RowRange(rows, second)
    try:
        work = certified_pair(
            RowRange(rows, first),
            other,
            k,
            metric=metric,
            device=device,
            memory=PAIR_BYTES * max(len(first), len(second)) * rows.shape[1],
        )
    except ActivationError:
        for block in (first, second):  # names the row as it is numbered here
            unit_rows(rows, block.start, block.stop, metric=metric)
        raise
    sides = [(first, second, slice(len(first))), (second, first, slice(len(first), None))]
    return tuple(
        BlockLinks(
            rows=mine,
            base=base,
            indices=_shifted(work.indices[part], base.start),
            weights=work.weights[part],
            zero_rows=int(np.count_nonzero(work.zero[part])),
            effort=work.effort[part],
            product=work.product.precision,
        )
        for mine, base, part in (sides[:1] if other is None else sides)
    )


def _shifted(indices: NDArray[np.int32], start: int) -> NDArray[np.int32]:
    """Count positions from the first row of all, not of the block; -1 stays."""
    return np.where(indices >= 0, indices + np.int32(start), np.int32(-1))


def merge_blocks(parts: Iterable[BlockLinks]) -> BlockLinks:
    """Keep the best neighbours of the same rows over several bases.

    Parameters
    ----------
    parts : iterable of BlockLinks
        Of the same rows and the same k, in any order; together they cover a range of rows.

    Raises
    ------
    GraphError
        When they are of different rows, or leave out or repeat some of the base.
    """
    ordered = sorted(parts, key=lambda part: part.base.start)
    merged = ordered[0]
    for part in ordered[1:]:
        if part.rows != merged.rows or part.base.start != merged.base.stop:
            raise GraphError(
                f"neighbours of rows {part.rows.start} to {part.rows.stop} among "
                f"{part.base.start} to {part.base.stop} do not follow on those of "
                f"{merged.rows.start} to {merged.rows.stop} among {merged.base.start} to "
                f"{merged.base.stop}",
                "merge the parts of one block of rows, every base block once",
            )
        indices, weights = best(
            np.concatenate((merged.weights, part.weights), axis=1),
            np.concatenate((merged.indices, part.indices), axis=1),
            merged.indices.shape[1],
        )
        merged = replace(
            merged,
            base=range(merged.base.start, part.base.stop),
            indices=indices,
            weights=weights,
            effort=None
            if merged.effort is None or part.effort is None
            else np.maximum(merged.effort, part.effort),
            product=_one_of({merged.product, part.product}),
        )
    return merged


def _one_of(products: set[str]) -> str:
    return products.pop() if len(products) == 1 else "mixed"


def merge_pairs(blocks: Iterable[BlockLinks], *, metric: Metric, engine: str) -> KnnGraph:
    """Put the results of all pairs of blocks together: the same as `knn`, bit for bit.

    Parameters
    ----------
    blocks : iterable of BlockLinks
        What `link_pair` gave for the upper triangle of blocks, in any order; each block of rows
        may be merged already (`merge_blocks`).
    metric : {"cosine", "pearson"}
        What was measured.
    engine : str
        What to call the engine.

    Raises
    ------
    GraphError
        When rows or bases are missing.

    Examples
    --------
    >>> x = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]])
    >>> a, b = block_ranges(4, 2)
    >>> found = [
    ...     link for pair in ((a, a), (a, b), (b, b))
    ...     for link in link_pair(x, *pair, k=1, metric="cosine", device="cpu")
    ... ]
    >>> merge_pairs(found, metric="cosine", engine="faiss").indices.ravel().tolist()
    [1, 0, 3, 2]
    """
    by_rows: dict[range, list[BlockLinks]] = {}
    for block in blocks:
        by_rows.setdefault(block.rows, []).append(block)
    merged = [merge_blocks(by_rows[rows]) for rows in sorted(by_rows, key=lambda rows: rows.start)]
    n = merged[-1].rows.stop
    starts = [0, *(block.rows.stop for block in merged)]
    for start, block in zip(starts, merged, strict=False):
        if block.rows.start != start or block.base != range(n):
            raise GraphError(
                f"rows {start} to {block.rows.stop} of {n} are not compared with all others",
                "link every pair of blocks",
            )
    efforts = [block.effort for block in merged if block.effort is not None]
    counts = count_efforts(np.concatenate(efforts)) if efforts else (0, 0, 0)
    return KnnGraph(
        indices=np.concatenate([block.indices for block in merged]),
        weights=np.concatenate([block.weights for block in merged]),
        metric=metric,
        engine=engine,
        exact=True,
        zero_rows=sum(block.zero_rows for block in merged),
        product=_one_of({block.product for block in merged}),
        certified=counts[0],
        repaired=counts[1],
        recomputed=counts[2],
    )
