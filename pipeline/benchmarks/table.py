"""Results as lines of at most 80 characters."""

from typing import Any

HEADER = f"{'id':<4}{'what':<33}{'value':>8}  {'spread':<17}{'target':<9}reached"
HUNDRED, SMALL = 100, 0.1
REACHED = {True: "yes", False: "no", None: "-"}


def row_lines(row: dict[str, Any]) -> list[str]:
    """Return the lines of one benchmark: its value, each case of several, figures beside it.

    Parameters
    ----------
    row : dict
        As `pipeline.benchmarks.result.summarize` gives it.

    Examples
    --------
    >>> case = {"what": "sum", "value": 4.5, "low": 4.0, "high": 5.0}
    >>> row = case | {"id": "P0", "unit": "x", "relation": ">=", "target": 3, "reached": True}
    >>> row_lines(row | {"cases": [case], "notes": []})
    ['P0  sum                                  4.5x  4 to 5           >= 3x    yes']
    """
    unit = row["unit"]
    verdict = f"{row['relation']} {row['target']:g}{unit}"
    lines = [_line(row["id"], row, unit) + f"{verdict:<9}{REACHED[row['reached']]}"]
    if len(row["cases"]) > 1:
        lines += [_line("", case | {"what": f"  {case['what']}"}, unit) for case in row["cases"]]
    lines += [
        _line("", note | {"what": f"  {note['what']}"}, note["unit"]) for note in row["notes"]
    ]
    return [line.rstrip() for line in lines]


def _line(name: str, values: dict[str, Any], unit: str) -> str:
    spread = ""
    if values["low"] is not None:
        spread = f"{_number(values['low'])} to {_number(values['high'])}"
    return f"{name:<4}{values['what']:<33}{_number(values['value']) + unit:>8}  {spread:<17}"


def _number(value: float) -> str:
    """Three digits, two of a small number, never an exponent but for next to nothing."""
    if abs(value) >= HUNDRED:
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) >= SMALL else f"{value:.2g}"
