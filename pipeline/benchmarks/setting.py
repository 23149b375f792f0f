"""What every benchmark is given, and what it gives back."""

import gc
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from graphs.errors import DataError
from pipeline.console import log

Seconds = tuple[float, ...]
DATA_VARIABLE = "STRATAGRAPH_DATA"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Where a benchmark works, and how large it is.

    Attributes
    ----------
    scratch : Path
        An empty folder that is removed afterwards.
    data : Path or None
        Folder of the real data sets and weights.
    quick : bool
        Small sizes and one round, which show that a benchmark works and nothing else.
    """

    scratch: Path
    data: Path | None = None
    quick: bool = False

    @property
    def rounds(self) -> int:
        """How often both sides are timed."""
        return 1 if self.quick else 3

    def size(self, full: int, *, quick: int) -> int:
        """Return one of two sizes."""
        return quick if self.quick else full


@dataclass(frozen=True, kw_only=True)
class Case:
    """One comparison.

    Attributes
    ----------
    what : str
        What is compared, in a few words.
    seconds : tuple of float
        Time of our side in each round.
    baseline : tuple of float
        Time of the other side in the same rounds; empty where there is none.
    difference : float or None
        Largest absolute difference of the two results, where both give numbers.
    agrees : bool
        Whether that difference is within what rounding allows: without it no target is reached.
    values : tuple of float
        The value of every round, where it is no time and no ratio of times.
    """

    what: str
    seconds: Seconds = ()
    baseline: Seconds = ()
    difference: float | None = None
    agrees: bool = True
    values: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Note:
    """A figure beside the comparison that has no target.

    Attributes
    ----------
    what : str
        What it is, at most 31 characters.
    value, low, high : float
        The figure, and its spread or interval where it has one.
    unit : str
        ``x``, ``s``, or nothing.
    """

    what: str
    value: float
    low: float | None = None
    high: float | None = None
    unit: str = ""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one benchmark found.

    Attributes
    ----------
    cases : tuple of Case
        At least one; the worst of them counts.
    input : str
        What was fed in: data set, weights, sizes.
    notes : tuple of Note
        Figures to print below.
    points : tuple of dict
        Everything that was measured, for the results file.
    """

    cases: tuple[Case, ...]
    input: str
    notes: tuple[Note, ...] = ()
    points: tuple[dict[str, float | str], ...] = ()


def data_folder(data: Path | None) -> Path | None:
    """Return the folder of real images and weights, where one is named.

    Parameters
    ----------
    data : Path or None
        As the user gave it; without it the environment variable STRATAGRAPH_DATA counts.

    Raises
    ------
    DataError
        When it does not exist.
    """
    named = data if data is not None else os.environ.get(DATA_VARIABLE)
    if not named:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise DataError(
            f"the data folder {folder} does not exist", f"check --data or {DATA_VARIABLE}"
        )
    return folder


def alternate(
    ours: Callable[[], object],
    baseline: Callable[[], object],
    *,
    rounds: int,
    tidy: Callable[[], object] = lambda: None,
) -> tuple[Seconds, Seconds]:
    """Time two sides in turn, the one that begins changing with every round.

    Parameters
    ----------
    ours, baseline : callable
        The two sides.
    rounds : int
        How often.
    tidy : callable
        Called before each side, untimed.

    Returns
    -------
    tuple of two tuples of float
        Seconds of our side and of the other, a round each.

    Examples
    --------
    >>> order = []
    >>> times = alternate(lambda: order.append("a"), lambda: order.append("b"), rounds=3)
    >>> "".join(order), [len(side) for side in times]
    ('abbaab', [3, 3])
    """
    sides = {"ours": ours, "baseline": baseline}
    times: dict[str, list[float]] = {name: [] for name in sides}
    order = list(sides)
    for number in range(rounds):
        gc.collect()
        for name in order:
            tidy()
            times[name].append(seconds(sides[name]))
        log.info("  round %d of %d: %s", number + 1, rounds, _told(times))
        order.reverse()
    return tuple(times["ours"]), tuple(times["baseline"])


def seconds(work: Callable[[], object]) -> float:
    """Return how long a call takes, in seconds of wall time."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _told(times: dict[str, list[float]]) -> str:
    return ", ".join(f"{name} {values[-1]:.3g} s" for name, values in times.items())
