"""How sure the curve is, in sentences."""

import numpy as np
import pandas as pd

from graphs.confidence import PERMUTATIONS, mean_interval
from graphs.frames import require_columns
from pipeline.console import listed

LISTED = 4
SURE = 0.01


def chance_sentences(layers: pd.DataFrame) -> list[str]:
    """Say where Q is above that of permuted labels, and how sure Q of the last layer is.

    Parameters
    ----------
    layers : DataFrame
        The table ``layers`` of one variant.

    Returns
    -------
    list of str
        Two sentences. A layer is above chance where p <= 0.01 in every repeat. Draws of the
        samples at hand keep their links: what they say of other samples is too narrow.

    Raises
    ------
    TableError
        When a column is missing or the table has no rows.
    """
    needed = ["repeat", "layer_index", "layer", "modularity"]
    require_columns(
        layers, "layers", [*needed, "modularity_p", "modularity_low", "modularity_high"]
    )
    worst = layers.groupby(["layer_index", "layer"], sort=True)["modularity_p"].max().reset_index()
    like = worst.loc[worst["modularity_p"] > SURE]
    names = [f"{row.layer} (p = {row.modularity_p:.2g})" for row in like.itertuples()]
    where = f"except in {listed(names, most=LISTED)}" if names else "in every layer"
    if len(names) == len(worst):
        where = "in no layer"
    return [
        f"Q is above that of {PERMUTATIONS} permutations of the labels (p <= {SURE}) {where}.",
        _last(layers),
    ]


def _last(layers: pd.DataFrame) -> str:
    last = layers.loc[layers["layer_index"] == layers["layer_index"].max()]
    name, values = last["layer"].iloc[0], last["modularity"].to_numpy(np.float64)
    if len(values) > 1:
        low, high = (float(end[0]) for end in mean_interval(values[:, None]))
        return (
            f"Mean Q in {name}: {low:.2f} to {high:.2f} (95 % interval by Student's t, "
            f"{len(values)} repeats)."
        )
    low, high = float(last["modularity_low"].iloc[0]), float(last["modularity_high"].iloc[0])
    return (
        f"Q in {name} is between {low:.2f} and {high:.2f} in 95 % of bootstrap draws of these "
        "samples; other samples would spread wider."
    )
