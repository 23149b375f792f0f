"""Engine `faiss`: candidates by FAISS' flat float32 search, neighbours proven in float64.

A float32 inner product of D terms, summed in whatever order, is within
gamma_D = D u / (1 - D u), u = 2^-24, of the true one when both rows have length 1 (Higham,
*Accuracy and Stability of Numerical Algorithms*, 2002, eq. 3.5). With tau this bound, a row whose
k-th best approximate similarity is s can have no neighbour among rows approximated below
s - 2 tau. So the m > k best candidates of FAISS hold all neighbours whenever the last of them lies
below s - 2 tau; the candidates above that line are then measured exactly. Rows where the last
candidate lies above it are measured against every row.
"""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from graphs.errors import ResourceError
from graphs.neighbors.faiss_library import faiss
from graphs.neighbors.knn_graph import Device, KnnGraph, Metric
from graphs.neighbors.rows import Rows, unit_rows
from graphs.neighbors.select import best, exact_similarities, to_similarity

SPARE = 12  # candidates beyond k: enough for almost every row of real features
# A block is held as read, as unit rows, and once more as the other side of the product.
COPIES_PER_BLOCK = 4
TILE_BYTES = 16 << 20
# What FAISS holds on a GPU at a time: other programs, and torch, need it too. A product of blocks
# of this size takes longer than bringing them there.
GPU_VECTORS = 2 << 30
GPU_QUERIES = 512 << 20
GPU_SCRATCH = 512 << 20


