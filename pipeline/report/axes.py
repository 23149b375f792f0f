"""What figures of a page have in common: layers on an axis, pale colours."""

import pandas as pd

from pipeline.report.section import label

NAMED_LAYERS = 16  # that there is room for


def layer_ticks(layers: pd.DataFrame) -> dict[str, object]:
    """Return ticks for an axis of layers: names, fewer where there are many.

    Parameters
    ----------
    layers : DataFrame
        Columns ``layer_index, layer``, a row a layer.
    """
    step = -(-len(layers) // NAMED_LAYERS)
    shown = layers.iloc[::step]
    return {
        "tickmode": "array",
        "tickvals": shown["layer_index"].tolist(),
        "ticktext": [label(name, longest=16) for name in shown["layer"]],
        "tickangle": -45 if shown["layer"].str.len().max() > 4 else 0,
    }


def faded(color: str, share: float) -> str:
    """Return a colour ``#rrggbb`` with a share of its strength.

    Examples
    --------
    >>> faded("#0173b2", 0.2)
    'rgba(1,115,178,0.2)'
    """
    red, green, blue = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{share:g})"
