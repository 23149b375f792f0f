"""How far a layer moves the features that it is given, sample by sample."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphs.errors import GraphError

CHUNK_ROWS = 64  # samples whose float64 copies are held at a time


def row_cosines(given: ArrayLike, got: ArrayLike) -> NDArray[np.float64]:
    """Cosine between each sample's features before a layer and after it, in float64.

    Parameters
    ----------
    given, got : array of float, shape (n, D)
        Features of the same samples before and after.

    Returns
    -------
    ndarray of float64, shape (n,)
        From −1 to 1. A row of zeros has no direction: 0, or 1 where it stays a row of zeros.

    Raises
    ------
    GraphError
        When the two differ in shape.

    Examples
    --------
    >>> row_cosines([[1.0, 0.0], [0.0, 2.0]], [[3.0, 0.0], [5.0, 0.0]]).tolist()
    [1.0, 0.0]
    """
    before, after = np.asarray(given), np.asarray(got)
    if before.ndim != 2 or before.shape != after.shape:
        raise GraphError(
            f"features of shapes {before.shape} and {after.shape} have no angle between them",
            "compare a layer that keeps its shape",
        )
    found = np.empty(len(before))
    for start in range(0, len(before), CHUNK_ROWS):
        rows = slice(start, start + CHUNK_ROWS)
        found[rows] = _cosines(before[rows].astype(np.float64), after[rows].astype(np.float64))
    return found


def _cosines(before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
    units, still = [], np.ones(len(before), dtype=bool)
    for rows in (before, after):
        # the largest entry first: squares of 1e200 would overflow
        largest = np.abs(rows).max(axis=1, initial=0.0, keepdims=True)
        zero = largest[:, 0] == 0
        scaled = rows / np.where(zero[:, None], 1.0, largest)
        lengths = np.sqrt(np.square(scaled).sum(axis=1))
        units.append(scaled / np.where(zero, 1.0, lengths)[:, None])
        still &= zero
    products: NDArray[np.float64] = (units[0] * units[1]).sum(axis=1)
    products[still] = 1.0
    return products.clip(-1.0, 1.0)


def block_influence(cosines: ArrayLike) -> float:
    """Say how much a layer turns its samples: one minus the mean cosine.

    Parameters
    ----------
    cosines : array of float, shape (n,)
        From `row_cosines`.

    Returns
    -------
    float
        0 for a layer that turns nothing, 1 for right angles, up to 2.

    Notes
    -----
    Men et al. 2024, "ShortGPT: Layers in Large Language Models are More Redundant Than You
    Expect". There a row is a token, here all features of a sample.

    Examples
    --------
    >>> block_influence([1.0, 0.0])
    0.5
    """
    return float(1.0 - np.mean(np.asarray(cosines, np.float64)))


def angular_distance(cosines: ArrayLike) -> float:
    """Mean angle between a layer's input and output, as a share of half a turn.

    Parameters
    ----------
    cosines : array of float, shape (n,)
        From `row_cosines`.

    Returns
    -------
    float
        From 0 to 1.

    Notes
    -----
    Gromov et al. 2024, "The Unreasonable Ineffectiveness of the Deeper Layers": arccos of
    the cosine, divided by π. There of a sequence's last token, here the mean over samples.

    Examples
    --------
    >>> angular_distance([1.0, 0.0])
    0.25
    """
    return float(np.mean(np.arccos(np.asarray(cosines, np.float64))) / np.pi)