def faiss_knn(
    rows: Rows, k: int, *, metric: Metric, device: Device = "auto", memory: int | None = None
) -> KnnGraph:
    """Find the k most similar other rows with FAISS, on a GPU where there is one.

    Parameters
    ----------
    rows : Rows
        Features, shape (n, D), from memory or from disk.
    k : int
        Neighbours a row, 1 <= k < n.
    metric : {"cosine", "pearson"}
        Similarity.
    device : {"auto", "cpu", "cuda"}
        Where the search runs.
    memory : int, optional
        Bytes that may be used for features; rows are then worked on in blocks.

    Returns
    -------
    KnnGraph
        Exact: the same as `reference_knn`.

    Raises
    ------
    ResourceError
        When `device` is "cuda" and FAISS sees no GPU.
    """
    search = Search(device)
    n, width = rows.shape
    step = n if memory is None else max(1, min(n, memory // (COPIES_PER_BLOCK * 4 * width)))
    indices = np.empty((n, k), np.int32)
    weights = np.empty((n, k), np.float32)
    zero_rows = 0
    for at in range(0, n, step):
        stop = min(at + step, n)
        queries = unit_rows(rows, at, stop, metric=metric)
        zero_rows += int(np.count_nonzero(~queries.any(axis=1)))
        blocks = _Blocks(rows, step, metric, (at, queries))
        indices[at:stop], weights[at:stop] = neighbors_among(queries, blocks, k, search=search)
    return KnnGraph(
        indices=indices,
        weights=weights,
        metric=metric,
        engine="faiss",
        exact=True,
        zero_rows=zero_rows,
    )


class Search:
    """FAISS' brute-force search on the device that was chosen; `resources` is the GPU's."""

    def __init__(self, device: Device) -> None:
        self.resources = faiss.StandardGpuResources() if _use_gpu(device) else None
        if self.resources is not None:
            self.resources.setTempMemory(GPU_SCRATCH)

    def __call__(
        self, queries: NDArray[np.float32], base: NDArray[np.float32], m: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the m best base rows of every query by float32 product, and where they are."""
        product = faiss.METRIC_INNER_PRODUCT
        if self.resources is None:
            return faiss.knn(queries, base, m, metric=product)
        try:
            # FAISS wants room for m rows and one more in a chunk
            least = 4 * base.shape[1] * (m + 1)
            return faiss.knn_gpu(
                self.resources,
                queries,
                base,
                m,
                metric=product,
                vectorsMemoryLimit=max(GPU_VECTORS, least),
                queriesMemoryLimit=GPU_QUERIES,
            )
        except RuntimeError as error:
            if "alloc" not in str(error).lower():
                raise
            return self._in_halves(queries, base, m, error)

    def _in_halves(
        self, queries: NDArray[np.float32], base: NDArray[np.float32], m: int, error: RuntimeError
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Search one half after the other where the GPU has no room for the whole."""
        half = len(base) // 2
        if half == 0:
            raise ResourceError(
                f"the GPU has no room for {len(queries)} rows of {base.shape[1]} features",
                "use --device cpu, a smaller --memory, or --pool",
            ) from error
        parts = [(at, base[at:stop]) for at, stop in ((0, half), (half, len(base)))]
        found = [self(queries, part, min(m, len(part))) for _, part in parts]
        similarities = np.concatenate([values for values, _ in found], axis=1)
        places = [rows + at for (at, _), (_, rows) in zip(parts, found, strict=True)]
        order = np.argsort(-similarities, axis=1, kind="stable")[:, :m]
        return (
            np.take_along_axis(similarities, order, axis=1),
            np.take_along_axis(np.concatenate(places, axis=1), order, axis=1),
        )


class Base(Protocol):
    """The rows among which neighbours are looked for, block after block.

    Attributes
    ----------
    first : int
        Which row the first query is.
    rows : range
        Which rows the base holds: all queries among them, or none.
    """

    @property
    def first(self) -> int: ...  # noqa: D102 (the class says it)

    @property
    def rows(self) -> range: ...  # noqa: D102 (the class says it)

    def __iter__(self) -> Iterator[tuple[int, NDArray[np.float32]]]: ...


class _Blocks:
    """All rows, block after block; the block that the queries came from is not read again."""

    def __init__(
        self, rows: Rows, step: int, metric: Metric, own: tuple[int, NDArray[np.float32]]
    ) -> None:
        self._rows, self._step, self._metric, self._own = rows, step, metric, own
        self.first = own[0]
        self.rows = range(rows.shape[0])

    def __iter__(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        n = len(self.rows)
        for at in range(0, n, self._step):
            if at == self._own[0]:
                yield at, self._own[1]
            else:
                stop = min(at + self._step, n)
                yield at, unit_rows(self._rows, at, stop, metric=self._metric)


def neighbors_among(
    queries: NDArray[np.float32], blocks: Base, k: int, *, search: Search
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Find the exact k most similar other rows of some rows among the rows of a base.

    Parameters
    ----------
    queries : ndarray of float32, shape (q, D)
        Unit rows.
    blocks : Base
        Unit rows to look among: at least k that are not the query itself.
    k : int
        Neighbours a row.
    search : Search
        Where candidates come from.

    Returns
    -------
    tuple of ndarray
        Indices int32 and similarities float32, both of shape (q, k).
    """
    others = len(blocks.rows) - (blocks.first in blocks.rows)
    m = min(k + SPARE, others)
    approximate, candidates = _candidates(queries, blocks, m, search)
    tolerance = 2 * error_bound(queries.shape[1])
    line = approximate[:, k - 1] - tolerance
    possible = approximate >= line[:, None]
    zero = ~queries.any(axis=1)
    open_rows = possible.all(axis=1) & ~zero & (m < others)
    possible[open_rows | zero] = False
    similarities = np.full(approximate.shape, -np.inf, np.float32)
    full = _FullRows(np.flatnonzero(open_rows), queries, blocks.first, k)
    for at, base in blocks:
        inside = possible & (candidates >= at) & (candidates < at + len(base))
        left, column = np.nonzero(inside)
        right = candidates[left, column] - at
        similarities[left, column] = exact_similarities(queries, base, (left, right))
        full.add(at, base)
    indices, weights = best(similarities, candidates, k)
    indices[full.rows], weights[full.rows] = full.indices, full.weights
    # a row of zeros has similarity 0 to everyone: its neighbours are the first others
    own = np.flatnonzero(zero)
    first = np.arange(blocks.rows.start, blocks.rows.start + k)
    among = blocks.first in blocks.rows
    indices[own] = first + (among & (first >= (own + blocks.first)[:, None]))
    weights[own] = 0.0
    return indices, weights


def _candidates(
    queries: NDArray[np.float32], blocks: Base, m: int, search: Search
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the m best other rows by float32 similarity, best first, with their indices."""
    approximate = np.empty((len(queries), 0), np.float32)
    candidates = np.empty((len(queries), 0), np.int64)
    own = np.arange(len(queries)) + blocks.first
    for at, base in blocks:
        found, where = search(queries, base, min(m + 1, len(base)))
        where = where + at
        found = np.where(where == own[:, None], np.float32(-np.inf), found)
        found = np.concatenate((approximate, found), axis=1)
        where = np.concatenate((candidates, where), axis=1)
        order = np.argsort(-found, axis=1, kind="stable")[:, :m]
        approximate = np.take_along_axis(found, order, axis=1)
        candidates = np.take_along_axis(where, order, axis=1)
    return approximate, candidates


class _FullRows:
    """Rows that the candidates could not settle: measured against everything in float64."""

    def __init__(
        self, rows: NDArray[np.intp], queries: NDArray[np.float32], first: int, k: int
    ) -> None:
        self.rows, self._queries, self._first, self._k = rows, queries, first, k
        # Starts with k places that any real row beats.
        self.indices = np.zeros((len(rows), k), np.int32)
        self.weights = np.full((len(rows), k), -np.inf, np.float32)

    def add(self, at: int, base: NDArray[np.float32]) -> None:
        """Take in a block of base rows whose first is `at`, a tile at a time."""
        side = max(1, TILE_BYTES // (8 * base.shape[1]))
        for low in range(0, len(base) if len(self.rows) else 0, side):
            part = base[low : low + side].astype(np.float64)
            columns = np.arange(at + low, at + low + len(part), dtype=np.int32)
            # a tile of similarities, with what sorting needs beside each
            height = max(1, min(side, TILE_BYTES // (24 * len(part))))
            for top in range(0, len(self.rows), height):
                self._add_tile(slice(top, top + height), part, columns)

    def _add_tile(
        self, which: slice, part: NDArray[np.float64], columns: NDArray[np.int32]
    ) -> None:
        rows = self.rows[which]
        block = to_similarity(self._queries[rows].astype(np.float64) @ part.T)
        block[(rows + self._first)[:, None] == columns] = -np.inf
        weights = np.concatenate((self.weights[which], block), axis=1)
        everyone = np.broadcast_to(columns, block.shape)
        indices = np.concatenate((self.indices[which], everyone), axis=1)
        self.indices[which], self.weights[which] = best(weights, indices, self._k)


def error_bound(width: int) -> float:
    """Largest error of a float32 inner product of `width` terms of two unit rows.

    gamma_D (Higham 2002, eq. 3.5), with three roundings more: for norms that are not exactly 1, and
    for the exact similarity, which is rounded to a grid and to float32 (`to_similarity`).

    Examples
    --------
    >>> error_bound(16384) < 1e-3
    True
    """
    unit = 2.0**-24
    terms = (width + 3) * unit
    return terms / (1 - terms) if terms < 0.5 else 2.0


def _use_gpu(device: Device) -> bool:
    if device == "cpu":
        return False
    seen = faiss.get_num_gpus()
    if device == "cuda" and seen == 0:
        raise ResourceError(
            "--device cuda: FAISS sees no GPU on this machine",
            "use --device auto or cpu, or install a faiss with GPU support",
        )
    return bool(seen)
