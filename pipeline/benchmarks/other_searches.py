"""Other ways to the nearest neighbours, as their documentation shows them: for P2."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.console import log

Values = NDArray[np.float32]
Search = Callable[[Values, int], NDArray[np.integer] | None]


def torch_product(values: Values, k: int) -> NDArray[np.integer]:
    """Search with one float32 product of all rows, and `torch.topk`.

    Examples
    --------
    >>> torch_product(np.array([[1, 0], [1, 1], [0, 1]], np.float32), 1).tolist()
    [[1], [0], [1]]
    """
    rows = torch.nn.functional.normalize(torch.from_numpy(values), dim=1)
    product = rows @ rows.T
    product.fill_diagonal_(-2.0)
    found: NDArray[np.integer] = product.topk(k, dim=1).indices.numpy()
    return found


def scikit_learn(values: Values, k: int) -> NDArray[np.integer]:
    """Search with scikit-learn's `NearestNeighbors`, which measures all pairs.

    Examples
    --------
    >>> scikit_learn(np.array([[1, 0], [3, 1], [0, 1]], np.float32), 1).tolist()
    [[1], [0], [1]]
    """
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=k, algorithm="brute", metric="cosine", n_jobs=-1)
    # without rows to look up, each is left out of its own neighbours
    found: NDArray[np.integer] = search.fit(values).kneighbors(return_distance=False)
    return found


def nn_descent(values: Values, k: int) -> NDArray[np.integer] | None:
    """Search with pynndescent, an approximate method; None where it is not installed."""
    try:
        from pynndescent import NNDescent
    except ImportError:
        log.info("  pynndescent is not installed: pip install -e '.[dev]'")
        return None
    graph, _ = NNDescent(values, metric="cosine", n_neighbors=k + 1, random_state=0).neighbor_graph
    own = graph == np.arange(len(values))[:, None]
    own[~own.any(axis=1), -1] = True
    found: NDArray[np.integer] = graph[~own].reshape(len(values), k)
    return found


DESCENT: Final = "pynndescent"
OTHERS: Final[Mapping[str, Search]] = {
    "torch product, topk": torch_product,
    "scikit-learn": scikit_learn,
    DESCENT: nn_descent,
}
