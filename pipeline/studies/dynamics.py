"""`stratagraph study dynamics`: how the curve comes about during training."""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from cyclopts import Group, Parameter
from matplotlib.figure import Figure
from torch import nn

from graphs.errors import RunError
from graphs.measures import MetricTables
from graphs.plots_training import plot_accuracy, plot_epochs
from graphs.published import Published
from graphs.trends import follow_accuracy
from pipeline.console import log
from pipeline.data import ImageData
from pipeline.figures import caption, caption_counts, find_nearest, save_panels
from pipeline.options import Features, Images, Machine, Neighbours, Network, Work
from pipeline.studies.dynamics_reading import read_epochs, read_published
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
