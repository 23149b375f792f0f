"""Which samples never find their class, in a sentence."""

import numpy as np
import pandas as pd

from graphs.frames import require_columns
from pipeline.console import plural

LISTED = 3
OFTEN = 0.5  # share of the node sets with a sample in which it never settles, to count


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
    # repeats may draw a sample again, among other neighbours
    drawn = samples.groupby("sample")["suspect"].mean()
    count, draws = int((drawn >= OFTEN).sum()), len(samples) > len(drawn)
    told = [
        f"{count:,} of {plural(len(drawn), 'sample')} ({count / len(drawn):.0%}) never settle"
        f"{' in half or more of the node sets that they are in' if draws else ''}: in the last "
        "layer most of their links lead to other classes."
    ]
    found = found.drop_duplicates("sample")
    first = found.loc[found["neighbor_label"].notna() & (found["neighbor_label"] != found["label"])]
    named = [
        f"{row.sample} ({row.label_name}, neighbours {row.neighbor_label_name})"
        for row in first.head(LISTED).itertuples()
    ]
    if named:
        told.append(f"Labels to check first: samples {', '.join(named)}.")
    return told
