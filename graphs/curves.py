"""Rules on curves: which layers add to the separation of the classes, and which do not."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphs.errors import GraphError

TOLERANCE = 0.03  # the gain below which a layer counts as redundant (Lu et al. 2022, Table 1)
PATIENCE = 2


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
    steps = np.diff(_checked(curve, tolerance))
    return np.flatnonzero(steps < -tolerance) + 1


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
    values = _checked(curve, tolerance)
    if patience < 1:
        raise GraphError(f"patience={patience} makes no stretch of layers", "give at least 1")
    slow = np.concatenate([[False], np.diff(values) <= tolerance])
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
        ``drop`` where Q falls by more than the tolerance; ``plateau`` where it moves by no more
        than the tolerance altogether, over `patience` layers or more; else empty. A curve that
        rises slowly, but rises, has no plateau.

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
    for before in range(len(values)):
        low = np.minimum.accumulate(values[before:])
        high = np.maximum.accumulate(values[before:])
        length = int(np.count_nonzero(high - low <= tolerance)) - 1
        if length >= patience:
            marks[before + 1 : before + 1 + length] = "plateau"
    marks[drops(curve, tolerance=tolerance)] = "drop"
    return list(marks)


def _checked(curve: ArrayLike, tolerance: float) -> NDArray[np.float64]:
    values = np.asarray(curve, dtype=np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise GraphError(
            f"a curve of shape {values.shape} with "
            f"{int((~np.isfinite(values)).sum())} values that are not finite cannot be judged",
            "give Q of at least one layer",
        )
    if not tolerance >= 0:
        raise GraphError(f"tolerance={tolerance} is negative", "give 0 or more")
    return values
