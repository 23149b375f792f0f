"""Local Search: changes the few pixels that matter most, without gradients.

Source: Narodytska & Kasiviswanathan, *Simple Black-Box Adversarial Attacks on Deep Neural
Networks* (CVPR workshops 2017), algorithm LocSearchAdv.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]
Places = NDArray[np.int64]
Predict = Callable[[Pixels], Pixels]
LOW, HIGH = -0.5, 0.5  # of the images that the algorithm works on


@dataclass(frozen=True, kw_only=True)
class LocalSearch:
    """What the search goes by; the defaults are AdverTorch's.

    Attributes
    ----------
    p : float
        Brightness that a pixel is tried with: p times the sign of each of its values.
    r : float
        Factor by which the best pixels are changed, from 0 to 2; what leaves the range comes
        back at its other end.
    d : int
        Half the side of the square around a changed pixel that is tried in the next round.
    t : int
        Pixels changed in a round.
    rounds : int
        The most rounds.
    share : float
        Of all pixels, tried in the first round.
    most : int
        The most pixels tried in a round, drawn at random where there are more.
    """

    p: float = 1.0
    r: float = 1.5
    d: int = 5
    t: int = 5
    rounds: int = 10
    share: float = 0.1
    most: int = 128

    def attack(
        self, predict: Predict, image: Pixels, label: int, *, generator: np.random.Generator
    ) -> Pixels:
        """Change an image until it is not taken for its class any more.

        In a round every candidate pixel is tried alone on the image as it is by then; the t that
        lower the probability of the class most are changed for good, and the squares around them
        hold the next candidates.

        Parameters
        ----------
        predict : callable
            From images (b, C, H, W) to logits (b, classes). Tried images leave [0, 1] where
            ``p > 0.5``, as in the paper; the result does not.
        image : ndarray of float32, shape (C, H, W)
            Values in [0, 1].
        label : int
            Its class.
        generator : Generator
            Draws the candidates.

        Returns
        -------
        ndarray of float32, shape (C, H, W)
            The changed image, whether or not that sufficed.

        Examples
        --------
        >>> def predict(images):  # class 0 where the corner is below 0.75
        ...     corner = images[:, 0, 0, 0]
        ...     return np.stack([0.75 - corner, corner - 0.75], axis=1)
        >>> image = np.full((1, 2, 2), 0.7, np.float32)
        >>> search = LocalSearch(t=1, share=1.0)
        >>> found = search.attack(predict, image, 0, generator=np.random.default_rng(0))
        >>> (found > 0.75).tolist()
        [[[True, False], [False, False]]]
        """
        height, width = image.shape[1:]
        start = image - np.float32(0.5)
        current = start.copy()
        count = max(1, int(self.share * height * width))
        candidates = generator.permutation(height * width)[:count]
        for _ in range(self.rounds):
            if len(candidates) > self.most:
                candidates = generator.permutation(candidates)
            candidates = candidates[: self.most]
            chosen = candidates[self._rank(predict, current, candidates, label)]
            rows, columns = np.divmod(chosen, width)
            current[:, rows, columns] = cyclic(current[:, rows, columns], self.r)
            # what was not changed stays as it is, to the last bit
            found = np.where(current == start, image, current + np.float32(0.5))
            if int(np.argmax(predict(found[None]), axis=1)[0]) != label:
                break
            candidates = around(chosen, self.d, shape=(height, width))
        return found

    def _rank(self, predict: Predict, current: Pixels, candidates: Places, label: int) -> Places:
        """Return the positions of the t candidates that lower the class's probability most."""
        rows, columns = np.divmod(candidates, current.shape[2])
        tried = np.repeat(current[None], len(candidates), axis=0)
        number = np.arange(len(candidates))
        tried[number, :, rows, columns] = self.p * np.sign(current[:, rows, columns].T)
        scores = softmax(predict(tried + np.float32(0.5)))[:, label]
        return np.argsort(scores, kind="stable")[: self.t]


def cyclic(values: Pixels, r: float) -> Pixels:
    """Multiply by r; what leaves [−0.5, 0.5] comes back at the other end.

    Examples
    --------
    >>> cyclic(np.array([0.2, 0.4, -0.4]), 1.5).round(3).tolist()
    [0.3, -0.4, 0.4]
    """
    changed = r * values
    width = HIGH - LOW
    back = np.where(changed > HIGH, changed - width, changed)
    found: Pixels = np.where(changed < LOW, changed + width, back).astype(values.dtype)
    return found


def around(places: Places, d: int, *, shape: tuple[int, int]) -> Places:
    """Return the places in squares of side 2d + 1 around some, ascending, each once.

    Examples
    --------
    >>> around(np.array([0]), 1, shape=(3, 4)).tolist()
    [0, 1, 4, 5]
    """
    width = shape[1]
    near = np.zeros(shape, dtype=bool)
    for row, column in zip(*np.divmod(places, width), strict=True):
        near[max(0, row - d) : row + d + 1, max(0, column - d) : column + d + 1] = True
    return np.flatnonzero(near)


def softmax(logits: Pixels) -> Pixels:
    """Turn logits (n, classes) into probabilities.

    Examples
    --------
    >>> softmax(np.zeros((1, 4))).tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: Pixels = powers / powers.sum(axis=1, keepdims=True)
    return found
