"""Which samples never find their class, in a sentence."""

import numpy as np
import pandas as pd

from graphs.frames import require_columns
from pipeline.console import plural

LISTED = 3


def suspects(samples: pd.DataFrame) -> pd.DataFrame:
    """Select the samples that never settle, the most suspicious first.

    Parameters
    ----------
    samples : DataFrame
        The table ``samples`` of one variant.

    Returns
    -------
    DataFrame
        Its rows of suspects, by falling score; ties by repeat and node.

    Raises
    ------
    TableError
        When a column is missing or the table has no rows.
    """
    require_columns(samples, "samples", ["suspect", "score", "repeat", "node"])
    found = samples.loc[samples["suspect"]]
    # equal up to rounding is equal
    order = np.lexsort((found["node"], found["repeat"], -found["score"].round(12)))
    return found.iloc[order].reset_index(drop=True)


def sample_sentences(samples: pd.DataFrame) -> list[str]:
    """Say how many samples never settle and which to look at first.

    Parameters
    ----------
    samples : DataFrame
        The table ``samples`` of one variant.

    Returns
    -------
    list of str
        One or two sentences.

    Raises
    ------
    TableError
        As in `suspects`.
    """
    found = suspects(samples)
    if found.empty:
        return ["Every sample settles: most of its links lead to its class in the end."]
    share = len(found) / len(samples)
    told = [
        f"{len(found):,} of {plural(len(samples), 'sample')} ({share:.0%}) never settle: in the "
        "last layer most of their links lead to other classes."
    ]
    first = found.loc[found["neighbor_label"].notna() & (found["neighbor_label"] != found["label"])]
    named = [
        f"{row.sample} ({row.label_name}, neighbours {row.neighbor_label_name})"
        for row in first.head(LISTED).itertuples()
    ]
    if named:
        told.append(f"Labels to check first: samples {', '.join(named)}.")
    return told
