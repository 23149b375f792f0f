"""Engines `hnsw` and `ivf`: neighbours from an approximate index, with their measured recall.

The index names candidates; their similarities and order are exact (`exact_similarities`), ties go
to the lower index. So two searches can differ in which neighbours they find, never in what a
neighbour's similarity is.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from graphs.errors import GraphError, ResourceError
from graphs.neighbors.approximate import GPU_MOST, HnswIndex, Index, IvfIndex, index_bytes
from graphs.neighbors.faiss_engine import error_bound
from graphs.neighbors.knn_graph import Device, IndexName, KnnGraph, Metric
from graphs.neighbors.reading import UnitBlocks
from graphs.neighbors.recall import Recall, RecallSample, cheapest, similarities_to_all
from graphs.neighbors.rows import Rows
from graphs.neighbors.select import best, exact_similarities

SPARE = 4  # candidates beyond k, for ties
CHUNK_ROWS = 32_768  # rows whose candidates are held at a time
READ_BYTES = 16 << 20
MIB = 1 << 20
DENSER = {"links": 32, "construction": 200}  # the graph that is built when the first one fails


class RecallError(GraphError):
    """No setting of the index that is cheaper than an exact search reaches the recall."""


def index_knn(
    rows: Rows,
    k: int,
    *,
    metric: Metric,
    engine: IndexName,
    device: Device = "auto",
    memory: int | None = None,
    recall: float | None = None,
    seed: int = 0,
) -> KnnGraph:
    """Find k similar other rows of every row with an approximate index.

    Parameters
    ----------
    rows : Rows
        Features, shape (n, D), from memory or from disk.
    k : int
        Neighbours a row, 1 <= k < n.
    metric : {"cosine", "pearson"}
        Similarity.
    engine : {"hnsw", "ivf"}
        Which index.
    device : {"auto", "cpu", "cuda"}
        Where `ivf` is searched; `hnsw` always on the CPU.
    memory : int, optional
        Bytes that rows and index may take.
    recall : float, optional
        Takes the cheapest setting whose measured recall, at the lower end of its 95 % interval,
        reaches this; without it a default setting.
    seed : int
        Of the index, and of the rows on which recall is measured.

    Returns
    -------
    KnnGraph
        Not exact; `recall`, `recall_error` and `setting` say how good and how it was found.

    Raises
    ------
    RecallError
        When no setting reaches `recall`.
    ResourceError
        When rows and index do not fit into `memory`; nothing has been read then.
    """
    n, width = rows.shape
    _require_memory(engine, n, width, memory)
    directed = _Directed.read(rows, metric)
    bare = KnnGraph(
        indices=_first_others(np.arange(n), k).astype(np.int32),
        weights=np.zeros((n, k), np.float32),
        metric=metric,
        engine=engine,
        exact=False,
        zero_rows=n - len(directed.unit),
    )
    if bare.zero_rows == n:
        return bare
    sample = RecallSample.draw(directed.unit, k, seed=seed, zero_rows=bare.zero_rows)
    index, effort, measured = _choose(
        engine, directed, k, sample=sample, recall=recall, device=device, seed=seed
    )
    indices, weights = _search_all(index, directed, k, effort)
    return replace(
        bare,
        indices=indices,
        weights=weights,
        recall=measured.value,
        recall_error=measured.error,
        setting=index.setting(effort),
    )


@dataclass(frozen=True, eq=False)
class _Directed:
    """The unit rows that have a direction, and which of all n rows they are."""

    unit: NDArray[np.float32]
    rows: NDArray[np.int64]
    n: int

    @classmethod
    def read(cls, rows: Rows, metric: Metric) -> "_Directed":
        n, width = rows.shape
        unit = np.empty((n, width), np.float32)
        kept = []
        filled = 0
        for at, block in UnitBlocks(rows, max(1, READ_BYTES // (4 * width)), metric).read(0, n):
            mine = np.flatnonzero(block.any(axis=1))
            unit[filled : filled + len(mine)] = block if len(mine) == len(block) else block[mine]
            filled += len(mine)
            kept.append(mine + at)
        return cls(unit[:filled], np.concatenate(kept), n)

    @property
    def zero_rows(self) -> NDArray[np.int64]:
        """The rows without a direction."""
        return np.setdiff1d(np.arange(self.n), self.rows, assume_unique=True)


def _choose(
    engine: IndexName,
    directed: _Directed,
    k: int,
    *,
    sample: RecallSample,
    recall: float | None,
    device: Device,
    seed: int,
) -> tuple[Index, int, Recall]:
    """Build the index and settle how hard it is searched."""
    if k + 1 + SPARE > GPU_MOST:
        device = "cpu"
    builds: list[dict[str, int]] = [{}, DENSER] if engine == "hnsw" and recall is not None else [{}]
    for options in builds:
        index: Index = (
            HnswIndex(directed.unit, least=k + 1 + SPARE, seed=seed, **options)
            if engine == "hnsw"
            else IvfIndex(directed.unit, device=device, seed=seed)
        )

        def measure(effort: int, index: Index = index) -> Recall:
            return sample.measure(_neighbors(index, directed, sample.rows, k=k, effort=effort)[1])

        if recall is None:
            return index, index.effort, measure(index.effort)
        effort, found = cheapest(measure, recall, first=index.first, widest=index.widest)
        if found.low >= recall:
            return index, effort, found
    raise RecallError(
        f"{engine} is only sure to find {found.low:.4f} of the neighbours with "
        f"{index.setting(effort)}, not {recall}",
        "lower --recall or use an exact engine",
    )


def _search_all(
    index: Index, directed: _Directed, k: int, effort: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Find the neighbours of all rows; those of rows without direction are the first others."""
    indices = np.empty((directed.n, k), np.int32)
    weights = np.empty((directed.n, k), np.float32)
    count = len(directed.unit)
    for at in range(0, count, CHUNK_ROWS):
        queries = np.arange(at, min(at + CHUNK_ROWS, count))
        own = directed.rows[queries]
        indices[own], weights[own] = _neighbors(index, directed, queries, k=k, effort=effort)
    zero = directed.zero_rows
    indices[zero], weights[zero] = _first_others(zero, k), 0.0
    return indices, weights


