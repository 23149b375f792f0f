"""Which layers a rule keeps: curve and options in, kept layers out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from graphs.curves import PATIENCE, TOLERANCE, increment, plateau, running_maximum
from graphs.errors import PlanError

RuleName = Literal["increment", "running_maximum", "plateau"]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule on curves with its numbers.

    Attributes
    ----------
    name : {"increment", "running_maximum", "plateau"}
        See `graphs.curves`.
    threshold : float
        Of `increment`: what a layer must add; of `plateau`: the tolerance.
    patience : int
        Of `plateau`.
    """

    name: RuleName
    threshold: float = TOLERANCE
    patience: int = PATIENCE

    def __call__(self, curve: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return the layers to keep, ascending."""
        if self.name == "increment":
            return increment(curve, self.threshold)
        if self.name == "plateau":
            return plateau(curve, tolerance=self.threshold, patience=self.patience)
        return running_maximum(curve)

    def margins(self, curve: NDArray[np.float64]) -> NDArray[np.float64]:
        """Say how far each layer is from the other decision, shape (L,); NaN for the first.

        Above zero the rule keeps the layer (`plateau`: where enough of its neighbours add as
        little).
        """
        if self.name == "running_maximum":
            before = np.maximum.accumulate(curve)[:-1]
            return np.concatenate([[np.nan], curve[1:] - before])
        return np.concatenate([[np.nan], np.diff(curve) - self.threshold])

    def check(self, curve: NDArray[np.float64]) -> None:
        """Refuse a threshold that would keep or remove every layer.

        Raises
        ------
        PlanError
            With the range of the increments.
        """
        if self.name == "running_maximum" or len(curve) < 2:
            return
        if not np.isfinite(self.threshold):
            raise PlanError(f"--threshold {self.threshold:g} is no number", "give one such as 0.03")
        steps = np.diff(curve)
        low, high = float(steps.min()), float(steps.max())
        if not low <= self.threshold < high:
            would = "removed" if self.threshold >= high else "kept"
            given = " (the default)" if self.threshold == TOLERANCE else ""
            raise PlanError(
                f"--threshold {self.threshold:g}{given} lies outside what the layers add, "
                f"{low:.3f} to {high:.3f}: every layer would be {would}",
                "give a value between these, or a budget such as --macs 0.5 or --remove 2",
            )


def spread_of_margins(rule: Rule, curves: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sample standard deviation of the margins over curves, shape (L,); NaN for one curve."""
    rows = np.stack([rule.margins(curve) for curve in curves])
    if len(rows) < 2:
        return np.full(rows.shape[1], np.nan)
    spread: NDArray[np.float64] = rows.std(axis=0, ddof=1)
    return spread


def on_a_hair(
    names: Sequence[str], margins: NDArray[np.float64], spread: NDArray[np.float64]
) -> list[str]:
    """Name the layers whose decision is nearer to the other one than its spread."""
    return [
        name
        for name, margin, width in zip(names, margins, spread, strict=True)
        if abs(margin) < width
    ]
