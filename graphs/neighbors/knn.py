"""The one door to the neighbour engines."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, cast, get_args

import numpy as np

from graphs.errors import GraphError
from graphs.neighbors.knn_graph import NARROW, Device, IndexName, KnnGraph, Metric
from graphs.neighbors.rows import Rows

Engine = Literal["auto", "reference", "faiss", "certified", "hnsw", "ivf"]


# Below so many rows FAISS' product is done before `certified` has prepared its own.
CERTIFIED_FROM = 1500


def resolve_engine(engine: Engine, samples: int, width: int) -> Engine:
    """Return the engine that `auto` stands for; any other as it is.

    Of narrow rows the product is done faster than candidates are chosen by proof: FAISS is taken.

    Parameters
    ----------
    engine : str
        As the user chose it.
    samples, width : int
        Rows, and features a row.

    Raises
    ------
    GraphError
        When there is no such engine.

    Examples
    --------
    >>> resolve_engine("auto", 10_000, 4096), resolve_engine("auto", 10_000, 64)
    ('certified', 'faiss')
    """
    if engine not in get_args(Engine):
        raise GraphError(
            f"there is no engine {engine!r}", f"choose one of {', '.join(get_args(Engine))}"
        )
    if engine != "auto":
        return engine
    return "faiss" if samples < CERTIFIED_FROM or width <= NARROW else "certified"


def explain_engine(
    engine: Engine,
    samples: int,
    widths: Sequence[int],
    *,
    device: Device | None = None,
    memory: int | None = None,
) -> str:
    """Say in a few words which engine is taken for some layers, and why where that was left open.

    Parameters
    ----------
    engine : str
        As the user chose it.
    samples : int
        Rows.
    widths : sequence of int
        Features a row, of each layer.
    device : {"auto", "cpu", "cuda"}, optional
        Where it searches: of `certified`, say also in what this machine multiplies there, and why.
    memory : int, optional
        Bytes that it may use for the widest layer.

    Examples
    --------
    >>> explain_engine("auto", 500, [4096])
    'faiss (auto: fewer than 1500 samples)'
    >>> explain_engine("auto", 5000, [4096, 64])
    'certified, in layers of up to 512 values faiss (auto: no fewer than 1500 samples)'
    """
    chosen = {resolve_engine(engine, samples, width) for width in widths}
    said: str = "faiss" if chosen == {"faiss"} else "certified" if engine == "auto" else engine
    if len(chosen) > 1:
        said += f", in layers of up to {NARROW} values faiss"
    if engine == "auto":
        reason = (
            f"fewer than {CERTIFIED_FROM} samples" if samples < CERTIFIED_FROM
            else f"no layer has more than {NARROW} values" if chosen == {"faiss"}
            else f"no fewer than {CERTIFIED_FROM} samples"
        )  # fmt: skip
        said += f" (auto: {reason})"
    if "certified" not in chosen or device is None:
        return said
    from graphs.neighbors.certified import explain_product  # brings torch

    return f"{said}, {explain_product(samples, max(widths), device, memory=memory)}"


def check_k(k: int, samples: int) -> None:
    """Check that every sample can have k other samples as neighbours.

    Raises
    ------
    GraphError
        When it cannot.
    """
    if not isinstance(k, int | np.integer):
        raise GraphError(f"k={k!r} is no whole number", "use --k 3")
    if k < 1:
        raise GraphError(f"k={k} leaves a graph without edges", "use --k 1 or more")
    if k >= samples:
        raise GraphError(
            f"k={k} needs at least {k + 1} samples, this run has {samples}",
            "lower --k or raise --samples",
        )


def check_search(engine: Engine, *, recall: float | None, project: int | None) -> None:
    """Check the options of an approximate search.

    Raises
    ------
    GraphError
        When a recall is asked of an exact engine, or a value makes no sense.
    """
    if recall is not None and not 0 < recall <= 1:
        raise GraphError(f"recall {recall} is no share", "give --recall from above 0 to 1: 0.95")
    if recall is not None and engine not in get_args(IndexName):
        raise GraphError(
            f"engine {engine} finds all neighbours, it has no recall to choose",
            f"leave out --recall, or use --engine {' or '.join(get_args(IndexName))}",
        )
    if project is not None and project < 1:
        raise GraphError(
            f"rows cannot be projected to {project} values", "use --project 1 or more: 256"
        )


def knn(
    values: Rows,
    k: int,
    *,
    metric: Metric = "cosine",
    engine: Engine = "auto",
    device: Device = "auto",
    memory: int | None = None,
    recall: float | None = None,
    project: int | None = None,
    seed: int = 0,
) -> KnnGraph:
    """Find the k most similar other rows of every row.

    Similarity is the inner product of the rows scaled to length 1 (after their mean is taken out,
    for Pearson). Unit rows are rounded to float32, products are summed in float64 and rounded to
    float32; ties go to the lower index. All exact engines give the same neighbours.

    Parameters
    ----------
    values : array of shape (n, D), or anything with `shape` and row slices
        Features, one row a sample.
    k : int
        Neighbours a row, 1 <= k < n.
    metric : {"cosine", "pearson"}
        Similarity.
    engine : {"auto", "reference", "faiss", "certified", "hnsw", "ivf"}
        `auto` takes `certified` from 1,500 rows of more than 512 values on, else `faiss`; `hnsw`
        and `ivf` are approximate (`graphs.neighbors.index_search`).
    device : {"auto", "cpu", "cuda"}
        Where the engine searches.
    memory : int, optional
        Bytes that features may take at a time (all engines but `reference`).
    recall : float, optional
        Engines `hnsw` and `ivf`: take the cheapest setting that finds this share of the exact
        neighbours. Where only an exact search would, that is what is done.
    project : int, optional
        Project rows to so many values first, at random, if they have more
        (`graphs.neighbors.projection`); similarities are then those of the shorter rows.
    seed : int
        Of the index, the projection, and the rows on which recall is measured.

    Returns
    -------
    KnnGraph
        The directed list.

    Raises
    ------
    GraphError
        When k does not fit the number of rows, or an option is unknown.
    ActivationError
        When a feature is NaN or infinite.
    ResourceError
        When an index over all rows does not fit into `memory`.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]])
    >>> knn(x, 1).indices.ravel().tolist()
    [1, 0, 3, 2]

    References
    ----------
    Lu et al., "Understanding the Dynamics of DNNs Using Graph Modularity", ECCV 2022, eq. 3.
    """
    if not hasattr(values, "shape"):
        values = np.asarray(values)
    _check_rows(values)
    if memory is not None and not isinstance(memory, int | np.integer):
        raise GraphError(f"memory={memory!r} is no number of bytes", "pass bytes: 4 << 30")
    if metric not in get_args(Metric):
        raise GraphError(f"there is no metric {metric!r}", f"choose one of {get_args(Metric)}")
    check_k(k, values.shape[0])
    check_search(engine, recall=recall, project=project)
    chosen = resolve_engine(engine, *values.shape)
    search = _Search(k, engine=chosen, device=device, recall=recall, seed=seed)
    if project is None or project >= values.shape[1]:
        return search.run(values, metric=metric, memory=memory)
    from graphs.neighbors.projection import project_rows

    rows = project_rows(values, project, metric=metric, seed=seed, memory=memory)
    if memory is not None and isinstance(rows, np.ndarray):
        memory -= rows.nbytes
    graph = search.run(rows, metric="cosine", memory=memory)
    return replace(graph, metric=metric, exact=False, project=project)


def _check_rows(values: Rows) -> None:
    if isinstance(values, np.ndarray) and np.iscomplexobj(values):
        raise GraphError("complex features have no similarity here", "pass their real parts")
    if len(values.shape) != 2 or values.shape[1] == 0:
        raise GraphError(
            f"features of shape {tuple(values.shape)} are no table of samples by values",
            "flatten each sample to one row",
        )


class _Search:
    """A search by one of the engines."""

    def __init__(
        self,
        k: int,
        *,
        engine: Engine,
        device: Device,
        recall: float | None,
        seed: int,
    ) -> None:
        self.k, self.engine, self.device = k, engine, device
        self.recall, self.seed = recall, seed

    def run(self, rows: Rows, *, metric: Metric, memory: int | None) -> KnnGraph:
        if self.engine not in get_args(IndexName):
            return self._exact(self.engine, rows, metric=metric, memory=memory)
        from graphs.neighbors.index_search import RecallError, index_knn

        try:
            return index_knn(
                rows,
                self.k,
                metric=metric,
                engine=cast("IndexName", self.engine),
                device=self.device,
                memory=memory,
                recall=self.recall,
                seed=self.seed,
            )
        except RecallError as error:
            # who asks for a recall wants at least that
            engine = resolve_engine("auto", *rows.shape)
            graph = self._exact(engine, rows, metric=metric, memory=memory)
            return replace(graph, setting=f"exact, as {error.problem}")

    def _exact(self, engine: Engine, rows: Rows, *, metric: Metric, memory: int | None) -> KnnGraph:
        if engine == "reference":
            from graphs.neighbors.reference import reference_knn

            return reference_knn(rows, self.k, metric=metric)
        if engine == "certified":
            from graphs.neighbors.certified import certified_knn

            return certified_knn(rows, self.k, metric=metric, device=self.device, memory=memory)
        from graphs.neighbors.faiss_engine import faiss_knn

        return faiss_knn(rows, self.k, metric=metric, device=self.device, memory=memory)
