"""What the clusters of a network's neurons come to, in words."""

import pandas as pd

from pipeline.console import plural

CERTAIN = 0.05


def read_clusters(partition: pd.DataFrame, nulls: pd.DataFrame | None = None) -> str:
    """Say how clusterable a network is, against its shuffles, and how far that is its depth.

    Parameters
    ----------
    partition : DataFrame
        The table ``neuron_partition``.
    nulls : DataFrame, optional
        The table ``neuron_nulls``.

    Examples
    --------
    >>> row = {"clusters": 4, "n_clusters": 4, "ncut": 1.84, "modularity": 0.29, "layer_ami": 0.2}
    >>> row |= {"n_nodes": 900, "n_components": 1, "whole_layer_clusters": 1, "n_weightless": 0}
    >>> null = {"null": "layer", "shuffles": 50, "mean": 2.04, "z": -11.9, "p": 1 / 51}
    >>> null |= {"n_clusters": 4.0, "n_components": 1.0}
    >>> told = read_clusters(pd.DataFrame([row]), pd.DataFrame([null]))
    >>> told[:63]
    "The n-cut of 4 clusters of 900 neurons is 1.84, Newman's Q 0.29"
    >>> told.split(". ")[1]
    'It is below that of shuffled weights: layer 2.04 on average (z = −11.9, p = 0.02)'
    """
    row = partition.iloc[0]
    clusters = int(row["n_clusters"])
    told = [
        f"The n-cut of {plural(clusters, 'cluster')} of {plural(int(row['n_nodes']), 'neuron')} is "
        f"{row['ncut']:.2f}, Newman's Q {row['modularity']:.2f}."
    ]
    if clusters < int(row["clusters"]):
        told.append(
            f"{int(row['clusters']) - clusters} of the {int(row['clusters'])} stayed empty."
        )
    if row["n_weightless"]:
        told.append(
            f"{plural(int(row['n_weightless']), 'cluster')} of nearly dead neurons without weight "
            "say nothing: --drop negligible leaves these out."
        )
    if row["n_components"] > 1:
        told.append(f"The graph has {int(row['n_components'])} parts without an edge between them.")
    if nulls is not None and len(nulls):
        told += _against(row, nulls)
    whole = int(row["whole_layer_clusters"])
    told.append(
        f"{whole or 'None'} of the {clusters} clusters {'is' if whole <= 1 else 'are'} made of "
        f"whole layers{', which depth alone gives' * bool(whole)} (adjusted mutual information of "
        f"clusters and layers {row['layer_ami']:.2f})."
    )
    return " ".join(told).replace("-0", "−0")


def _against(row: "pd.Series[float]", nulls: pd.DataFrame) -> list[str]:
    told = []
    certain = nulls["p"] <= CERTAIN
    for part, words in (
        (nulls[certain], "It is below that of shuffled weights"),
        (nulls[~certain], "It is not surely below that of shuffled weights"),
    ):
        if len(part):
            told.append(f"{words}: {', '.join(_null(null) for null in part.itertuples())}.")
    broken = nulls[
        (nulls["n_components"] > row["n_components"]) | (nulls["n_clusters"] < row["n_clusters"])
    ]
    if len(broken):
        told.append(
            f"Shuffles of {', '.join(broken['null'])} fall apart or leave clusters empty: their "
            "n-cuts do not compare."
        )
    return told


def _null(null: object) -> str:
    name, mean, z, p = (getattr(null, key) for key in ("null", "mean", "z", "p"))
    told = f"z = {z:.1f}, ".replace("-", "−") if z == z else ""
    return f"{name} {mean:.2f} on average ({told}p = {p:.2g})"
