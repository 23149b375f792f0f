"""Linear CKA of many layers at once: Gram matrices of batches in, sums of HSIC out.

Sources: Kornblith et al. 2019, "Similarity of Neural Network Representations Revisited", eq. 3
and 4 (biased HSIC, CKA); Song et al. 2012, "Feature Selection via Dependence Maximization", eq. 5
(unbiased HSIC); Nguyen, Raghu & Kornblith 2021, "Do Wide and Deep Networks Learn the Same Things?",
eq. 3 to 5 (CKA from batches: HSIC is averaged over batches, then divided).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphs.errors import ActivationError, GraphError
from graphs.row_batches import FEWEST

Estimator = Literal["unbiased", "biased"]
# bytes of float64 that are worked on at a time: columns of a wide layer
CHUNK_BYTES = 4 << 20
_NOTHING = -(10**6)  # exponent of a layer that never varied
# what rounding leaves of a Gram matrix that centring should take away entirely, squared
_ROUNDING = 1e-24


@dataclass(frozen=True, kw_only=True, eq=False)
class Gram:
    """Products of the centred features of some samples, without their scale.

    Attributes
    ----------
    values : ndarray of float64, shape (b, b)
        The Gram matrix is ``values`` · 4^``exponent``: features of 1e30 do not overflow.
    exponent : int
        Features were divided by 2^exponent.
    """

    values: NDArray[np.float64]
    exponent: int


def feature_gram(features: ArrayLike) -> Gram:
    """Multiply the centred features of samples with one another, in float64.

    Parameters
    ----------
    features : array of float, shape (b, D)
        Features of one layer. Wide layers are worked on some columns at a time.

    Returns
    -------
    Gram
        All zero, exactly, where features do not vary.

    Raises
    ------
    ActivationError
        When a number is NaN or infinite.

    Examples
    --------
    >>> gram = feature_gram([[0.0, 1.0], [4.0, 1.0]])
    >>> gram.values * 4.0**gram.exponent
    array([[ 4., -4.],
           [-4.,  4.]])
    """
    rows = np.asarray(features)
    samples, width = rows.shape
    total, exponent = np.zeros((samples, samples)), _NOTHING
    step = max(1, CHUNK_BYTES // (8 * max(1, samples)))
    for start in range(0, width, step):
        part, own = _varying(rows[:, start : start + step])
        if own == _NOTHING:
            continue
        if own > exponent:
            total = np.ldexp(total, 2 * (exponent - own))
            exponent = own
        part = np.ldexp(part, own - exponent)
        total += part @ part.T
    return Gram(values=total, exponent=exponent)


def _varying(columns: NDArray[np.floating]) -> tuple[NDArray[np.float64], int]:
    """Return centred columns with entries below 2, and the power of two that was taken out."""
    part = columns.astype(np.float64)
    largest = float(np.abs(part).max(initial=0.0))
    if not np.isfinite(largest):
        raise ActivationError("the features hold NaN or infinity", "look at the layer")
    outer = int(np.frexp(largest)[1])
    part = np.ldexp(part, -outer)
    # the first row before the mean: a constant column becomes exactly zero, not its rounding
    part -= part[0].copy()
    spread = float(np.abs(part).max(initial=0.0))
    if not spread:
        return part, _NOTHING
    inner = int(np.frexp(spread)[1])
    part = np.ldexp(part, -inner)
    part -= part.mean(axis=0)
    return part, outer + inner


class CkaSums:
    """HSIC between all pairs of layers, summed over batches; their quotient is CKA.

    Parameters
    ----------
    layers : int
        Number of layers, L.
    estimator : {"unbiased", "biased"}
        Of HSIC. The biased one (Kornblith et al. 2019) grows towards 1 as features outnumber the
        samples of a batch: it is for comparison.

    Examples
    --------
    >>> sums = CkaSums(2)
    >>> rows = np.random.default_rng(0).normal(size=(8, 3))
    >>> sums.add([feature_gram(rows), feature_gram(5 * rows)])
    >>> np.round(sums.cka(), 12).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """

    def __init__(self, layers: int, *, estimator: Estimator = "unbiased") -> None:
        self._estimator = estimator
        self._weight = 0
        self._sums = np.zeros((layers, layers))
        self._sizes = np.zeros(layers)  # of the Gram matrices before centring
        self._exponents = np.full(layers, _NOTHING)

    def add(self, grams: Sequence[Gram]) -> None:
        """Add a batch: the Gram matrix of the same samples in every layer.

        Batches count by their samples.

        Raises
        ------
        GraphError
            When layers differ in their samples, or there are fewer than 4 (2, if biased).
        """
        n = self._require_fit(grams)
        stack = np.empty((len(grams), n * n))
        sizes = np.empty(len(grams))
        for place, gram in enumerate(grams):
            centred, sizes[place] = self._centre(gram.values)
            stack[place] = centred.ravel()
        own = np.array([gram.exponent for gram in grams])
        top = np.maximum(own, self._exponents)
        # powers of two: no digit is lost, and what underflows is nothing beside the rest
        earlier, now = 2 * (self._exponents - top), 2 * (own - top)
        stack = np.ldexp(stack, now[:, None])
        weight = n / (n * (n - 3) if self._estimator == "unbiased" else (n - 1) ** 2)
        self._sums = np.ldexp(self._sums, earlier[:, None] + earlier) + weight * (stack @ stack.T)
        self._sizes = np.ldexp(self._sizes, 2 * earlier) + weight * np.ldexp(sizes, 2 * now)
        self._exponents = top
        self._weight += n

    def hsic(self) -> NDArray[np.float64]:
        """Return HSIC between all pairs of layers, shape (L, L): the mean over batches."""
        scale = 2 * (self._exponents[:, None] + self._exponents)
        return np.ldexp(self._sums / self._weight, np.where(self._sums == 0, 0, scale))

    def cka(self) -> NDArray[np.float64]:
        """Return CKA of all pairs of layers, shape (L, L), in [-1, 1].

        NaN for a layer whose features do not vary between samples, up to rounding: it has no
        similarity with anything.
        """
        own = np.diag(self._sums)
        varies = own > _ROUNDING * self._sizes
        known = np.where(varies, own, np.nan)
        found: NDArray[np.float64] = self._sums / np.sqrt(known[:, None] * known)
        return found.clip(-1.0, 1.0)

    def _centre(self, values: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        """Return a matrix whose products with others are HSIC, and the size of the Gram matrix."""
        if self._estimator == "biased":  # features are centred already, and so are rows
            return values, float(np.square(values).sum())
        n = len(values)
        centred = values.copy()
        np.fill_diagonal(centred, 0.0)
        size = float(np.square(centred).sum())
        # Song's three terms are one product of matrices that are centred this way (Székely &
        # Rizzo 2014, "Partial distance correlation with methods for dissimilarities")
        rows = centred.sum(axis=1)
        centred -= (rows[:, None] + rows) / (n - 2) - rows.sum() / ((n - 1) * (n - 2))
        np.fill_diagonal(centred, 0.0)
        return centred, size

    def _require_fit(self, grams: Sequence[Gram]) -> int:
        sizes = sorted({len(gram.values) for gram in grams})
        if len(grams) != len(self._sums) or len(sizes) != 1:
            raise GraphError(
                f"{len(grams)} Gram matrices of {sizes} samples where {len(self._sums)} layers of "
                "the same samples are compared",
                "give every layer's features of the same samples",
            )
        fewest = FEWEST if self._estimator == "unbiased" else 2
        if sizes[0] < fewest:
            raise GraphError(
                f"the {self._estimator} estimator of HSIC needs at least {fewest} samples, there "
                f"are {sizes[0]}",
                "take more samples",
            )
        return sizes[0]
