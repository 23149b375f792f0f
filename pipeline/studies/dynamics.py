"""`stratagraph study dynamics`: how the curve comes about during training."""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from cyclopts import Group, Parameter
from matplotlib.figure import Figure
from torch import nn

from graphs.correlations import FEW
from graphs.errors import RunError
from graphs.measures import MetricTables
from graphs.plots_training import plot_accuracy, plot_epochs
from graphs.published import Published
from graphs.trends import follow_accuracy
from pipeline.console import listed, log, plural
from pipeline.data import ImageData
from pipeline.figures import caption, caption_counts, find_nearest, save_panels
from pipeline.options import Features, Images, Machine, Neighbours, Network, Work
from pipeline.studies.epochs import (
    Epoch,
    find_epochs,
    initial_model,
    save_start,
    thin_out,
    train_epochs,
)
from pipeline.studies.folder import StudyFolder
from pipeline.studies.passing import measure_passing, open_variant, sample_accuracy
from pipeline.studies.variants import Variant
from pipeline.training import Recipe, checkpoints

FOLLOWS = 0.8  # rank correlation from which a layer is said to follow accuracy
STAYS = 0.05  # movement of Q up to which a layer is said to stay
LISTED = 6


@Parameter(name="*", group=Group("Epochs", sort_key=4.5))
@dataclass(frozen=True, kw_only=True)
class Epochs:
    """Which epochs.

    Attributes
    ----------
    checkpoints
        Folder with checkpoints of a training of yours, the epoch as the last number in their
        names. Without it, the network is trained here.
    every
        Measure every so many epochs, and the first and the last.
    """

    checkpoints: Path | None = None
    every: int = 1


@dataclass(frozen=True, kw_only=True)
class Training(Recipe):
    """The recipe without its seed, which is that of the images.

    Attributes
    ----------
    epochs
        Passes over the training images.
    batch_size
        Images a step.
    lr
        Learning rate of the first epochs.
    momentum
        Of stochastic gradient descent.
    weight_decay
        L2 penalty on all parameters.
    milestones
        Epochs, counted from 0, from which the learning rate is `gamma` times smaller.
    gamma
        Factor at each milestone.
    augmentation
        `crop-flip`, `none`, or `auto`: the first for colour images.
    precision
        `mixed` multiplies in 16 bits (bfloat16 on a CPU), `auto` does so on a GPU only.
    """

    seed: Annotated[int, Parameter(parse=False)] = 0


def study_dynamics(
    out: Path,
    *,
    network: Network,
    images: Images | None = None,
    features: Features | None = None,
    neighbours: Neighbours | None = None,
    epochs: Epochs | None = None,
    recipe: Annotated[
        Training | None, Parameter(name="*", group=Group("Recipe", sort_key=4.6))
    ] = None,
    published: Path | None = None,
    machine: Machine | None = None,
    work: Work | None = None,
) -> Path:
    """Follow the curve over the epochs of a training, from the initialisation on.

    Trains by the recipe with a checkpoint an epoch, or takes a folder of checkpoints; measures
    every one of them on the same images, and says which layers follow accuracy (of six or more).

    Parameters
    ----------
    out
        Folder of the study: `metrics/dynamics.parquet`, `figures/dynamics.png`, `training`, and
        the metric tables with a column `variant`.
    network
        The model. Its weights are what the training starts from: epoch 0.
    images, features, neighbours
        How every epoch is measured; the network is trained on the split `train`.
    epochs
        Checkpoints, and which of them.
    recipe
        How the network is trained, where no checkpoints are given.
    published
        CSV of published curves: those of the training epochs are drawn dotted behind, of this
        network or of the nearest one.
    machine, work
        As in the stages.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    RunError
        When there are no checkpoints, or the folder holds another training.
    DataError, ModelError, WeightsError, GraphError
        When the images, the network, a checkpoint or k cannot be used.
    """
    base = Variant(
        name="base",
        run="base",
        network=network,
        images=images or Images(),
        features=features or Features(),
        neighbours=neighbours or Neighbours(),
    )
    epochs, machine, work = epochs or Epochs(), machine or Machine(), work or Work()
    recipe = replace(recipe or Training(), seed=base.images.seed)
    behind = find_nearest(
        published,
        model=network.model,
        dataset=base.images.dataset,
        data=base.images.data,
        figure="epochs",
    )
    data, model = open_variant(base)
    given = _given(epochs, model, recipe)
    folder = StudyFolder(out, "dynamics", force=work.force)
    found = _find_or_train(folder, base, given, data=data, recipe=recipe, how=(machine, work))
    chosen = thin_out(found, epochs.every)
    variants = [_variant(base, epoch) for epoch in chosen]
    tables = measure_passing(folder, variants, data=data, model=model, machine=machine, work=work)
    folder.write_metrics(tables)
    table = _tabulate(folder, chosen, variants, tables)
    folder.write_own(table)
    files = _draw(folder, table, base, published=behind)
    sentence = read_epochs(table) + (f" {read_published(behind)}" if behind else "")
    parameters = {"model": network.model, "epochs": len(chosen), "trained": not given}
    return folder.finish(parameters, reading=sentence, files=files)


