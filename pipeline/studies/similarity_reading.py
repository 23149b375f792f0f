"""What the similarity of layers says, in a sentence or two."""

from typing import Any

import numpy as np
import pandas as pd

from graphs.correlations import caution, rank_correlation
from graphs.layer_pairs import best_matches, distinct_pairs, neighboring_layers
from pipeline.console import plural


def read_pairs(means: pd.DataFrame, *, chance: float) -> str:
    """Say where the layers differ and whether the measures agree on it.

    Parameters
    ----------
    means : DataFrame
        From `graphs.layer_pairs.mean_pairs`.
    chance : float
        Share of neighbours that two layers would have in common by chance.
    """
    pairs = distinct_pairs(means)
    if pairs.empty:
        return "There is one layer: nothing to compare."
    within = (means["run_a"] == means["run_b"]).all()
    start = _within(means, chance) if within else _between(means, chance)
    return " ".join(part for part in (start, _agreement(pairs)) if part)


def _within(means: pd.DataFrame, chance: float) -> str:
    """Say between which neighbouring layers the features change most, and least."""
    steps = neighboring_layers(means)
    known = steps.dropna(subset=["cka"])
    parts = []
    if len(known) > 1:
        low, high = _lowest(known, "cka"), _highest(known, "cka")
        parts.append(
            f"Features change most from {_step(low)} (CKA {_with_sd(low, 'cka')}) and least "
            f"from {_step(high)} ({_with_sd(high, 'cka')})"
        )
    else:
        parts += [f"CKA from {_step(row)} is {_with_sd(row, 'cka')}" for _, row in known.iterrows()]
    jump = _highest(steps, "modularity_difference")
    parts.append(f"Q moves most from {_step(jump)} ({_with_sd(jump, 'modularity_difference')})")
    shared = steps["neighbor_overlap"]
    parts.append(
        f"layers keep {100 * shared.min():.0f} to {100 * shared.max():.0f} % of the neighbours of "
        f"the layer before (by chance {100 * chance:.1f} %)"
    )
    return "; ".join(parts) + "."


def _between(means: pd.DataFrame, chance: float) -> str:
    """Say which layers of two runs match, and whether they stand in the same order."""
    first, second = means["run_a"].iloc[0], means["run_b"].iloc[0]
    matches = best_matches(means)
    if matches.empty:
        start = f"No pair of layers of {first} and {second} has CKA"
    else:
        top = _highest(matches, "cka")
        start = (
            f"Most alike are {top['layer_a']} of {first} and {top['layer_b']} of {second} "
            f"(CKA {_with_sd(top, 'cka')}){_depth(matches)}"
        )
    last = means.iloc[-1]  # the table is in order of depth: the last layers of both
    # said once where no pair has it
    cka = (
        "" if matches.empty
        else "no CKA, " if np.isnan(float(last["cka"]))
        else f"CKA {_with_sd(last, 'cka')}, "
    )  # fmt: skip
    return (
        f"{start}; the last layers have {cka}{100 * last['neighbor_overlap']:.0f} % of their "
        f"neighbours in common (by chance {100 * chance:.1f} %) and differ in Q by "
        f"{_with_sd(last, 'modularity_difference')}."
    )


def _depth(matches: pd.DataFrame) -> str:
    """Say whether deeper layers match deeper ones."""
    order = rank_correlation(matches["layer_a_index"], matches["layer_b_index"])
    if np.isnan(order):
        return ""
    return (
        f"; the best matches follow the depth with rank correlation {order:.2f} over "
        f"{plural(len(matches), 'layer')}{caution(len(matches))}"
    )


def _agreement(pairs: pd.DataFrame) -> str:
    """Say whether pairs that differ in one measure differ in the others."""
    parts = []
    for column, name in (("cka", "CKA"), ("neighbor_overlap", "shared neighbours")):
        found = rank_correlation(1 - pairs[column], pairs["modularity_difference"])
        if not pd.isna(found):
            known = int(pairs[column].count())
            those = f" ({plural(known, 'pair')})" if known < len(pairs) else ""
            parts.append(f"{found:.2f} with 1 − {name}{those}")
    if not parts:
        return ""
    return (
        f"Rank correlation of |ΔQ| over {plural(len(pairs), 'pair')}{_few_layers(pairs)}: "
        f"{', '.join(parts)}."
    )


def _few_layers(pairs: pd.DataFrame) -> str:
    """Warn of pairs of few layers: a layer is in many of them, so that they are no more than it."""
    sides = [{*zip(pairs[f"run_{x}"], pairs[f"layer_{x}_index"], strict=True)} for x in "ab"]
    within = (pairs["run_a"] == pairs["run_b"]).all()
    fewest = len(sides[0] | sides[1]) if within else min(map(len, sides))
    return f" of {plural(fewest, 'layer')}{said}" if (said := caution(fewest)) else ""


def _lowest(pairs: pd.DataFrame, column: str) -> "pd.Series[Any]":
    return pairs.sort_values(column, kind="stable").iloc[0]


def _highest(pairs: pd.DataFrame, column: str) -> "pd.Series[Any]":
    return pairs.sort_values(column, kind="stable", ascending=False).iloc[0]


def _step(row: "pd.Series[Any]") -> str:
    return f"{row['layer_a']} to {row['layer_b']}"


def _with_sd(row: "pd.Series[Any]", column: str) -> str:
    value, spread = float(row[column]), float(row[f"{column}_sd"])
    return f"{value:.2f}" if pd.isna(spread) else f"{value:.2f} ± {spread:.2f}"
