"""What the study of a training says in a sentence or two."""

import pandas as pd

from graphs.correlations import FEW
from graphs.published import Published
from graphs.trends import follow_accuracy
from pipeline.console import listed, plural

FOLLOWS = 0.8  # rank correlation from which a layer is said to follow accuracy
STAYS = 0.05  # movement of Q up to which a layer is said to stay
LISTED = 6


def read_epochs(table: pd.DataFrame) -> str:
    """Say which layers follow accuracy, if epochs are enough, and whether the first stays.

    Parameters
    ----------
    table : DataFrame
        The table `dynamics`.

    Returns
    -------
    str
        One or two sentences.

    Examples
    --------
    >>> rows = {"epoch": range(6), "accuracy": [0.1, 0.3, 0.5, 0.7, 0.8, 0.9], "layer_index": 0}
    >>> rows |= {"layer": "fc", "modularity": [0.1, 0.2, 0.3, 0.5, 0.6, 0.7]}
    >>> read_epochs(pd.DataFrame(rows))
    'From epoch 0 to 5 accuracy goes from 0.10 to 0.90. Over 6 epochs Q of 1 of 1 layers follows \
it (rank correlation 0.80 or more): fc. The first layer, fc, moves: its Q by 0.60, from 0.10 to \
0.70; the last, fc, goes from 0.10 to 0.70.'
    """
    first_epoch, last_epoch = int(table["epoch"].min()), int(table["epoch"].max())
    start, end = (table[table["epoch"] == epoch] for epoch in (first_epoch, last_epoch))
    layers = follow_accuracy(table)
    told = f"From epoch {first_epoch} to {last_epoch} "
    if table["accuracy"].isna().any():
        told += "no accuracy is known: the network gives no logits."
    else:
        before, after = start["accuracy"].iloc[0], end["accuracy"].iloc[0]
        told += f"accuracy goes from {before:.2f} to {after:.2f}"
        told += (
            f". {_following(layers, table['epoch'].nunique())}"
            if after > before
            else ": it does not rise, so there is nothing for Q to follow."
        )
    q_start, q_end = start["modularity"].to_numpy(), end["modularity"].to_numpy()
    moved = float(layers["moved"].iloc[0])
    verb = "stays" if moved <= STAYS else "moves"
    return (
        f"{told} The first layer, {layers['layer'].iloc[0]}, {verb}: its Q by {moved:.2f}, from "
        f"{q_start[0]:.2f} to {q_end[0]:.2f}; the last, {layers['layer'].iloc[-1]}, goes from "
        f"{q_start[-1]:.2f} to {q_end[-1]:.2f}."
    )


def _following(layers: pd.DataFrame, epochs: int) -> str:
    """Say which layers follow accuracy; over few epochs, give the correlations alone."""
    if epochs >= FEW:
        # ranks of few epochs take few values: 0.8 is one of them
        near = layers["spearman"].round(6) >= FOLLOWS
        follows = layers.loc[near & (layers["moved"] > STAYS), "layer"].tolist()
        names = f": {listed(follows, most=LISTED)}" if follows else ""
        return (
            f"Over {plural(epochs, 'epoch')} Q of {len(follows)} of {len(layers)} layers follows "
            f"it (rank correlation {FOLLOWS:.2f} or more){names}."
        )
    said = f"{plural(epochs, 'epoch')} are too few to say which layers follow it"
    known = layers[layers["spearman"].notna()].sort_values("spearman", kind="stable")
    if known.empty:
        return f"{said}."
    low, high = (f"{row.spearman:.2f} ({row.layer})" for row in known.iloc[[0, -1]].itertuples())
    between = f"goes from {low} to {high}" if len(known) > 1 else f"is {low}"
    return f"{said}; the rank correlation of Q with it {between}."


def read_published(published: Published) -> str:
    """Say where published epochs begin and end.

    Examples
    --------
    >>> rows = {"setting": ["Acc", "Acc", "L9", "L9"], "x": [1, 30, 1, 30]}
    >>> rows = pd.DataFrame(rows | {"Q": [0.5, 0.9, 0.2, 0.6]})
    >>> print(read_published(
    ...     Published(rows=rows, model="VGG16", dataset="CIFAR-10", layers=13, same=False)
    ... ))
    Published for VGG16, CIFAR-10 (Lu et al. 2022), from epoch 1 to 30: accuracy from 0.50 to \
0.90, Q of layer 9 of 13 from 0.20 to 0.60.
    """
    parts = []
    for name, curve in published.rows.groupby("setting", sort=True):
        layer = str(name).removeprefix("L")
        what = "accuracy" if name == "Acc" else f"Q of layer {layer} of {published.layers}"
        parts.append(f"{what} from {curve['Q'].iloc[0]:.2f} to {curve['Q'].iloc[-1]:.2f}")
    epochs = f"from epoch {published.rows['x'].min():g} to {published.rows['x'].max():g}"
    return f"Published for {published.title}, {epochs}: {', '.join(parts)}."
