"""How sure a share is, such as an accuracy."""

from scipy.stats import binomtest

LEVEL = 0.95


def wilson_interval(successes: int, count: int, *, level: float = LEVEL) -> tuple[float, float]:
    """Return the confidence interval of a share, after Wilson.

    Parameters
    ----------
    successes : int
        How many of them, such as images that a network gets right.
    count : int
        Of how many, at least 1.
    level : float
        Share of such intervals that hold the true value.

    Returns
    -------
    tuple of float
        Lower and upper end, within [0, 1].

    Notes
    -----
    Wilson (1927), "Probable Inference, the Law of Succession, and Statistical Inference".

    Examples
    --------
    >>> low, high = wilson_interval(9, 10)
    >>> round(low, 4), round(high, 4)
    (0.5958, 0.9821)
    """
    interval = binomtest(successes, count).proportion_ci(level, method="wilson")
    return float(interval.low), float(interval.high)
