"""Train and prune a network; go on after an interruption."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn

from graphs.files import sweep
from pipeline.data import ImageData
from pipeline.devices import require_writable
from pipeline.neurons.dropout import add_dropout
from pipeline.neurons.epochs import HISTORY, PRUNED, UNPRUNED, NeuronRun
from pipeline.neurons.initial import initialize_neurons
from pipeline.neurons.recipe import NeuronRecipe
from pipeline.progress import progress_bar
from pipeline.training import checkpoints
from pipeline.training.evaluation import require_splits


@dataclass(frozen=True, kw_only=True)
class NeuronTraining:
    """What training left.

    Attributes
    ----------
    unpruned, pruned : Path
        The weights before pruning, and after it (None without).
    history : DataFrame
        One row an epoch, columns as `NeuronEpoch` has them.
    resumed_from : int
        Epochs that an earlier call had finished.
    """

    unpruned: Path
    pruned: Path | None
    history: pd.DataFrame
    resumed_from: int


def train_neurons(
    model: nn.Module,
    train_data: ImageData,
    test_data: ImageData,
    *,
    out: Path,
    recipe: NeuronRecipe | None = None,
    device: torch.device | None = None,
    architecture: Mapping[str, Any] | None = None,
    force: bool = False,
    progress: bool = False,
) -> NeuronTraining:
    """Train a network as Filan et al. do and prune it, or go on where an earlier call ended.

    Every epoch ends with its state in ``OUT/last.pt``; a training that was killed ends in the same
    weights as one that was not, bit for bit on the CPU with the same number of threads.

    Parameters
    ----------
    model : Module
        Its weights are drawn anew, as the recipe says; trained in place.
    train_data, test_data : ImageData
        Different images of the same classes.
    out : Path
        Folder for ``unpruned.pt``, ``pruned.pt``, ``history.csv``.
    recipe : NeuronRecipe, optional
        By default 20 + 20 epochs, 90 % pruned.
    device : torch.device, optional
        By default the CPU.
    architecture : mapping, optional
        Plain values that say how to build the network again, stored beside the weights.
    force : bool
        Begin anew, whatever lies in the folder.
    progress : bool
        Show a progress bar on a terminal.

    Returns
    -------
    NeuronTraining
        Files and history.

    Raises
    ------
    DataError
        When the images do not fit each other.
    ModelError
        When the network does not fit images or recipe, or the loss is no longer finite.
    RunError
        When the folder holds another training or cannot be written to.

    Notes
    -----
    Pruning as tfmot's ``prune_low_magnitude``: weights are multiplied by their masks before each
    step, gradients reach all of them, and every ten steps the masks are chosen anew, so that a
    weight may return.
    """
    place, plan = device or torch.device("cpu"), recipe or NeuronRecipe()
    require_splits(train_data, test_data)
    require_writable(out)
    initialize_neurons(model, plan.initial, seed=plan.seed)
    if plan.dropout:
        add_dropout(model, plan.dropout)
    run = NeuronRun(model, train_data, test_data, recipe=plan, device=place)
    run.about = {
        "recipe": plan.as_dict(),
        "dataset": train_data.name,
        "input_shape": train_data.input_shape,
        "label_names": train_data.label_names,
        "architecture": dict(architecture or {}),
    }
    _open_folder(out, force=force)
    resumed_from = run.resume(out / checkpoints.LAST)
    _train(run, out, resumed_from, show=progress)
    return NeuronTraining(
        unpruned=out / UNPRUNED,
        pruned=out / PRUNED if plan.pruning_epochs else None,
        history=run.history(),
        resumed_from=resumed_from,
    )


def _open_folder(out: Path, *, force: bool) -> None:
    out.mkdir(parents=True, exist_ok=True)
    sweep(out)
    if force:
        for name in (checkpoints.LAST, UNPRUNED, PRUNED, HISTORY):
            (out / name).unlink(missing_ok=True)


def _train(run: NeuronRun, out: Path, resumed_from: int, *, show: bool) -> None:
    """Run the epochs that are missing, and keep what each of them gave."""
    plan, place = run.recipe, run.device
    total = plan.epochs + plan.pruning_epochs
    with (
        torch.random.fork_rng(devices=[place] if place.type == "cuda" else []),
        progress_bar("training", total, show=show, unit="epochs") as advance,
    ):
        advance(resumed_from)
        if plan.epochs == 0 and resumed_from == 0:
            run.save(out / UNPRUNED)
        for epoch in range(resumed_from, total):
            run.epoch(epoch)
            run.save_state(out)
            advance(1)