def _given(epochs: Epochs, model: nn.Module, recipe: Training) -> list[Epoch]:
    """Return the checkpoints of the user's folder, none without one."""
    thin_out([Epoch(number=0, weights=Path())], epochs.every)  # an error before any work
    if epochs.checkpoints is None:
        return []
    unread = [
        f"--{field.name.replace('_', '-')}"
        for field in fields(recipe)
        if field.name != "seed" and getattr(recipe, field.name) != field.default
    ]
    if unread:
        raise RunError(
            f"--checkpoints brings a training that is done: {', '.join(unread)} would not be read",
            "leave them out, or --checkpoints",
        )
    return find_epochs(epochs.checkpoints, model=model)


def _find_or_train(
    folder: StudyFolder,
    base: Variant,
    given: list[Epoch],
    *,
    data: ImageData,
    recipe: Training,
    how: tuple[Machine, Work],
) -> list[Epoch]:
    """Return the checkpoints, from 0 on: those that were given, or of a training here."""
    if not given:
        return train_epochs(
            folder.root / "training",
            network=base.network,
            images=base.images,
            recipe=recipe,
            machine=how[0],
            work=how[1],
        )
    if given[0].number == 0:
        return given
    return [_draw_start(folder, base.network, data, base.images.seed), *given]


def _draw_start(folder: StudyFolder, network: Network, data: ImageData, seed: int) -> Epoch:
    """Draw initial weights for a training that kept none."""
    log.warning(
        "there is no checkpoint 0: epoch 0 is an initialisation with seed %d, "
        "perhaps not the one of this training",
        seed,
    )
    state = checkpoints.copy_state(initial_model(network, data, seed=seed))
    return Epoch(number=0, weights=save_start(folder.root / "weights", state))


def _variant(base: Variant, epoch: Epoch) -> Variant:
    network = replace(base.network, weights=str(epoch.weights))
    settings: dict[str, int | float | str] = {"epoch": epoch.number}
    return replace(base, name=epoch.name, run=epoch.name, network=network, settings=settings)


def _tabulate(
    folder: StudyFolder, epochs: list[Epoch], variants: list[Variant], tables: MetricTables
) -> pd.DataFrame:
    """One row an epoch and layer, with accuracies and each layer's correlation with them."""
    groups = tables.layers.groupby(["epoch", "layer_index", "layer"], sort=True)["modularity"]
    means = groups.agg(modularity="mean", sd="std").reset_index()
    accuracies = pd.DataFrame(
        {
            "epoch": [epoch.number for epoch in epochs],
            "accuracy": [sample_accuracy(folder, variant) for variant in variants],
            "test_accuracy": [
                np.nan if epoch.test_accuracy is None else epoch.test_accuracy for epoch in epochs
            ],
        }
    )
    table = means.merge(accuracies, on="epoch", how="left")
    found = follow_accuracy(table)[["layer_index", "spearman"]]
    return table.merge(found, on="layer_index", how="left").sort_values(
        ["epoch", "layer_index"], kind="stable", ignore_index=True
    )


def _draw(
    folder: StudyFolder, table: pd.DataFrame, base: Variant, *, published: Published | None
) -> list[str]:
    title = caption(base.network.model, base.images.dataset, base.images.data)
    title += caption_counts(base.images.samples, base.neighbours.k)

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, width_ratios=[1.6, 1])
        plot_epochs(table, left, published=published)
        plot_accuracy(table, right, published=published)
        figure.suptitle(title, x=0.01, ha="left")

    return save_panels(folder.figures / "dynamics", draw, size=(11.0, 4.6))


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
