"""k-means by scikit-learn. Its first centres are drawn here: they took half of the time."""

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning


def kmeans(
    points: NDArray[np.float64], clusters: int, *, seed: int, restarts: int
) -> NDArray[np.int32]:
    """Cluster points by the best of several attempts of k-means++.

    Parameters
    ----------
    points : ndarray of float64, shape (n, d)
        At least as many as clusters.
    clusters : int
        How many.
    seed : int
        The same seed gives the same labels.
    restarts : int
        Attempts, of which the one with the smallest sum of squared distances counts.

    Returns
    -------
    ndarray of int32, shape (n,)
        Labels from 0 to `clusters` - 1. Where fewer points are distinct, some do not occur.

    Examples
    --------
    >>> labels = kmeans(np.array([[0.0], [0.1], [5.0]]), 2, seed=0, restarts=3)
    >>> bool(labels[0] == labels[1] != labels[2])
    True
    """
    model = KMeans(clusters, init=first_centers, n_init=restarts, random_state=seed % 2**32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct points than clusters
        return np.asarray(model.fit(points).labels_, dtype=np.int32)


def first_centers(
    points: NDArray[np.float64], clusters: int, random_state: np.random.RandomState
) -> NDArray[np.float64]:
    """Draw centres far from one another: greedy k-means++.

    Parameters
    ----------
    points : ndarray of float64, shape (n, d)
        Where centres may lie.
    clusters : int
        How many.
    random_state : RandomState
        Where chance comes from.

    Returns
    -------
    ndarray of float64, shape (clusters, d)

    Notes
    -----
    Arthur and Vassilvitskii 2007, with as many candidates as scikit-learn's ``kmeans_plusplus``:
    2 + ln K a step, of which the one that leaves the smallest sum of distances wins.
    """
    count, candidates = len(points), 2 + int(np.log(clusters))
    chosen = [int(random_state.randint(count))]
    columns, squares = points.T, np.einsum("nd,nd->n", points, points)

    def distances(centers: NDArray[np.intp]) -> NDArray[np.float64]:
        apart = squares + squares[centers][:, None] - 2 * (points[centers] @ columns)
        return np.asarray(np.maximum(apart, 0))

    nearest = distances(np.array(chosen))[0]
    for _ in range(clusters - 1):
        reached = np.cumsum(nearest)
        drawn = np.searchsorted(reached, random_state.random_sample(candidates) * reached[-1])
        drawn = np.minimum(drawn, count - 1)  # rounding
        closer = np.minimum(distances(drawn), nearest)
        winner = int(closer.sum(axis=1).argmin())
        chosen.append(int(drawn[winner]))
        nearest = closer[winner]
    return points[chosen]
