"""Pictures of features in the plane: t-SNE, and how far its picture keeps classes apart."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from graphs.errors import ActivationError, GraphError

PERPLEXITY = 30.0
COMPONENTS = 50  # values a sample that are kept before t-SNE (van der Maaten & Hinton 2008)
_NEIGHBORS = 3  # t-SNE looks at so many times its perplexity


def check_perplexity(perplexity: float, n: int) -> None:
    """Refuse a perplexity that does not fit the number of samples.

    Raises
    ------
    GraphError
        When it is not positive, or 3 times as many neighbours are not there.

    Examples
    --------
    >>> check_perplexity(30, 500)
    """
    if not 0 < perplexity < math.inf:
        raise GraphError(f"perplexity {perplexity:g} is no positive number", "give --perplexity 30")
    needed = int(_NEIGHBORS * perplexity) + 2
    if n < needed:
        raise GraphError(
            f"perplexity {perplexity:g} needs at least {needed} samples, this run has {n}",
            f"give --perplexity {max((n - 2) // _NEIGHBORS, 1)} or less, or raise --samples",
        )


def embed(
    features: ArrayLike, *, perplexity: float = PERPLEXITY, seed: int = 0
) -> NDArray[np.float32]:
    """Place samples in the plane so that near ones stay near.

    Parameters
    ----------
    features : array of float, shape (n, D)
        Features of one layer; more than 50 values are reduced to 50 by PCA.
    perplexity : float
        How many neighbours a sample is to have, roughly.
    seed : int
        Of PCA's random projections and of t-SNE.

    Returns
    -------
    ndarray of float32, shape (n, 2)
        The same on any number of threads: it is computed on one.

    Raises
    ------
    GraphError
        When the perplexity does not fit the number of samples.
    ActivationError
        When a number is NaN or infinite, or all samples have the same features.

    Notes
    -----
    van der Maaten & Hinton 2008, "Visualizing Data using t-SNE", by scikit-learn, begun from the
    first two principal components; for features of layers Lu et al. 2022, figure 1.

    Examples
    --------
    >>> rows = np.random.default_rng(0).normal(size=(12, 3))
    >>> embed(rows, perplexity=3).shape
    (12, 2)
    """
    rows = np.array(features, np.float64)
    check_perplexity(perplexity, len(rows))
    largest = float(np.abs(rows).max(initial=0.0))
    if not np.isfinite(largest):
        raise ActivationError("the features hold NaN or infinity", "look at the layer")
    if (rows == rows[0]).all():
        raise ActivationError(
            "all samples have the same features, there is nothing to place", "leave the layer out"
        )
    rows /= largest  # squared distances shall not overflow; t-SNE does not depend on the scale
    if rows.shape[1] == 1:
        rows = np.hstack([rows, np.zeros_like(rows)])  # t-SNE begins with two components
    # sums over threads would end in another picture every time
    with threadpool_limits(1):
        if min(rows.shape) > COMPONENTS:
            rows = PCA(COMPONENTS, random_state=seed).fit_transform(rows)
        tsne = TSNE(perplexity=perplexity, init="pca", random_state=seed, n_jobs=1)
        return np.asarray(tsne.fit_transform(rows), np.float32)


def neighbor_purity(places: ArrayLike, labels: ArrayLike) -> float:
    """Share of samples whose nearest other sample in the picture is of their class.

    Parameters
    ----------
    places : array of float, shape (n, 2)
        As `embed` gives them.
    labels : array, shape (n,)
        Class of each sample.

    Examples
    --------
    >>> neighbor_purity([[0, 0], [0, 1], [9, 9], [9, 8]], ["a", "a", "b", "c"])
    0.5
    """
    points, classes = np.asarray(places, np.float64), np.asarray(labels)
    with threadpool_limits(1):
        found = NearestNeighbors(n_neighbors=1).fit(points).kneighbors(return_distance=False)
    return float((classes[found[:, 0]] == classes).mean())
