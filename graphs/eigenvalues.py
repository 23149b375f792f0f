"""The smallest eigenvalues of a layered graph's normalised Laplacian, and their gradient."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from graphs.errors import GraphError

DENSE = 600  # nodes up to which LAPACK is faster than Lanczos


@dataclass(frozen=True, kw_only=True, eq=False)
class LaplacianEigenvalues:
    """Eigenvalues and how they change with the weights.

    Attributes
    ----------
    values : ndarray of float64, shape (count,)
        The smallest eigenvalues above the first, rising.
    gradients : tuple of ndarray, each of the shape of a weight matrix
        Derivative of the mean of `values` by every weight; 0 where the weight is 0.
    """

    values: NDArray[np.float64]
    gradients: tuple[NDArray[np.float64], ...]


def laplacian_eigenvalues(
    weights: Sequence[NDArray[np.floating]], count: int = 3
) -> LaplacianEigenvalues:
    """Compute eigenvalues 2 to count + 1 of I - D^-1/2 A D^-1/2 and their gradient.

    Edges of A have the absolute values of the weights. Small eigenvalues mean that the graph can
    be cut into parts with a low n-cut. For an edge between m and n, a unit eigenvector u with
    eigenvalue e and x = D^-1/2 u, the derivative of e by the edge's weight is
    (x_m - x_n)^2 - e (x_m^2 + x_n^2).

    Parameters
    ----------
    weights : sequence of ndarray, shapes (n_0, n_1), (n_1, n_2), ...
        From each layer (rows) to the next (columns); signs do not matter to the eigenvalues.
    count : int
        How many eigenvalues.

    Returns
    -------
    LaplacianEigenvalues
        In float64. Neurons without an edge are left out. Where eigenvalues are equal, only the
        sum over all that are equal has a derivative.

    Raises
    ------
    GraphError
        When shapes do not follow one another, or there are too few neurons with an edge.

    Notes
    -----
    Clusterability regulariser of Filan et al. (2021). The derivative follows from first-order
    perturbation of A x = (1 - e) D x.

    Examples
    --------
    A path of three neurons has the eigenvalues 0, 1 and 2; at 1 the weights may change.

    >>> found = laplacian_eigenvalues([np.array([[3.0]]), np.array([[-3.0]])], count=1)
    >>> bool(abs(found.values[0] - 1) < 1e-12), bool(abs(found.gradients[0]).max() < 1e-12)
    (True, True)
    """
    ends = _offsets(weights)
    adjacency = _adjacency(weights, ends)
    degrees = np.asarray(adjacency.sum(axis=0)).ravel()
    alive = np.flatnonzero(degrees > 0)
    if count < 1 or len(alive) < count + 1:
        raise GraphError(
            f"{count} eigenvalues above the first are asked of {len(alive)} neurons with an edge",
            "ask for fewer, at least 1",
        )
    scale = 1 / np.sqrt(degrees[alive])
    values, vectors = _smallest(adjacency[alive][:, alive], scale, count)
    x = np.zeros((len(degrees), count))
    x[alive] = vectors * scale[:, None]
    # (x_m - x_n)^2 - e (x_m^2 + x_n^2), summed over the eigenvectors
    own = (x**2 * (1 - values)).sum(axis=1)
    parts = [slice(low, high) for low, high in pairwise(ends)]
    gradients = tuple(
        (own[a, None] + own[None, b] - 2 * x[a] @ x[b].T) * np.sign(weight) / count
        for weight, a, b in zip(weights, parts, parts[1:], strict=False)
    )
    return LaplacianEigenvalues(values=values, gradients=gradients)


def _offsets(weights: Sequence[NDArray[np.floating]]) -> list[int]:
    shapes = [weight.shape for weight in weights]
    follow = all(a[1] == b[0] for a, b in pairwise(shapes))
    if not shapes or not follow:
        raise GraphError(
            f"weights of shapes {shapes} are no layers one after the other",
            "give (n_0, n_1), (n_1, n_2), ...",
        )
    widths = [shapes[0][0], *(shape[1] for shape in shapes)]
    return [0, *np.cumsum(widths).tolist()]


def _adjacency(weights: Sequence[NDArray[np.floating]], ends: list[int]) -> Any:
    """Dense where that is faster, else sparse."""
    sizes = [np.abs(np.asarray(weight, np.float64)) for weight in weights]
    if ends[-1] <= DENSE:
        dense = np.zeros((ends[-1], ends[-1]))
        for low, middle, size in zip(ends, ends[1:], sizes, strict=False):
            dense[low:middle, middle : middle + size.shape[1]] = size
        return dense + dense.T
    blocks: list[list[Any]] = [[None] * (len(ends) - 1) for _ in ends[1:]]
    for place, size in enumerate(sizes):
        block = sparse.csr_array(size)
        blocks[place][place + 1], blocks[place + 1][place] = block, block.T
    return sparse.block_array(blocks, format="csr")


def _smallest(
    adjacency: Any, scale: NDArray[np.float64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Eigenvalues above the first, with unit vectors in columns."""
    size = len(scale)
    if isinstance(adjacency, np.ndarray):
        laplacian = np.eye(size) - adjacency * scale[:, None] * scale[None, :]
        values, vectors = linalg.eigh(laplacian, subset_by_index=[1, count])
        return values, vectors
    similar = sparse.diags_array(scale) @ adjacency @ sparse.diags_array(scale)
    # what a run gives must not depend on the run
    start = np.random.default_rng(0).random(size)
    near, vectors = sparse.linalg.eigsh(similar, k=count + 1, which="LA", v0=start, tol=0)
    order = np.argsort(-near, kind="stable")[1:]
    return 1 - near[order], vectors[:, order]
