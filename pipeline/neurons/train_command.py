"""`stratagraph neurons train`: train a network as Filan et al. do, and prune it."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from cyclopts import Group, Parameter

from graphs.neighbors import Device
from pipeline.console import log
from pipeline.data import DatasetName, ImageData, load_data
from pipeline.devices import require_writable, resolve_device
from pipeline.models import load_model
from pipeline.neurons.mixtures import Mixture, mix
from pipeline.neurons.recipe import NeuronRecipe
from pipeline.neurons.training import train_neurons
from pipeline.options import Flag
from pipeline.training.evaluation import require_splits


def train_for_neurons(
    out: Path,
    *,
    model: str = "mlp-256-256-256-256",
    dataset: DatasetName = "digits",
    data: Path | None = None,
    mixture: Mixture = "none",
    recipe: Annotated[
        NeuronRecipe | None, Parameter(name="*", group=Group("Recipe", sort_key=10))
    ] = None,
    device: Device = "auto",
    force: Flag = False,
    progress: bool = True,
) -> Path:
    """Train and prune a network whose neurons are to be clustered.

    The state is saved after every epoch: the same command goes on after an interruption. Images
    are scaled to [0, 1] and nothing else: give `--normalize none` to later commands.

    Parameters
    ----------
    out
        Folder for `unpruned.pt`, `pruned.pt` (what --weights takes) and `history.csv`.
    model
        A name (`mlp-256-256`, `vgg8`, ...) or your own `file.py:factory`.
    dataset
        Where the images come from.
    data
        File or folder of the data set.
    mixture
        Make another data set of it: two images side by side (`halves-same`, of one class;
        `halves-diff`, whose label is the sum of theirs) or as channels (`stacked-same`,
        `stacked-diff`), `random-labels`, or `small` images of 7x7 pixels.
    recipe
        Epochs, pruning, penalties, initial weights.
    device
        `auto` takes a GPU where there is one.
    force
        Begin anew.
    progress
        Show a progress bar.

    Returns
    -------
    Path
        The file with the weights: pruned, unless nothing was.
    """
    plan = recipe or NeuronRecipe()
    place = resolve_device(device)
    require_writable(out)
    train, test = _open(dataset, data, mixture)
    shape, classes = train.input_shape, len(train.label_names)
    network = load_model(model, classes=classes, input_shape=shape, seed=plan.seed)
    result = train_neurons(
        network,
        train,
        test,
        out=out,
        recipe=plan,
        device=place,
        architecture={"model": model, "classes": classes, "input_shape": shape, "mixture": mixture},
        force=force,
        progress=progress,
    )
    _tell_accuracies(result.history)
    return result.pruned or result.unpruned


def _open(dataset: DatasetName, path: Path | None, mixture: Mixture) -> tuple[ImageData, ImageData]:
    """Return training and test images."""
    train, test = (
        load_data(dataset, path=path, split=split, normalize="none") for split in ("train", "test")
    )
    mixed = mix(train, mixture), mix(test, mixture)
    require_splits(train, test)  # mixed, the same images are no longer seen to be the same
    return mixed


def _tell_accuracies(history: pd.DataFrame) -> None:
    for phase, part in history.groupby("phase", sort=False):
        accuracy, sparsity = part.iloc[-1][["test_accuracy", "sparsity"]]
        log.info(
            "%s: test accuracy %.4f after %d epochs, %.1f %% of the weights are 0",
            {"train": "unpruned", "prune": "pruned  "}[str(phase)],
            accuracy,
            len(part),
            100 * sparsity,
        )