def _neighbors(
    index: Index, directed: _Directed, queries: NDArray[np.intp], *, k: int, effort: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Find the neighbours of some of the directed rows, never fewer than k of them."""
    unit = directed.unit
    others = min(k, len(unit) - 1)
    similarities, candidates = _measured(index, unit, queries, k=k, effort=effort)
    # A list can be short, and a graph can have rows that no path leads to: look wider there.
    while len(few := np.flatnonzero(np.isfinite(similarities).sum(axis=1) < others)):
        if effort >= index.most:
            for row in few:
                everything = similarities_to_all(unit, int(queries[row]))
                candidates[row, :others], similarities[row, :others] = (
                    side[0]
                    for side in best(everything[None, :], np.arange(len(unit))[None, :], others)
                )
            break
        effort = min(4 * effort, index.most)
        wider = _measured(index, unit, queries[few], k=k, effort=effort)
        similarities[few], candidates[few] = wider
    places = np.where(candidates < 0, -1, directed.rows[candidates])
    zero = np.broadcast_to(directed.zero_rows[:k], (len(queries), min(k, directed.n - len(unit))))
    return best(
        np.concatenate((similarities, np.zeros(zero.shape, np.float32)), axis=1),
        np.concatenate((places, zero), axis=1),
        k,
    )


def _measured(
    index: Index,
    unit: NDArray[np.float32],
    queries: NDArray[np.intp],
    *,
    k: int,
    effort: int,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Search, and measure exactly what may be among the k best; ``-inf`` and -1 elsewhere."""
    m = min(k + 1 + SPARE, len(unit))
    scores, rows = index.search(unit[queries], m, effort=effort)
    wide = (len(queries), max(k, m))
    candidates = np.full(wide, -1, np.int64)
    candidates[:, :m] = rows
    candidates[candidates == queries[:, None]] = -1
    approximate = np.full(wide, -np.inf, np.float32)
    approximate[:, :m] = scores
    approximate[candidates < 0] = -np.inf
    # the error of a float32 sum decides which of them can be among the k best
    kth = -np.partition(-approximate, k - 1, axis=1)[:, k - 1]
    possible = (candidates >= 0) & (approximate >= (kth - 2 * error_bound(unit.shape[1]))[:, None])
    candidates[~possible] = -1
    similarities = np.full(wide, -np.inf, np.float32)
    left, column = np.nonzero(possible)
    pairs = (queries[left], candidates[left, column])
    similarities[left, column] = exact_similarities(unit, unit, pairs)
    return similarities, candidates


def _require_memory(engine: IndexName, n: int, width: int, memory: int | None) -> None:
    needed = index_bytes(engine, n, width)
    if memory is not None and needed > memory:
        raise ResourceError(
            f"engine {engine} keeps all {n} rows of {width} values and an index in memory: "
            f"{needed / MIB:,.0f} MiB, the budget is {memory / MIB:,.0f} MiB",
            "raise --memory, make rows shorter with --project, or use --engine certified",
        )


def _first_others(rows: NDArray[np.integer], k: int) -> NDArray[np.int64]:
    """Return the first k rows other than each: neighbours of a row similar to none."""
    first = np.arange(k)
    return first + (first >= rows[:, None])
