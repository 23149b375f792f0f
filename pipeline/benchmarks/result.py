"""From times to a verdict: ratios, their median, and whether the target is reached."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Final, Literal

from pipeline.benchmarks.setting import Case, Measured, Setting

Kind = Literal["speed-up", "overhead", "seconds", "share", "excess"]
UNITS: Final[Mapping[Kind, str]] = {
    "speed-up": "x", "overhead": "x", "seconds": "s", "share": "x", "excess": "",
}  # fmt: skip
# The whole cannot take less time than its part: a ratio below this was measured on a busy machine.
LEAST_OVERHEAD = 0.95


@dataclass(frozen=True)
class Benchmark:
    """One benchmark: what it measures and what it should reach.

    Attributes
    ----------
    kind : {"speed-up", "overhead", "seconds", "share", "excess"}
        Time of the other side over ours (more is better), ours over the other's (less is better),
        or the time itself (less is better); `Case.values`, as a share of what is allowed, or by how
        much an exponent is above the expected one (less is better).
    target : float
        The number to reach.
    what : str
        What is compared, at most 32 characters.
    measure : callable
        Does it.
    """

    kind: Kind
    target: float
    what: str
    measure: Callable[[Setting], Measured]

    @property
    def unit(self) -> str:
        """``x`` for ratios, ``s`` for seconds."""
        return UNITS[self.kind]

    @property
    def relation(self) -> str:
        """How a value that reaches the target stands to it."""
        return ">=" if self.kind == "speed-up" else "<="

    def believes(self, value: float) -> bool:
        """Return whether a value can be right at all."""
        return self.kind != "overhead" or value >= LEAST_OVERHEAD

    def reaches(self, value: float) -> bool:
        """Return whether a value reaches the target."""
        return value >= self.target if self.relation == ">=" else value <= self.target


def case_values(case: Case, kind: Kind) -> list[float]:
    """Return the value of every round: a ratio of times that were measured side by side.

    Examples
    --------
    >>> case = Case(what="sum", seconds=(2.0, 1.0), baseline=(8.0, 5.0))
    >>> case_values(case, "speed-up"), case_values(case, "overhead")
    ([4.0, 5.0], [0.25, 0.2])
    """
    if case.values or kind == "seconds":
        return list(case.values or case.seconds)
    pairs = list(zip(case.seconds, case.baseline, strict=True))
    if kind == "speed-up":
        return [baseline / ours for ours, baseline in pairs]
    return [ours / baseline for ours, baseline in pairs]


def summarize(
    name: str, benchmark: Benchmark, measured: Measured, *, quick: bool
) -> dict[str, Any]:
    """Return one benchmark's row of the results file.

    Value, low and high are those of the worst case; `cases` has all of them. A target is reached
    when every case reaches it and gives the right numbers; after a quick run, or with a value that
    cannot be right, `reached` is None.

    Parameters
    ----------
    name : str
        Its id.
    benchmark : Benchmark
        Its target.
    measured : Measured
        What it found.
    quick : bool
        Whether the sizes were small.
    """
    cases = [_describe(case, benchmark) for case in measured.cases]
    worst = (min if benchmark.relation == ">=" else max)(cases, key=lambda case: case["value"])
    reached = all(
        benchmark.reaches(described["value"]) and case.agrees
        for described, case in zip(cases, measured.cases, strict=True)
    )
    certain = not quick and all(benchmark.believes(case["value"]) for case in cases)
    return {
        "id": name,
        "what": benchmark.what,
        "value": worst["value"],
        "target": benchmark.target,
        "relation": benchmark.relation,
        "reached": reached if certain else None,
        "unit": benchmark.unit,
        "kind": benchmark.kind,
        "rounds": len(worst["seconds"]) or 1,
        "low": worst["low"],
        "high": worst["high"],
        "seconds": worst["seconds"],
        "baseline_seconds": worst["baseline_seconds"],
        "quick": quick,
        "input": measured.input,
        "cases": cases,
        "notes": [asdict(note) for note in measured.notes],
        "points": list(measured.points),
    }


def _describe(case: Case, benchmark: Benchmark) -> dict[str, Any]:
    values = case_values(case, benchmark.kind)
    return {
        "what": case.what,
        "value": median(values),
        "low": min(values),
        "high": max(values),
        "seconds": list(case.seconds),
        "baseline_seconds": list(case.baseline),
        "difference": case.difference,
        "agrees": case.agrees,
    }
