"""What a comparison of pruned networks says, whichever way it turned out."""

import numpy as np
import pandas as pd

from graphs.correlations import caution, correlation_interval, rank_correlation
from pipeline.console import plural

FEWEST = 3  # layers that have an order worth a number


def read_comparison(table: pd.DataFrame, single: pd.DataFrame, *, epochs: int) -> str:
    """Say which criterion's network is best, whether that is sure, and what Q foretells.

    Parameters
    ----------
    table : DataFrame
        The table ``prune_compare``: the whole network in the first row.
    single : DataFrame
        The table ``single_layers``.
    epochs : int
        Of tuning.

    Returns
    -------
    str
        Two sentences or three.
    """
    whole, cut = table.iloc[0], table.iloc[1:]
    best = cut.sort_values("tuned", ascending=False, kind="stable").iloc[0]
    rivals = [
        row["criterion"]
        for _, row in cut.iterrows()
        if row["tuned_high"] >= best["tuned_low"] and row["removed"] != best["removed"]
    ]
    equals = cut.loc[cut["removed"] == best["removed"], "criterion"].tolist()
    sure = (
        " and nothing else was tried" if len(equals) == len(cut)
        else f"; its interval overlaps that of {', '.join(rivals)}" if rivals
        else ", outside the intervals of all others"
    )  # fmt: skip
    named = " and ".join(equals) + (" (the same network)" if len(equals) > 1 else "")
    ended = ", ".join(
        f"{row['criterion']} {row['tuned']:.1%}"
        for _, row in cut.sort_values("tuned", ascending=False, kind="stable").iterrows()
    )
    low, high = (f"{share:.0%}" for share in (cut["macs_left"].min(), cut["macs_left"].max()))
    text = (
        f"At {low if low == high else f'{low} to {high}'} of the "
        f"multiply-accumulates and after {plural(epochs, 'epoch')} of tuning the accuracy is: "
        f"{ended}; the whole network, tuned alike, {whole['tuned']:.1%}. Best is "
        f"{named}{sure}."
    )
    return f"{text}{_beside_random(cut)} {_foretold(single)}"


def _beside_random(cut: pd.DataFrame) -> str:
    """Say how modularity compares with the mean of the random draws."""
    drawn = cut[cut["criterion"].str.startswith("random")]
    chosen = cut[cut["criterion"] == "modularity"]
    if drawn.empty or chosen.empty:
        return ""
    points = 100 * (float(chosen["tuned"].iloc[0]) - float(drawn["tuned"].mean()))
    low, high = drawn["tuned"].min(), drawn["tuned"].max()
    return (
        f" Modularity is {abs(points):.1f} points {'above' if points >= 0 else 'below'} the mean "
        f"of {len(drawn)} random draws ({low:.1%} to {high:.1%})."
    )


def _foretold(single: pd.DataFrame) -> str:
    """Say how what a layer adds to Q goes with the accuracy lost without it."""
    if len(single) < FEWEST:
        return "Too few layers can be removed alone to say whether Q foretells the loss."
    parts = []
    for column, words in (("gain", "its gain in Q"), ("last_q_lost", "the Q lost at the end")):
        rho = rank_correlation(single[column], single["accuracy_lost"])
        if np.isnan(rho):
            continue
        low, high = correlation_interval(single[column], single["accuracy_lost"])
        between = "" if np.isnan(low) else f" (95 % interval {low:.2f} to {high:.2f})"
        parts.append(f"{rho:.2f}{between} with {words}")
    if not parts:
        return "Whether Q foretells the loss cannot be said: it is the same for all layers."
    return (
        f"Over the {len(single)} layers removed one at a time, without tuning, the accuracy lost "
        f"has a rank correlation of {' and '.join(parts)}{caution(len(single))}."
    )
