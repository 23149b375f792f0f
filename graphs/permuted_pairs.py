"""Weight between pairs of classes, on one graph under many permutations of the labels."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Links = tuple[NDArray[np.integer], NDArray[np.float64]]
"""Neighbours of each node, shape (n, k), and their weights, none negative."""

Compared = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Q of every permutation, shape (p,), and z of every pair of classes, shape (c, c)."""

# links, or cells of tables of classes, that are in memory at once
_BLOCK = 1 << 16
# what rounding makes of a spread that is 0
_ROUNDING = 1e-12


def pair_shares(codes: NDArray[np.intp], links: Links, *, classes: int) -> NDArray[np.float64]:
    """Observed and expected share of weight of ordered pairs of classes.

    Parameters
    ----------
    codes : ndarray of int, shape (r, n)
        Class of each node, from 0, several times over.
    links : tuple
        The directed list.
    classes : int
        c.

    Returns
    -------
    ndarray of float64, shape (r, 2, c, c)
    """
    indices, weights = links
    rows = np.arange(len(codes))[:, None, None]
    cells = (rows * classes + codes[:, :, None]) * classes + codes[:, indices]
    spread = np.broadcast_to(weights, cells.shape)
    counted = np.bincount(cells.ravel(), spread.ravel(), minlength=len(codes) * classes**2)
    shares = counted.reshape(len(codes), classes, classes)
    shares = (shares + shares.transpose(0, 2, 1)) / (2 * weights.sum())
    held = shares.sum(axis=2)
    return np.stack([shares, held[:, :, None] * held[:, None, :]], axis=1)


def compare_all(
    links: Links,
    codes: NDArray[np.intp],
    actual: NDArray[np.float64],
    *,
    permutations: int,
    seed: int,
) -> Compared:
    """Compare what is observed beyond the expected with what permuted labels give.

    Parameters
    ----------
    links : tuple
        The directed list.
    codes : ndarray of int, shape (n,)
        Class of each node, from 0.
    actual : ndarray of float64, shape (c, c)
        Observed less expected share of the ordered pairs.
    permutations, seed : int
        How many, and of which stream.

    Returns
    -------
    tuple of ndarray
        Q of the permutations; z, NaN where all give the same.
    """
    total, squares = np.zeros_like(actual), np.zeros_like(actual)
    found = []
    rows = max(1, _BLOCK // max(links[1].size, actual.size))
    for block in _permuted(codes, permutations, seed, rows=rows):
        shares = pair_shares(block, links, classes=len(actual))
        differences = shares[:, 0] - shares[:, 1]
        found.append(np.trace(differences, axis1=1, axis2=2))
        # measured from the actual value: a difference that never changes is then exactly 0
        shift = differences - actual
        total += shift.sum(axis=0)
        squares += (shift**2).sum(axis=0)
    return np.concatenate(found), _standardise(total, squares, permutations)


def compare_linked(
    links: Links,
    codes: NDArray[np.intp],
    actual: NDArray[np.float64],
    *,
    permutations: int,
    seed: int,
) -> Compared:
    """Compare as `compare_all` does, but only pairs of classes that are linked.

    Of many classes these are few beside c × c. The strength of a node does not depend on its
    label, so that Q needs no pairs at all.

    Returns
    -------
    tuple of ndarray
        Q of the permutations; z, NaN also where two classes are not linked.
    """
    (n, k), count = links[0].shape, len(actual)
    source, target = np.repeat(np.arange(n), k), links[0].ravel()
    weight = links[1].ravel() / links[1].sum()
    strength = np.bincount(np.r_[source, target], np.r_[weight, weight], minlength=n) / 2

    def number(labels: NDArray[np.intp]) -> NDArray[np.intp]:
        """Of the pair of classes at the two ends of each link."""
        ends = labels[source], labels[target]
        return np.minimum(*ends) * count + np.maximum(*ends)

    pairs = np.unique(number(codes)[weight > 0])
    first, second = np.divmod(pairs, count)
    # of what links two classes half goes each way
    ways = np.where(first == second, 1, 2)
    total, squares, found = np.zeros(len(pairs)), np.zeros(len(pairs)), []
    for permuted in _permuted(codes, permutations, seed, rows=1):
        labels = permuted[0]
        here = number(labels)
        place = np.minimum(np.searchsorted(pairs, here), len(pairs) - 1)
        known = pairs[place] == here
        shares = np.bincount(place[known], weight[known], minlength=len(pairs)) / ways
        held = np.bincount(labels, strength, minlength=count)
        inside = weight[labels[source] == labels[target]].sum()
        found.append(inside - (held**2).sum())
        shift = shares - held[first] * held[second] - actual[first, second]
        total += shift
        squares += shift**2
    z = np.full(actual.shape, np.nan)
    z[first, second] = z[second, first] = _standardise(total, squares, permutations)
    return np.array(found), z


def _permuted(
    codes: NDArray[np.intp], permutations: int, seed: int, *, rows: int
) -> Iterator[NDArray[np.intp]]:
    """Blocks of permuted codes: one after the other, whatever the size of a block."""
    generator = np.random.default_rng(seed)
    for start in range(0, permutations, rows):
        count = min(rows, permutations - start)
        yield np.stack([generator.permutation(codes) for _ in range(count)])


def _standardise(
    total: NDArray[np.float64], squares: NDArray[np.float64], count: int
) -> NDArray[np.float64]:
    """Standardise the actual value, from sums of what lies between the permuted values and it."""
    if count < 2:
        return np.full_like(total, np.nan)
    variance = np.maximum(squares - total**2 / count, 0.0) / (count - 1)
    sd = np.sqrt(variance)
    return np.divide(-total / count, sd, out=np.full_like(sd, np.nan), where=sd > _ROUNDING)
