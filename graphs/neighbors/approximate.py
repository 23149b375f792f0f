"""FAISS' approximate indexes: HNSW graphs and inverted lists, over unit rows.

Both give the same answers whatever the number of threads. FAISS builds an HNSW graph in a fixed
order from version 1.15 on; with older versions one thread builds it, which costs as many times the
building as there are processors. Centroids are found and looked up by calls that use one thread
each, on blocks of fixed size, several calls side by side: a matrix product may round differently
with another number of threads.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from graphs.errors import ResourceError
from graphs.neighbors.faiss_engine import Search
from graphs.neighbors.faiss_library import faiss
from graphs.neighbors.knn_graph import Device, IndexName
from graphs.neighbors.list_search import Lists
from graphs.neighbors.threads import in_threads

untyped: Any = faiss  # its stubs leave out part of what is used here

BLOCK_ROWS = 1024
GPU_BLOCK_ROWS = 16_384
GPU_MOST = 2048  # neighbours and lists that FAISS searches on a GPU
TRAINING_ROUNDS = 5
TRAINING_ROWS = 32  # a list; more of both found no more neighbours in real features

Found = tuple[NDArray[np.float32], NDArray[np.int64]]


class Index(Protocol):
    """An index over unit rows.

    Attributes
    ----------
    effort : int
        What a search costs and finds by default, in the index's own measure.
    first, widest : int
        The least effort, and the most that is cheaper than an exact search.
    most : int
        The effort at which nothing more can be found.
    """

    effort: int
    first: int
    widest: int
    most: int

    def search(self, queries: NDArray[np.float32], m: int, *, effort: int) -> Found:
        """Return up to m similar rows of every query: scores and rows, -1 where there is none."""
        ...

    def setting(self, effort: int) -> str:
        """Say how the index is built and searched: ``nlist=200 nprobe=12``."""
        ...


class HnswIndex:
    """A navigable graph: every row linked to M others (Malkov & Yashunin 2020).

    Parameters
    ----------
    unit : ndarray of float32, shape (n, D)
        Unit rows.
    least : int
        The least efSearch: as many neighbours as are asked for.
    links : int
        M, links a row; twice as many on the ground level.
    construction : int
        efConstruction, candidates looked at for each row when it is added.
    seed : int
        Of the rows' levels.
    """

    def __init__(
        self,
        unit: NDArray[np.float32],
        *,
        least: int = 16,
        links: int = 16,
        construction: int = 64,
        seed: int = 0,
    ) -> None:
        self.first = max(16, least)
        self.effort, self.widest = max(64, least), max(1024, least)
        self.most = max(self.first, len(unit))
        self._index: Any = untyped.IndexHNSWFlat(unit.shape[1], links, faiss.METRIC_INNER_PRODUCT)
        self._index.hnsw.efConstruction = construction
        self._index.hnsw.rng = untyped.RandomGenerator(seed)
        self._built = f"M={links} efConstruction={construction}"
        if hasattr(faiss.HNSW, "compute_forward_links_deterministic"):
            self._index.add(unit)
        else:
            with _one_thread():
                self._index.add(unit)

    def search(self, queries: NDArray[np.float32], m: int, *, effort: int) -> Found:
        """Return up to m similar rows of every query; `effort` is efSearch."""
        parameters = untyped.SearchParametersHNSW(efSearch=max(effort, m))
        return _search_blocks(self._index, queries, m, parameters)

    def setting(self, effort: int) -> str:
        """Say how the index is built and searched."""
        return f"{self._built} efSearch={effort}"


class IvfIndex:
    """Inverted lists: rows by the nearest of n_list centroids (Sivic & Zisserman 2003).

    Parameters
    ----------
    unit : ndarray of float32, shape (n, D)
        Unit rows.
    lists : int, optional
        How many, 1.5 sqrt(n) by default.
    device : {"auto", "cpu", "cuda"}
        Where they are searched; the centroids are always found on the CPU.
    seed : int
        Of k-means.

    Raises
    ------
    ResourceError
        When `device` is "cuda" and FAISS sees no GPU, or the rows do not fit there.
    """

    def __init__(
        self,
        unit: NDArray[np.float32],
        *,
        lists: int | None = None,
        device: Device = "auto",
        seed: int = 0,
    ) -> None:
        n, width = unit.shape
        resources = Search(device).resources
        self.most = lists or max(1, min(n, round(1.5 * math.sqrt(n))))
        self.first, self.effort = 1, min(self.most, max(8, self.most // 24))
        # A row of a list costs two to three times what it costs in a search over everything.
        self.widest = max(1, self.most // 4)
        self._centroids = faiss.IndexFlatIP(width)
        index = faiss.IndexIVFFlat(self._centroids, width, self.most, faiss.METRIC_INNER_PRODUCT)
        index.cp.spherical = True
        index.cp.niter, index.cp.seed = TRAINING_ROUNDS, seed
        index.cp.max_points_per_centroid = TRAINING_ROWS
        index.cp.min_points_per_centroid = 1  # FAISS would warn of fewer than 39
        with _one_thread():
            index.train(unit)
        self._gpu: Any = None
        if resources is not None:
            self._gpu = _on_gpu(index, unit, resources, required=device == "cuda")
            self._resources = resources  # the index does not keep them alive
        if self._gpu is None:
            own = _search_blocks(self._centroids, unit, 1)[1].ravel()
            self._lists = Lists(unit, own, self.most)

    def search(self, queries: NDArray[np.float32], m: int, *, effort: int) -> Found:
        """Return up to m similar rows of every query; `effort` is nprobe."""
        if self._gpu is None:
            probes = _search_blocks(self._centroids, queries, effort)[1]
            return self._lists.search(queries, probes, m)
        parameters = untyped.SearchParametersIVF(nprobe=min(effort, GPU_MOST))
        scores, rows = _empty(len(queries), m)
        for at in range(0, len(queries), GPU_BLOCK_ROWS):
            part = slice(at, at + GPU_BLOCK_ROWS)
            scores[part], rows[part] = self._gpu.search(queries[part], m, params=parameters)
        return scores, rows

    def setting(self, effort: int) -> str:
        """Say how the index is built and searched."""
        return f"nlist={self.most} nprobe={effort}"


def index_bytes(name: IndexName, n: int, width: int) -> int:
    """Return the bytes that the rows and an index over them take.

    n D float32 numbers twice, as unit rows and in the index; with `hnsw` also 2 M + 2 links a row
    for M = 32, the most that is tried.

    Examples
    --------
    >>> index_bytes("ivf", 1000, 10) == 2 * 4 * 1000 * 10 + 8 * 1000
    True
    """
    beside = 8 if name == "ivf" else 4 * (2 * 32 + 2)
    return n * (8 * width + beside)


def _on_gpu(index: Any, unit: NDArray[np.float32], resources: Any, *, required: bool) -> Any:
    """Put the lists on the GPU; None where they do not fit and need not be there."""
    try:
        found = faiss.index_cpu_to_gpu(resources, 0, index)
        found.add(unit)
    except RuntimeError as error:
        if required:
            raise ResourceError(
                f"{unit.nbytes / 2**20:,.0f} MiB of rows do not fit on the GPU",
                "use --device auto or cpu, or make rows shorter with --project",
            ) from error
        return None
    return found


def _search_blocks(
    index: Any,
    queries: NDArray[np.float32],
    m: int,
    parameters: Any = None,
) -> Found:
    """Search blocks of fixed size side by side, each with one thread."""
    scores, rows = _empty(len(queries), m)

    def search(at: int) -> None:
        part = slice(at, at + BLOCK_ROWS)
        with _one_thread():
            scores[part], rows[part] = index.search(queries[part], m, params=parameters)

    in_threads(search, range(0, len(queries), BLOCK_ROWS))
    return scores, rows


def _empty(count: int, m: int) -> Found:
    return np.empty((count, m), np.float32), np.empty((count, m), np.int64)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let FAISS use one thread in calls from this thread."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
