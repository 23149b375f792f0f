"""What a lesion of a module means: p-values, kinds, dependencies. Knows numbers, no network."""

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from graphs.errors import GraphError
from graphs.frames import require_columns

Kind = Literal[
    "complete",
    "small",
    "important",
    "prunable",
    "least-important",
    "significant-only",
    "different-only",
    "other",
]
SMALL = 0.05  # share of the layer's neurons up to which a module is small
POINT = 0.01  # the loss of accuracy that counts: one percentage point


def lower_tail(true: float, random: ArrayLike, *, ties: bool = True) -> float:
    """Compute the p-value that a value is as low as it is by chance.

    Parameters
    ----------
    true : float
        Measured with the module.
    random : array_like of float, shape (n,)
        Measured with random sets.
    ties : bool
        Whether equal values count against the module: (1 + #{random <= true}) / (n + 1). False
        counts only those below, as Filan et al. do: a lesion that changes nothing then looks
        significant.

    Raises
    ------
    GraphError
        When there are no random values.

    Examples
    --------
    >>> lower_tail(0.5, [0.5, 0.6, 0.7]), lower_tail(0.5, [0.5, 0.6, 0.7], ties=False)
    (0.5, 0.25)
    """
    values = np.asarray(random, np.float64)
    if values.size == 0:
        raise GraphError("there are no random sets to compare with", "draw at least one")
    below = np.count_nonzero(values <= true if ties else values < true)
    return float((1 + below) / (values.size + 1))


def upper_tail(true: float, random: ArrayLike, *, ties: bool = True) -> float:
    """Compute the p-value that a value is as high as it is by chance; see `lower_tail`.

    Examples
    --------
    >>> upper_tail(0.7, [0.5, 0.6, 0.7])
    0.5
    """
    return lower_tail(-true, -np.asarray(random, np.float64), ties=ties)


def classify(
    size: int, alive: int, *, accuracy: float, intact: float, random: ArrayLike, width: int
) -> Kind:
    """Say what kind of module a lesion shows.

    Asked in this order: *complete*, all living neurons of its layer; *small*, at most 5 % of the
    layer's width; *important*, worse than every random set and at least one percentage point
    lost; *prunable* and *least-important*, better than every random set, with less or more than a
    point lost; *significant-only*, worse than every random set, but less than a point lost;
    *different-only*, a point lost, but not more than by chance; *other*.

    Parameters
    ----------
    size, alive, width : int
        Neurons of the module; of its layer that are not dead; of its layer.
    accuracy, intact : float
        With and without the lesion.
    random : array_like of float, shape (n,)
        With lesions of random sets of the same size.

    Notes
    -----
    Filan et al. (2020), section 4; they count random sets as good as the module as better, which
    matters where lesions change nothing.

    Examples
    --------
    >>> classify(40, 256, accuracy=0.9, intact=0.98, random=[0.97, 0.96], width=256)
    'important'
    >>> classify(40, 256, accuracy=0.97, intact=0.97, random=[0.97, 0.97], width=256)
    'other'
    """
    values = np.asarray(random, np.float64)
    if size == alive:
        return "complete"
    if size <= SMALL * width:
        return "small"
    least = 1 / (values.size + 1)
    lost = round(intact - accuracy, 12) >= POINT
    if lower_tail(accuracy, values) <= least:
        return "important" if lost else "significant-only"
    if upper_tail(accuracy, values) <= least:
        return "least-important" if lost else "prunable"
    return "different-only" if lost else "other"


