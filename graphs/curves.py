"""Rules on curves: which layers add to the separation of the classes, and which do not."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphs.errors import GraphError

TOLERANCE = 0.03  # the gain below which a layer counts as redundant (Lu et al. 2022, Table 1)
PATIENCE = 2
PACE = 0.5  # share of a curve's mean pace below which a stretch of it stands still
_NOISE = 1e-9  # 0.53 - 0.5 is no more than 0.03


def drops(curve: ArrayLike, *, tolerance: float = TOLERANCE) -> NDArray[np.intp]:
    """Find the layers at which Q falls.

    Parameters
    ----------
    curve : array of float, shape (L,)
        Q of every layer, in order of depth.
    tolerance : float
        A fall by no more than this is none.

    Returns
    -------
    ndarray of int, shape (m,)
        Layers l with Q[l] − Q[l−1] < −tolerance, ascending.

    Raises
    ------
    GraphError
        When the curve is empty or holds NaN, or the tolerance is negative.

    Examples
    --------
    >>> drops([0.1, 0.02, 0.3, 0.29])
    array([1])
    """
    _check_tolerance(tolerance)
    steps = np.diff(_checked(curve))
    return np.flatnonzero(steps < -tolerance - _NOISE) + 1


def increment(curve: ArrayLike, threshold: float = TOLERANCE) -> NDArray[np.intp]:
    """Keep the layers that add more than a threshold to the layer before.

    Parameters
    ----------
    curve : array of float, shape (L,)
        Q of every layer, in order of depth.
    threshold : float
        Layers with Q[l] − Q[l−1] > threshold are kept.

    Returns
    -------
    ndarray of int, shape (m,)
        The kept layers, ascending. The first layer is always kept.

    Raises
    ------
    GraphError
        When the curve is empty or holds NaN, or the threshold is not finite.

    Notes
    -----
    The rule behind Lu et al. 2022, Table 1, with 0.03.

    Examples
    --------
    >>> increment([0.1, 0.02, 0.3, 0.32])
    array([0, 2])
    """
    if not np.isfinite(threshold):
        raise GraphError(f"threshold={threshold} is no number", "give one such as 0.03")
    steps = np.diff(_checked(curve), prepend=-np.inf)
    return np.flatnonzero(steps > threshold + _NOISE)


def running_maximum(curve: ArrayLike, stages: Sequence[int] | None = None) -> NDArray[np.intp]:
    """Keep the layers whose Q is above that of all layers before.

    Parameters
    ----------
    curve : array of float, shape (L,)
        Q of every layer, in order of depth.
    stages : sequence of int, optional
        Layers in each stage; they add up to L. A stage that would be left empty keeps the layer
        with its largest Q (the first of equals). Without stages nothing is kept for their sake.

    Returns
    -------
    ndarray of int, shape (m,)
        The kept layers, ascending. The first layer is always kept.

    Raises
    ------
    GraphError
        When the curve is empty or holds NaN, or the stages do not add up to it.

    Notes
    -----
    The second reading of the same rule, in the authors' released code.

    Examples
    --------
    >>> running_maximum([0.1, 0.02, 0.3, 0.2, 0.25])
    array([0, 2])
    >>> running_maximum([0.1, 0.02, 0.3, 0.2, 0.25], stages=[3, 2])
    array([0, 2, 4])
    """
    values = _checked(curve)
    before = np.concatenate([[-np.inf], np.maximum.accumulate(values)[:-1]])
    kept = values > before
    if stages is not None:
        if min(stages, default=0) < 1 or sum(stages) != len(values):
            raise GraphError(
                f"stages {list(stages)} do not add up to a curve of {len(values)} layers",
                "give how many layers each stage has",
            )
        ends = np.cumsum(stages)
        for begin, end in zip(ends - stages, ends, strict=True):
            if not kept[begin:end].any():
                kept[begin + int(np.argmax(values[begin:end]))] = True
    return np.flatnonzero(kept)


def plateau(
    curve: ArrayLike, *, tolerance: float = TOLERANCE, patience: int = PATIENCE
) -> NDArray[np.intp]:
    """Keep the layers outside stretches in which Q "drops, reaches a plateau or grows slowly".

    Parameters
    ----------
    curve : array of float, shape (L,)
        Q of every layer, in order of depth.
    tolerance : float
        A layer that adds no more than this, or takes away, adds nothing.
    patience : int
        So many layers in a row that add nothing make a stretch: a single one, such as the dip
        after the stem of a ResNet, is kept.

    Returns
    -------
    ndarray of int, shape (m,)
        The kept layers, ascending. The first layer is always kept.

    Raises
    ------
    GraphError
        When the curve is empty or holds NaN, the tolerance is negative or the patience below 1.

    Notes
    -----
    The words are those of Lu et al. 2022, section 5; the numbers are ours. With ``patience=1``
    the layers that gain more than the tolerance are kept, the rule of their Table 1.

    Examples
    --------
    >>> plateau([0.1, 0.02, 0.3, 0.6, 0.61, 0.6])
    array([0, 1, 2, 3])
    """
    _check_tolerance(tolerance)
    values = _checked(curve)
    if patience < 1:
        raise GraphError(f"patience={patience} makes no stretch of layers", "give at least 1")
    slow = np.concatenate([[False], np.diff(values) <= tolerance + _NOISE])
    # +1 where a stretch begins, -1 behind its end
    edges = np.diff(slow.astype(int), prepend=0, append=0)
    begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    kept = np.ones(len(values), dtype=bool)
    for begin, end in zip(begins, ends, strict=True):
        kept[begin:end] = end - begin < patience
    return np.flatnonzero(kept)


def mark_layers(
    curve: ArrayLike, *, tolerance: float = TOLERANCE, patience: int = PATIENCE
) -> list[str]:
    """Say of every layer whether Q drops there or stands still.

    Parameters
    ----------
    curve, tolerance, patience
        As in `plateau`.

    Returns
    -------
    list of str, length L
        ``drop`` where Q falls by more than the tolerance; ``plateau`` in stretches of `patience`
        layers or more over which Q moves by no more than the tolerance altogether, and at less
        than half the mean pace of the curve, (max − min) / (L − 1): a curve that rises steadily,
        however slowly, stands still nowhere. Else empty. A curve that as a whole moves by no more
        than the tolerance is one plateau.

    Raises
    ------
    GraphError
        As in `plateau`.

    Examples
    --------
    >>> mark_layers([0.1, 0.02, 0.3, 0.6, 0.61, 0.6])
    ['', 'drop', '', '', 'plateau', 'plateau']
    """
    plateau(curve, tolerance=tolerance, patience=patience)  # checks them
    values = np.asarray(curve, dtype=np.float64)
    marks = np.full(len(values), "", dtype=object)
    # the longest stretches first, of equals those that move least; none overlaps another
    for length, _, before in sorted(_stretches(values, tolerance=tolerance, patience=patience)):
        inside = slice(before + 1, before + 1 - length)
        if not (marks[inside] == "plateau").any():
            marks[inside] = "plateau"
    marks[drops(curve, tolerance=tolerance)] = "drop"
    return list(marks)


def _stretches(
    values: NDArray[np.float64], *, tolerance: float, patience: int
) -> Iterator[tuple[int, float, int]]:
    """Give, for each layer, minus the number of layers after it that stand still; span; layer."""
    whole = float(np.ptp(values))
    pace = PACE * whole / max(len(values) - 1, 1)
    for before in range(len(values) - patience):
        spans = np.maximum.accumulate(values[before:]) - np.minimum.accumulate(values[before:])
        steps = np.arange(len(spans))
        slow = np.full(len(spans), whole) if whole <= tolerance + _NOISE else pace * steps
        still = (spans <= np.minimum(tolerance, slow) + _NOISE) & (steps >= patience)
        if still.any():
            length = int(np.flatnonzero(still).max())
            yield -length, float(spans[length]), before


def _checked(curve: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(curve, dtype=np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise GraphError(
            f"a curve of shape {values.shape} with "
            f"{int((~np.isfinite(values)).sum())} values that are not finite cannot be judged",
            "give Q of at least one layer",
        )
    return values


def _check_tolerance(tolerance: float) -> None:
    if not tolerance >= 0:
        raise GraphError(f"tolerance={tolerance} is negative", "give 0 or more")
