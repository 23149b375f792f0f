"""Labels of every source in one form: int64 class numbers from 0, and a name for each."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphs.errors import DataError

# A set with more classes than this has not been numbered from 0.
MAX_CLASSES = 100_000


def check_labels(values: NDArray[Any], where: str) -> NDArray[np.int64]:
    """Class numbers of all samples, checked.

    Parameters
    ----------
    values : ndarray, shape (n,)
        What the source holds.
    where : str
        The file or set, for messages.

    Raises
    ------
    DataError
        When there are none, or one is negative, no integer or absurdly large.
    """
    if values.ndim != 1:
        raise DataError(
            f"the labels of {where} have shape {values.shape}", "give one class number a sample"
        )
    if values.size == 0:
        raise DataError(f"{where} has no samples", "choose another file or split")
    if values.dtype.kind not in "iu":
        raise DataError(
            f"the labels of {where} are {values.dtype} (first: {values[0]}), not integers",
            "number the classes from 0",
        )
    if values.min() < 0:
        first = int(np.argmax(values < 0))
        raise DataError(
            f"the label of sample {first} of {where} is {values[first]}: labels are not negative",
            "choose a split with labels, or number the classes from 0",
        )
    if values.max() >= MAX_CLASSES:
        first = int(np.argmax(values))
        raise DataError(
            f"the label of sample {first} of {where} is {values[first]}",
            "number the classes from 0 without large gaps",
        )
    return values.astype(np.int64)


def name_classes(
    labels: NDArray[np.int64], names: Sequence[str] | None, where: str
) -> tuple[str, ...]:
    """Name each class 0 ... C-1: by the given names, else by its number.

    Raises
    ------
    DataError
        When there are fewer names than classes.

    Examples
    --------
    >>> name_classes(np.array([0, 2]), None, "x.npz")
    ('0', '1', '2')
    """
    highest = int(labels.max())
    if names is None:
        return tuple(str(number) for number in range(highest + 1))
    if highest >= len(names):
        raise DataError(
            f"{where} has a sample of class {highest} but names for {len(names)} classes",
            "give a name to each class",
        )
    return tuple(str(name) for name in names)