def class_range(changes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Measure how unevenly a lesion hits the classes.

    Parameters
    ----------
    changes : ndarray of float, shape (..., C)
        Accuracy of each class after the lesion minus before.

    Returns
    -------
    ndarray of float, shape (...)
        Largest minus smallest change, divided by the mean absolute change; 0 where nothing changes.

    Notes
    -----
    Hod et al. (2021), class-wise range; they divide by the mean change, which may be 0.

    Examples
    --------
    >>> class_range(np.array([[-0.4, 0.0], [0.0, 0.0]])).tolist()
    [2.0, 0.0]
    """
    spread = np.ptp(changes, axis=-1)
    size = np.abs(changes).mean(axis=-1)
    shares = np.divide(spread, size, out=np.zeros_like(spread), where=size > 0)
    return np.asarray(shares, np.float64)


def combine(p: ArrayLike, n: int) -> float:
    """Combine the p-values of a network's modules by Fisher's method.

    Parameters
    ----------
    p : array_like of float
        Of each module, from `n` random sets.
    n : int
        Random sets of each. Half a step is taken off every p (mid-p), as they are discrete.

    Returns
    -------
    float
        Descriptive: the modules of a layer are complements of one another, not independent. NaN
        without modules.

    Notes
    -----
    Fisher (1925); mid-p as in Hod et al. (2021).

    Examples
    --------
    >>> round(combine([0.5], 1), 12)
    0.25
    """
    values = np.asarray(p, np.float64)
    if values.size == 0:
        return float("nan")
    return float(stats.combine_pvalues(values - 1 / (2 * (n + 1)), method="fisher").pvalue)


Dependency = Literal["one-path", "later-on-earlier", "earlier-through-later", "none"]


def dependency(*, earlier_matters: bool, later_matters: bool) -> Dependency:
    """Say how two important modules depend on one another.

    Parameters
    ----------
    earlier_matters : bool
        Whether the module of the earlier layer is still important when the later one is out.
    later_matters : bool
        The other way round.

    Returns
    -------
    str
        Neither: both lie on one path (type I). Only the earlier one: the later one has its input
        from it alone (II). Only the later one: the earlier one works through it alone (III). Both:
        ``none``, nothing can be said (IV).

    Notes
    -----
    Filan et al. (2020), appendix on double lesions.

    Examples
    --------
    >>> dependency(earlier_matters=False, later_matters=True)
    'earlier-through-later'
    """
    if earlier_matters:
        return "none" if later_matters else "later-on-earlier"
    return "earlier-through-later" if later_matters else "one-path"


def summarize_lesions(lesions: pd.DataFrame) -> dict[str, int]:
    """Count the kinds of modules, the most frequent first.

    Examples
    --------
    >>> summarize_lesions(pd.DataFrame({"kind": ["small", "important", "important"]}))
    {'important': 2, 'small': 1}
    """
    require_columns(lesions, "lesions", ["kind"])
    counts = lesions["kind"].value_counts(sort=False)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    return {str(kind): int(count) for kind, count in ordered}


def lesion_table(sets: pd.DataFrame) -> pd.DataFrame:
    """Compare each module with its random sets.

    Parameters
    ----------
    sets : DataFrame
        The table ``lesion_sets``.

    Returns
    -------
    DataFrame
        The table ``lesions``: one row a module, in the order of layers and clusters. ``p`` counts
        ties against the module, ``p_published`` does not. ``p_class`` is that of the unweighted
        mean over classes, ``p_range`` that of the class-wise range (right-sided).

    Raises
    ------
    TableError
        When a column is missing or the table has no rows.
    """
    needed = ["layer_index", "layer", "module", "set", "size", "alive", "width", "intact"]
    measured = ["accuracy", "mean_class_accuracy", "class_range"]
    require_columns(sets, "lesion_sets", needed + measured)
    rows = [
        {"layer_index": place, "layer": layer, "module": module, **_row(part)}
        for (place, layer, module), part in sets.groupby(["layer_index", "layer", "module"])
    ]
    return pd.DataFrame(rows)


def _row(part: pd.DataFrame) -> dict[str, object]:
    own, drawn = part[part["set"] < 0].iloc[0], part[part["set"] >= 0]
    random = drawn["accuracy"].to_numpy()
    sd = float(random.std())
    return {
        "size": own["size"],
        "alive": own["alive"],
        "kind": classify(
            int(own["size"]),
            int(own["alive"]),
            accuracy=own["accuracy"],
            intact=own["intact"],
            random=random,
            width=int(own["width"]),
        ),
        "intact": own["intact"],
        "accuracy": own["accuracy"],
        "lost": own["intact"] - own["accuracy"],
        "random_mean": random.mean(),
        "random_sd": sd,
        "random_low": random.min(),
        "random_high": random.max(),
        "n_random": len(random),
        "z": (own["accuracy"] - random.mean()) / sd if sd > 0 else np.nan,
        "p": lower_tail(own["accuracy"], random),
        "p_published": lower_tail(own["accuracy"], random, ties=False),
        "p_class": lower_tail(own["mean_class_accuracy"], drawn["mean_class_accuracy"]),
        "class_range": own["class_range"],
        "p_range": upper_tail(own["class_range"], drawn["class_range"]),
    }
