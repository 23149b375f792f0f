"""What the similarity of layers says, in a sentence or two."""

from typing import Any

import pandas as pd

from graphs.correlations import rank_correlation
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
    matches = best_matches(means)
    if matches.empty:
        return ""
    first, second = means["run_a"].iloc[0], means["run_b"].iloc[0]
    top = _highest(matches, "cka")
    last = means.iloc[-1]  # the table is in order of depth: the last layers of both
    order = rank_correlation(matches["layer_a_index"], matches["layer_b_index"])
    depth = "" if pd.isna(order) else f"; the best matches follow the depth with rank {order:.2f}"
    return (
        f"Most alike are {top['layer_a']} of {first} and {top['layer_b']} of {second} "
        f"(CKA {_with_sd(top, 'cka')}){depth}; the last layers have CKA {_with_sd(last, 'cka')}, "
        f"{100 * last['neighbor_overlap']:.0f} % of their neighbours in common (by chance "
        f"{100 * chance:.1f} %) and differ in Q by {_with_sd(last, 'modularity_difference')}."
    )


def _agreement(pairs: pd.DataFrame) -> str:
    """Say whether pairs that differ in one measure differ in the others."""
    parts = []
    for column, name in (("cka", "CKA"), ("neighbor_overlap", "shared neighbours")):
        found = rank_correlation(1 - pairs[column], pairs["modularity_difference"])
        if not pd.isna(found):
            parts.append(f"{found:.2f} with 1 − {name}")
    if not parts:
        return ""
    return f"Rank correlation of |ΔQ| over {plural(len(pairs), 'pair')}: {', '.join(parts)}."


def _lowest(pairs: pd.DataFrame, column: str) -> "pd.Series[Any]":
    return pairs.sort_values(column, kind="stable").iloc[0]


def _highest(pairs: pd.DataFrame, column: str) -> "pd.Series[Any]":
    return pairs.sort_values(column, kind="stable", ascending=False).iloc[0]


def _step(row: "pd.Series[Any]") -> str:
    return f"{row['layer_a']} to {row['layer_b']}"


def _with_sd(row: "pd.Series[Any]", column: str) -> str:
    value, spread = float(row[column]), float(row[f"{column}_sd"])
    return f"{value:.2f}" if pd.isna(spread) else f"{value:.2f} ± {spread:.2f}"
