"""Pairs of layers as a tidy table, and what is read from it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from graphs.frames import require_columns

MEASURES = ("modularity_difference", "cka", "neighbor_overlap")
_PAIR = ["run_a", "layer_a_index", "layer_a", "run_b", "layer_b_index", "layer_b"]


@dataclass(frozen=True, kw_only=True)
class Layers:
    """The layers of a run, as one side of a comparison.

    Attributes
    ----------
    run : str
        Name of the run.
    names : list of str
        Names of its layers, in order of depth; their indices count from 0.
    """

    run: str
    names: list[str]


def pair_table(
    first: Layers, second: Layers, *, repeat: int, measures: dict[str, NDArray[np.float64]]
) -> pd.DataFrame:
    """Write matrices over layers as a table with one row a pair.

    Parameters
    ----------
    first, second : Layers
        Rows and columns of the matrices.
    repeat : int
        Which node set.
    measures : dict of str to ndarray of float64, shape (L, M)
        ``modularity_difference``, ``cka`` and ``neighbor_overlap``.

    Returns
    -------
    DataFrame
        The columns of the schema ``similarity``.

    Examples
    --------
    >>> side = Layers(run="one", names=["stem"])
    >>> one = np.ones((1, 1))
    >>> table = pair_table(side, side, repeat=0, measures=dict.fromkeys(MEASURES, one))
    >>> table[["layer_a", "layer_b", "cka"]].values.tolist()
    [['stem', 'stem', 1.0]]
    """
    rows, columns = np.indices((len(first.names), len(second.names)), dtype=np.int32)
    return pd.DataFrame(
        {
            "run_a": first.run,
            "layer_a_index": rows.ravel(),
            "layer_a": np.array(first.names, object)[rows.ravel()],
            "run_b": second.run,
            "layer_b_index": columns.ravel(),
            "layer_b": np.array(second.names, object)[columns.ravel()],
            "repeat": np.int32(repeat),
            **{name: measures[name].ravel() for name in MEASURES},
        }
    )


def mean_pairs(pairs: pd.DataFrame) -> pd.DataFrame:
    """Average the measures of every pair over the repeats.

    Parameters
    ----------
    pairs : DataFrame
        The table ``similarity``.

    Returns
    -------
    DataFrame
        One row a pair, in order of depth: the measures, and each with ``_sd`` behind its name,
        the sample standard deviation (NaN for one repeat).

    Raises
    ------
    TableError
        When a column is missing or there are no rows.
    """
    require_columns(pairs, "similarity", [*_PAIR, *MEASURES])
    grouped = pairs.groupby(_PAIR, sort=True)[list(MEASURES)]
    mean, spread = grouped.mean(), grouped.std().add_suffix("_sd")
    return pd.concat([mean, spread], axis=1).reset_index()


def distinct_pairs(means: pd.DataFrame) -> pd.DataFrame:
    """Leave out, within one run, pairs of a layer with itself and one of the two orders."""
    if (means["run_a"] != means["run_b"]).any():
        return means
    return means[means["layer_a_index"] < means["layer_b_index"]]


def neighboring_layers(means: pd.DataFrame) -> pd.DataFrame:
    """Select the pairs of a layer and the next one, within one run."""
    return means[means["layer_b_index"] == means["layer_a_index"] + 1]


def best_matches(means: pd.DataFrame) -> pd.DataFrame:
    """Select for every layer of the first run the layer of the second with the largest CKA."""
    known = means.dropna(subset=["cka"])
    return known.loc[known.groupby("layer_a_index")["cka"].idxmax()]
