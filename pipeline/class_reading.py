"""Which classes a network keeps apart, in sentences."""

import pandas as pd

from graphs.class_pairs import APART, confusion_agreement, confusion_pairs, separation_table
from graphs.correlations import caution
from pipeline.console import listed, plural

LISTED = 3


def class_sentences(class_pairs: pd.DataFrame, samples: pd.DataFrame) -> list[str]:
    """Say which classes come apart where, which do not, and which the network confuses.

    Parameters
    ----------
    class_pairs, samples : DataFrame
        The tables of one variant.

    Returns
    -------
    list of str
        Up to five sentences; none where there is but one class.

    Raises
    ------
    TableError
        When a column is missing or a table has no rows.

    Notes
    -----
    When two classes are apart: `graphs.class_pairs.pair_curves`.
    """
    table = separation_table(class_pairs)
    if table.empty:
        return []
    layers = class_pairs.sort_values("layer_index").drop_duplicates("layer_index")["layer"].tolist()
    apart = table.loc[table["separates"].notna()]
    rest = table.loc[table["separates"].isna()].sort_values("excess_last", ascending=False)
    linked = rest.loc[rest["excess_last"] >= APART]
    told = [
        f"{_of(len(apart), len(table))} apart in the last layer, {layers[-1]}: linked less than "
        "half as often as by chance."
    ]
    if len(linked):
        pairs = [
            f"{pair} ({_times(excess)} chance)"
            for pair, excess in zip(linked["pair"], linked["excess_last"], strict=True)
        ]
        told.append(f"Not apart: {_listed(pairs)}.")
    if len(rest) > len(linked):
        told.append(
            f"Too few links to tell: {plural(len(rest) - len(linked), 'pair')}; take more samples."
        )
    if len(apart) and len(layers) > 1:
        told.append(_order(apart, layers[0]))
    return [*told, *_confused(table, confusion_pairs(samples))]


def _times(excess: float) -> str:
    """Write a multiple of chance: below 1 with digits that tell it from a half."""
    return f"{excess:.2f} times" if excess < 1 else f"{excess:.1f} times"


def _of(count: int, total: int) -> str:
    if count == total:
        return "The two classes are" if total == 1 else f"All {total:,} pairs of classes are"
    return f"{count:,} of {plural(total, 'pair')} of classes {'is' if count == 1 else 'are'}"


def _order(apart: pd.DataFrame, first_layer: str) -> str:
    """Name the pairs that come apart last and first; ``apart`` begins with the last."""
    places = apart["separates_index"]
    late = apart.loc[places == places.iloc[0]]
    if (where := late["separates"].iloc[0]) == first_layer:
        return f"They are so from the first layer on, {first_layer}."
    # what was linked most before is what this layer took apart
    pairs = late.sort_values("excess_before", ascending=False, kind="stable")["pair"].tolist()
    sentence = _capital(f"{_listed(pairs)} separate only at {where}")
    early = apart.loc[places == places.iloc[-1]].sort_values("z_last", kind="stable")
    if (begin := early["separates"].iloc[0]) == where:
        return f"{sentence}."
    return f"{sentence}; {_listed(early['pair'].tolist())} already at {begin}."


def _confused(table: pd.DataFrame, confused: pd.DataFrame) -> list[str]:
    """Name the pairs that the network confuses; classes that no sample is of have no pair."""
    if confused.empty:
        return []
    named = confused.merge(table[["class_a", "class_b", "pair"]], on=["class_a", "class_b"])
    pairs = [f"{row.pair} ({row.confused})" for row in named.head(LISTED).itertuples()]
    if not pairs:
        return []
    rho = confusion_agreement(table, confused)
    known = f"; rank correlation with the links {rho:.2f}{caution(len(table))}"
    agree = "" if pd.isna(rho) else known
    return [f"The network confuses most often {', '.join(pairs)}{agree}."]


def _listed(pairs: list[str]) -> str:
    return listed(pairs, most=LISTED, noun="pair")


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
