"""How alike two layers are: linear CKA, shared neighbours, difference in modularity."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from graphs.cka_sums import CkaSums, Estimator, feature_gram
from graphs.errors import GraphError
from graphs.row_batches import FEWEST, split_batches


def linear_cka(
    first: ArrayLike,
    second: ArrayLike,
    *,
    estimator: Estimator = "unbiased",
    batch: int | None = None,
    seed: int = 0,
) -> float:
    """Similarity of two layers' features, whatever their rotation and scale.

    Parameters
    ----------
    first, second : array of float, shapes (n, D) and (n, E)
        Features of the same samples.
    estimator : {"unbiased", "biased"}
        Of HSIC.
    batch : int, optional
        Samples a batch; all at once without it. Batches are dealt at random.
    seed : int
        Of the dealing.

    Returns
    -------
    float
        Up to 1; around 0 for independent features (the unbiased estimate may fall below). NaN
        where the features of a layer do not vary.

    Raises
    ------
    GraphError
        For fewer than 4 samples, when the two differ in number, or are not of two dimensions.
    ActivationError
        When a number is NaN or infinite.

    Notes
    -----
    Kornblith et al. 2019; from batches Nguyen, Raghu & Kornblith 2021, eq. 3 to 5.

    Examples
    --------
    >>> rows = np.random.default_rng(0).normal(size=(20, 3))
    >>> round(linear_cka(rows, 7 * rows[:, ::-1]), 12)
    1.0
    """
    left, right = np.asarray(first), np.asarray(second)
    for features in (left, right):
        if features.ndim != 2:
            raise GraphError(
                f"features of shape {features.shape} are no table of samples and values",
                "give shape (n, D): a single value a sample as rows[:, None]",
            )
    if len(left) != len(right):
        raise GraphError(
            f"the layers hold {len(left)} and {len(right)} samples", "give the same samples twice"
        )
    sums = CkaSums(2, estimator=estimator)
    size = max(len(left), FEWEST) if batch is None else batch
    for rows in split_batches(len(left), size, seed=seed):
        sums.add([feature_gram(left[rows]), feature_gram(right[rows])])
    return float(sums.cka()[0, 1])


def neighbor_overlaps(lists: Sequence[NDArray[np.integer]]) -> NDArray[np.float64]:
    """Share of neighbours that layers have in common, for all pairs of layers.

    Parameters
    ----------
    lists : sequence of ndarray of int, each of shape (n, k)
        Neighbours of every node, one array a layer; no neighbour twice in a row.

    Returns
    -------
    ndarray of float64, shape (L, L)
        Mean over nodes of |N_a ∩ N_b| / k; 1 on the diagonal. By chance it would be
        `chance_overlap`.

    Raises
    ------
    GraphError
        When layers differ in nodes or k.

    Examples
    --------
    >>> neighbor_overlaps([np.array([[1, 2], [0, 2], [0, 1]]), np.array([[1, 2]] * 3)])[0].tolist()
    [1.0, 0.6666666666666666]
    """
    shapes = sorted({rows.shape for rows in lists})
    if len(shapes) != 1:
        found = " and ".join(f"{n} nodes with k={k}" for n, k in shapes)
        raise GraphError(
            f"neighbours are compared between layers of {found}", "link all layers with the same k"
        )
    n, k = shapes[0]
    # a link is one number; layers with the numbers of their links are the rows of a 0/1 matrix
    links = np.concatenate([(rows + n * np.arange(n)[:, None]).ravel() for rows in lists])
    distinct, which = np.unique(links, return_inverse=True)
    owner = np.repeat(np.arange(len(lists)), n * k)
    ones = np.ones(len(links), np.int64)
    table = sparse.csr_array((ones, (owner, which)), shape=(len(lists), len(distinct)))
    shared: NDArray[np.int64] = (table @ table.T).toarray()
    overlaps: NDArray[np.float64] = shared / (n * k)
    return overlaps


def chance_overlap(n: int, k: int) -> float:
    """Share of neighbours that two layers have in common by chance: k of the n − 1 others.

    Examples
    --------
    >>> chance_overlap(101, 5)
    0.05
    """
    return k / (n - 1)


def modularity_differences(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Difference in modularity between layers, |Q_i − Q_j|.

    Parameters
    ----------
    first, second : array of float, shapes (L,) and (M,)
        Modularity of the classes in each layer.

    Returns
    -------
    ndarray of float64, shape (L, M)

    Notes
    -----
    Lu et al. 2022, figure 8 (a).

    Examples
    --------
    >>> modularity_differences([0.5, 0.25], [0.5, 1.0]).tolist()
    [[0.0, 0.5], [0.25, 0.75]]
    """
    left, right = np.asarray(first, np.float64), np.asarray(second, np.float64)
    return np.abs(left[:, None] - right)
