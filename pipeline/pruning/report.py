"""What pruning came to, for people: a table and one honest sentence."""

import pandas as pd

TITLES = ("network", "accuracy", "95 % interval", "params", "MACs", "1 image", "64 images")
SIGNIFICANT = ((1e9, " G"), (1e6, " M"), (1e3, " k"), (1, ""))


def lay_out(table: pd.DataFrame) -> str:
    """Return the table ``prune`` as text, at most 80 characters a line.

    Parameters
    ----------
    table : DataFrame
        The table.
    """
    numbered = int(table["step"].max()) > 1
    rows = [TITLES, *(_cells(row, numbered=numbered) for _, row in table.iterrows())]
    widths = [max(len(row[place]) for row in rows) for place in range(len(TITLES))]
    lines = ["  ".join(map(str.rjust, row, widths)) for row in rows]
    first = widths[0]
    return "\n".join(line[:first].strip().ljust(first) + line[first:] for line in lines)


def _cells(row: pd.Series, *, numbered: bool) -> tuple[str, ...]:
    return (
        f"{row['state']} {row['step']}" if numbered and row["step"] else row["state"],
        f"{row['accuracy']:.2%}",
        f"{100 * row['accuracy_low']:.2f} to {100 * row['accuracy_high']:.2f}",
        _short(row["parameters"]),
        _short(row["macs"]),
        _time(row["seconds_1"]),
        _time(row["seconds_64"]),
    )


def _time(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def _short(count: float) -> str:
    size, unit = next(pair for pair in SIGNIFICANT if count >= pair[0] or pair[0] == 1)
    return f"{count / size:#.4g}{unit}" if size > 1 else str(int(count))


def read_result(table: pd.DataFrame) -> str:
    """Say what the tuned network is beside the original.

    Parameters
    ----------
    table : DataFrame
        The table ``prune``: the original first, the tuned network last.

    Returns
    -------
    str
        One sentence.

    Examples
    --------
    >>> first = {"accuracy": 0.9, "accuracy_low": 0.88, "accuracy_high": 0.92}
    >>> first |= {"parameters": 200, "macs": 1000, "device": "a processor"}
    >>> first |= {"seconds_1_low": 3.9e-3, "seconds_1_high": 4.1e-3}
    >>> last = first | {"accuracy": 0.89, "parameters": 150, "macs": 500, "speedup_1": 2.0}
    >>> last |= {"seconds_1_low": 1.9e-3, "seconds_1_high": 2.1e-3}
    >>> print(read_result(pd.DataFrame([first, last])))
    The tuned network's accuracy is 1.00 points below the original's, within that one's 95 % \
interval of 88.00 to 92.00 %; it has 25.0 % fewer parameters and 50.0 % fewer \
multiply-accumulates, and is 2.00 times faster with one image on a processor.
    """
    first, last = table.iloc[0], table.iloc[-1]
    points = 100 * (last["accuracy"] - first["accuracy"])
    where = "above" if points > 0 else "below"
    inside = first["accuracy_low"] <= last["accuracy"] <= first["accuracy_high"]
    saved = [100 * (1 - last[name] / first[name]) for name in ("parameters", "macs")]
    level = f"{abs(points):.2f} points {where}" if points else "equal to"
    return (
        f"The tuned network's accuracy is {level} the original's, "
        f"{'within' if inside else 'outside'} that one's 95 % interval of "
        f"{100 * first['accuracy_low']:.2f} to {100 * first['accuracy_high']:.2f} %; it has "
        f"{saved[0]:.1f} % fewer parameters and {saved[1]:.1f} % fewer multiply-accumulates, and "
        f"is {_speed(first, last)} with one image on {last['device']}.{_best_step(table)}"
    )


def _best_step(table: pd.DataFrame) -> str:
    """Say which step was better than the last, where one was."""
    if "state" not in table.columns:
        return ""
    tuned = table[table["state"] == "tuned"]
    best = tuned.iloc[int(tuned["accuracy"].to_numpy().argmax())]
    if best["accuracy"] <= tuned["accuracy"].iloc[-1]:
        return ""
    return (
        f" Step {best['step']} was better, {best['accuracy']:.2%}: its weights are in "
        f"tuning/{best['step']:02d}, with the layers up to there removed."
    )


def _speed(first: pd.Series, last: pd.Series) -> str:
    ratio = last["speedup_1"]
    apart = (
        last["seconds_1_high"] < first["seconds_1_low"]
        or first["seconds_1_high"] < last["seconds_1_low"]
    )
    if not apart:
        return f"not measurably faster or slower (ratio {ratio:.2f}, quartiles overlap)"
    return f"{ratio:.2f} times faster" if ratio > 1 else f"{1 / ratio:.2f} times slower"
