"""What an attack changed: in the images, and in the curve."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from graphs.errors import TableError
from graphs.frames import require_columns


def measure_changes(clean: NDArray[np.floating], attacked: NDArray[np.floating]) -> pd.DataFrame:
    """Measure how far attacked images lie from the clean ones.

    Parameters
    ----------
    clean, attacked : ndarray of float, shape (n, C, H, W)
        Values in [0, 1].

    Returns
    -------
    DataFrame
        One row an image: ``l2`` and ``linf``, norms of the difference; ``pixels``, how many
        differ in some channel.

    Raises
    ------
    TableError
        When the shapes differ.

    Examples
    --------
    >>> clean = np.zeros((1, 3, 2, 2))
    >>> attacked = clean.copy()
    >>> attacked[0, :2, 0, 0] = 0.3, 0.4
    >>> measure_changes(clean, attacked).round(3).to_numpy().tolist()
    [[0.5, 0.4, 1.0]]
    """
    if clean.shape != attacked.shape or clean.ndim != 4:
        raise TableError(
            f"clean images have shape {clean.shape}, attacked ones {attacked.shape}",
            "give the same images, (n, C, H, W)",
        )
    change = attacked.astype(np.float64) - clean
    flat = np.abs(change).reshape(len(change), np.prod(change.shape[1:], dtype=int))
    return pd.DataFrame(
        {
            "l2": np.sqrt(np.square(flat).sum(axis=1)),
            "linf": flat.max(axis=1, initial=0.0),
            "pixels": (change != 0).any(axis=1).sum(axis=(1, 2)),
        }
    )


def compare_pairs(layers: pd.DataFrame) -> pd.DataFrame:
    """Compare the curves of clean and attacked images, attack by attack.

    Parameters
    ----------
    layers : DataFrame
        The table ``layers`` with the columns ``attack`` and ``state`` (clean or attacked).

    Returns
    -------
    DataFrame
        One row an attack, in the order of the table: ``attack``; ``last_layer``, its name, and
        ``last_layer_clean`` and ``last_layer_attacked``, Q there; ``largest_drop``, the most that
        Q falls in a layer, and ``largest_drop_layer``; ``peak_attacked``, the highest Q.

    Raises
    ------
    TableError
        When a column or one side of a pair is missing.

    Notes
    -----
    Lu et al. 2022, section 4.2: attacked images reach a smaller peak.

    Examples
    --------
    >>> clean = pd.DataFrame({"layer": ["a", "b"], "layer_index": [0, 1], "attack": "pgd"})
    >>> both = [
    ...     clean.assign(state="clean", modularity=[0.2, 0.8]),
    ...     clean.assign(state="attacked", modularity=[0.1, 0.3]),
    ... ]
    >>> row = compare_pairs(pd.concat(both)).iloc[0]
    >>> float(row["last_layer_attacked"]), row["largest_drop_layer"]
    (0.3, 'b')
    """
    require_columns(layers, "layers", ["attack", "state", "layer", "layer_index", "modularity"])
    rows = []
    for attack, both in layers.groupby("attack", sort=False):
        curves = both.pivot_table(
            index=["layer_index", "layer"], columns="state", values="modularity"
        )
        if not {"clean", "attacked"} <= set(curves.columns):
            raise TableError(f"{attack} lacks a side of its pair", "give clean and attacked")
        drop = (curves["clean"] - curves["attacked"]).to_numpy()
        names = curves.index.get_level_values("layer")
        rows.append(
            {
                "attack": attack,
                "last_layer": names[-1],
                "last_layer_clean": float(curves["clean"].iloc[-1]),
                "last_layer_attacked": float(curves["attacked"].iloc[-1]),
                "largest_drop": float(drop.max()),
                "largest_drop_layer": names[int(np.argmax(drop))],
                "peak_attacked": float(curves["attacked"].max()),
            }
        )
    return pd.DataFrame(rows)
