"""A run in words and figures of a terminal: the curve as a table, and what it shows."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from graphs.curves import TOLERANCE, drops
from pipeline.chance_reading import chance_sentences
from pipeline.class_reading import class_sentences
from pipeline.console import listed, plural
from pipeline.sample_reading import sample_sentences

BAR_WIDTH = 30
NAME_WIDTH = 32
LINE = 79
LISTED = 6
FLAT = TOLERANCE  # the gain below which a layer counts as redundant


def mean_curve(layers: pd.DataFrame) -> pd.DataFrame:
    """Average the modularity of every layer over repeats.

    Parameters
    ----------
    layers : DataFrame
        The table `layers` of one variant.

    Returns
    -------
    DataFrame
        Columns ``layer_index, layer, modularity, spread``: mean and sample standard deviation
        (NaN for one repeat), in order of depth.
    """
    grouped = layers.groupby(["layer_index", "layer"], sort=True)["modularity"]
    frame = grouped.agg(["mean", "std"]).reset_index()
    return frame.rename(columns={"mean": "modularity", "std": "spread"})


def curve_rows(layers: pd.DataFrame) -> list[dict[str, object]]:
    """Return what `curve_table` shows, a mapping a layer.

    Parameters
    ----------
    layers : DataFrame
        The table `layers` of one variant.
    """
    further = {"modularity_z": "z", "n_communities": "communities"}
    there = [name for name in further if name in layers.columns]
    means = layers.groupby("layer_index", sort=True)[there].mean().reset_index(drop=True)
    curve = mean_curve(layers).join(means.rename(columns=further))
    return [{str(key): value for key, value in row.items()} for row in curve.to_dict("records")]


def curve_table(layers: pd.DataFrame, *, width: int = LINE) -> str:
    """Return the curve as lines of text: layer, Q with its spread over repeats, a bar.

    Where they are measured, also z of Q against permuted labels, and the number of Leiden
    communities; both in the mean over repeats.

    Parameters
    ----------
    layers : DataFrame
        The table `layers` of one variant.
    width : int
        Most characters of a line.
    """
    rows = curve_rows(layers)
    columns = {"Q": [f"{row['modularity']:.3f}" for row in rows]}
    if len(layers) > len(rows):  # repeats
        columns["± sd"] = [f"± {row['spread']:.3f}" for row in rows]
    if "z" in rows[0]:
        columns["z"] = [f"{row['z']:.0f}" for row in rows]
    if "communities" in rows[0]:
        columns["communities"] = [f"{row['communities']:.0f}" for row in rows]
    widths = {name: max(len(name), *map(len, cells)) for name, cells in columns.items()}
    room = width - 4 - sum(2 + size for size in widths.values())
    longest = max(len(str(row["layer"])) for row in rows)
    name = max(5, min(NAME_WIDTH, longest, room))
    bar = min(BAR_WIDTH, room - name - 2)
    top = max(float(layers["modularity"].max()), 1e-9)
    lines = [f"{'':>3} {'layer':<{name}}" + "".join(f"  {t:>{w}}" for t, w in widths.items())]
    for place, row in enumerate(rows):
        cells = "".join(f"  {columns[title][place]:>{size}}" for title, size in widths.items())
        filled = "█" * round(bar * max(float(str(row["modularity"])), 0.0) / top)
        lines.append(f"{row['layer_index']:>3} {_shorten(str(row['layer']), name):<{name}}{cells}"
                     f"  {filled}")  # fmt: skip
    return "\n".join(line.rstrip() for line in lines)


def reading(layers: pd.DataFrame) -> str:
    """Say in one sentence what the curve shows.

    Examples
    --------
    >>> columns = {"layer_index": [0, 1], "layer": ["a", "b"], "modularity": [0.1, 0.5]}
    >>> reading(pd.DataFrame(columns).assign(repeat=0))
    'Classes separate with depth: Q goes from 0.10 (a) to 0.50 (b); every layer adds 0.03 or more.'
    """
    curve = mean_curve(layers)
    values, names = curve["modularity"].to_numpy(), curve["layer"].tolist()
    first, last, top = float(values[0]), float(values[-1]), int(np.argmax(values))
    if len(values) == 1:
        return f"One layer, {names[0]}: Q is {first:.2f}."
    gain = last - first
    trend = (
        "Classes separate with depth" if gain > FLAT
        else "Classes do not separate with depth" if gain > -FLAT
        else "Classes mix with depth"
    )  # fmt: skip
    peak = "" if top == len(values) - 1 else f", highest at {names[top]} ({values[top]:.2f})"
    sentence = f"{trend}: Q goes from {first:.2f} ({names[0]}) to {last:.2f} ({names[-1]}){peak}"
    return f"{sentence}." if gain <= FLAT else "; ".join([sentence, *_steps(values, names)]) + "."


def paragraphs(layers: pd.DataFrame, class_pairs: pd.DataFrame, samples: pd.DataFrame) -> list[str]:
    """Say what a run shows: the curve and how sure it is, the classes, the samples.

    Parameters
    ----------
    layers, class_pairs, samples : DataFrame
        The tables of one variant.

    Returns
    -------
    list of str
        A paragraph each.
    """
    told = [
        [reading(layers), *chance_sentences(layers)],
        class_sentences(class_pairs, samples),
        sample_sentences(samples),
    ]
    return [" ".join(sentences) for sentences in told if sentences]


def _steps(values: NDArray[np.float64], names: list[str]) -> list[str]:
    """Tell steps that add little from those at which Q falls."""
    steps = np.diff(values)
    fallen = [names[at] for at in drops(values, tolerance=FLAT)]
    slow = [name for name, step in zip(names[1:], steps, strict=True) if step < FLAT]
    told = []
    if len(slow) == len(steps):
        told.append(f"no single step gains {FLAT} or more")
    elif slow and slow == fallen:
        fallen = []
        told.append(
            f"Q falls by more than {FLAT} at {listed(slow, most=LISTED)}, which may be redundant"
        )
    elif slow:
        verb = "gains" if len(slow) == 1 else "gain"
        told.append(
            f"{len(slow)} of {plural(len(steps), 'step')} {verb} less than {FLAT} and may be "
            f"redundant: {listed(slow, most=LISTED)}"
        )
    elif not fallen:
        told.append(f"every layer adds {FLAT} or more")
    if fallen:
        told.append(f"Q falls by more than {FLAT} at {listed(fallen, most=LISTED)}")
    return told


def _shorten(text: str, width: int) -> str:
    return text if len(text) <= width else "…" + text[-(width - 1) :]
