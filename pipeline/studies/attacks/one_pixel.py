"""OnePixel: changes one pixel, or a few, found by differential evolution, without gradients.

Source: Su, Vargas & Sakurai, *One Pixel Attack for Fooling Deep Neural Networks* (IEEE Transactions
on Evolutionary Computation 2019), section III.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import differential_evolution
from scipy.special import logsumexp

Pixels = NDArray[np.float32]
Genes = NDArray[np.float64]
Predict = Callable[[Pixels], Pixels]
SCALE = 0.5  # F, of the difference of two candidates
MIDDLE, SPREAD = 128 / 255, 127 / 255  # of the first colours


class _Wrong(Exception):  # noqa: N818 (no error: the search ends here)
    """Carries the first image that is not taken for its class any more."""


@dataclass(frozen=True, kw_only=True)
class OnePixel:
    """What the search goes by; the defaults are the paper's.

    Attributes
    ----------
    pixels : int
        How many may change.
    generations : int
        After the first one, at most.
    population : int
        Candidates in a generation, at least 5.
    """

    pixels: int = 1
    generations: int = 100
    population: int = 400

    def attack(
        self, predict: Predict, image: Pixels, label: int, *, generator: np.random.Generator
    ) -> Pixels:
        """Change an image until it is not taken for its class any more.

        A candidate is a place and a colour for every pixel. Each generation makes of every
        candidate a new one, x1 + (x2 - x3) / 2 of three others, which stays where the class becomes
        less probable. The search ends with the first image that is taken for another class.

        Parameters
        ----------
        predict : callable
            From images (b, C, H, W) to logits (b, classes).
        image : ndarray of float32, shape (C, H, W)
            Values in [0, 1].
        label : int
            Its class.
        generator : Generator
            Of the first candidates, and of the evolution.

        Returns
        -------
        ndarray of float32, shape (C, H, W)
            The changed image; as it was, where none was found. Colours are multiples of 1/255.

        Examples
        --------
        >>> def predict(images):  # class 0 while nothing is bright
        ...     most = images.max(axis=(1, 2, 3))
        ...     return np.stack([0.9 - most, most - 0.9], axis=1)
        >>> dark = np.zeros((1, 4, 4), np.float32)
        >>> found = OnePixel().attack(predict, dark, 0, generator=np.random.default_rng(0))
        >>> int((found > 0.9).sum()), int((found == 0).sum())
        (1, 15)
        """

        def lead(genes: Genes) -> NDArray[np.floating]:
            tried = paint(image, genes.T)
            logits = predict(tried)
            wrong = np.flatnonzero(np.argmax(logits, axis=1) != label)
            if len(wrong):
                raise _Wrong(tried[wrong[0]])
            return lead_of(logits, label)

        channels, height, width = image.shape
        first = self._first_generation(image.shape, generator)
        try:
            differential_evolution(
                lead,
                [(0, height), (0, width), *[(0, 1)] * channels] * self.pixels,
                init=first,
                strategy="rand1bin",
                mutation=SCALE,
                recombination=1,
                maxiter=self.generations,
                # never done before the last generation, even where all candidates are equal
                tol=0,
                atol=-1,
                polish=False,
                updating="deferred",
                vectorized=True,
                rng=generator,
            )
        except _Wrong as found:
            changed: Pixels = found.args[0]
            return changed
        return image.copy()

    def _first_generation(
        self, shape: tuple[int, ...], generator: np.random.Generator
    ) -> NDArray[np.float64]:
        """Draw places anywhere, and colours around grey; shape (population, genes)."""
        channels, height, width = shape
        size = (self.population, self.pixels)
        places = [generator.uniform(0, side, size) for side in (height, width)]
        colours = [np.clip(generator.normal(MIDDLE, SPREAD, size), 0, 1) for _ in range(channels)]
        return np.stack([*places, *colours], axis=2).reshape(self.population, -1)


def lead_of(logits: Pixels, label: int) -> NDArray[np.float64]:
    """Return log(p / (1 - p)) of a class: ordered as its probability p, which float32 rounds to 1.

    Parameters
    ----------
    logits : ndarray of float32, shape (n, classes)
        What the network gives.
    label : int
        The class.

    Returns
    -------
    ndarray of float64, shape (n,)

    Examples
    --------
    >>> lead_of(np.array([[40.0, 0.0], [41.0, 0.0]], np.float32), 0).tolist()
    [40.0, 41.0]
    """
    wide = logits.astype(np.float64)
    found: NDArray[np.float64] = wide[:, label] - logsumexp(np.delete(wide, label, axis=1), axis=1)
    return found


def paint(image: Pixels, genes: Genes) -> Pixels:
    """Put the pixels of every candidate on a copy of an image.

    Parameters
    ----------
    image : ndarray of float32, shape (C, H, W)
        Values in [0, 1].
    genes : ndarray of float64, shape (n, pixels * (2 + C))
        Row, column and colour of each pixel; a later pixel covers an earlier one.

    Returns
    -------
    ndarray of float32, shape (n, C, H, W)
        The images.

    Examples
    --------
    >>> paint(np.zeros((1, 2, 2), np.float32), np.array([[1.7, 0.2, 0.999]])).tolist()
    [[[[0.0, 0.0], [1.0, 0.0]]]]
    """
    channels, height, width = image.shape
    painted = np.repeat(image[None], len(genes), axis=0)
    each = np.arange(len(genes))
    for pixel in np.split(genes, genes.shape[1] // (2 + channels), axis=1):
        rows, columns = (  # the end of the range is allowed
            np.minimum(pixel[:, axis].astype(int), side - 1)
            for axis, side in enumerate((height, width))
        )
        painted[each, :, rows, columns] = np.round(pixel[:, 2:] * 255) / 255
    return painted
