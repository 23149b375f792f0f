"""The one door to the neighbour engines."""

from typing import Literal, get_args

import numpy as np

from graphs.errors import GraphError
from graphs.neighbors.knn_graph import KnnGraph, Metric
from graphs.neighbors.rows import Rows

Engine = Literal["auto", "reference", "faiss", "certified"]


def resolve_engine(engine: Engine) -> Engine:
    """Return the engine that `auto` stands for; any other as it is.

    Raises
    ------
    GraphError
        When there is no such engine.
    """
    if engine not in get_args(Engine):
        raise GraphError(
            f"there is no engine {engine!r}", f"choose one of {', '.join(get_args(Engine))}"
        )
    return "faiss" if engine == "auto" else engine


def check_k(k: int, samples: int) -> None:
    """Check that every sample can have k other samples as neighbours.

    Raises
    ------
    GraphError
        When it cannot.
    """
    if k < 1:
        raise GraphError(f"k={k} leaves a graph without edges", "use --k 1 or more")
    if k >= samples:
        raise GraphError(
            f"k={k} needs at least {k + 1} samples, this run has {samples}",
            "lower --k or raise --samples",
        )


def knn(
    values: Rows,
    k: int,
    *,
    metric: Metric = "cosine",
    engine: Engine = "auto",
    device: Literal["auto", "cpu", "cuda"] = "auto",
    memory: int | None = None,
) -> KnnGraph:
    """Find the k most similar other rows of every row.

    Similarity is the inner product of the rows scaled to length 1 (after their mean is taken out,
    for Pearson). Unit rows are rounded to float32, products are summed in float64 and rounded to
    float32; ties go to the lower index. Both engines give the same neighbours.

    Parameters
    ----------
    values : array of shape (n, D), or anything with `shape` and row slices
        Features, one row a sample.
    k : int
        Neighbours a row, 1 <= k < n.
    metric : {"cosine", "pearson"}
        Similarity.
    engine : {"auto", "reference", "faiss"}
        `auto` takes FAISS.
    device : {"auto", "cpu", "cuda"}
        Where FAISS searches.
    memory : int, optional
        Bytes that features may take at a time (engine `faiss`).

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
    if len(values.shape) != 2 or values.shape[1] == 0:
        raise GraphError(
            f"features of shape {tuple(values.shape)} are no table of samples by values",
            "flatten each sample to one row",
        )
    if metric not in get_args(Metric):
        raise GraphError(f"there is no metric {metric!r}", f"choose one of {get_args(Metric)}")
    check_k(k, values.shape[0])
    if resolve_engine(engine) == "reference":
        from graphs.neighbors.reference import reference_knn

        return reference_knn(values, k, metric=metric)
    if engine == "certified":
        from graphs.neighbors.certified import certified_knn

        return certified_knn(values, k, metric=metric, device=device, memory=memory)
    from graphs.neighbors.faiss_engine import faiss_knn

    return faiss_knn(values, k, metric=metric, device=device, memory=memory)
