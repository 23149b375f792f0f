"""train: epochs, checkpoints, resume."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn

from graphs.errors import RunError
from graphs.files import sweep
from pipeline.data import ImageData
from pipeline.devices import require_disk, require_writable
from pipeline.progress import progress_bar
from pipeline.training import checkpoints
from pipeline.training.distillation import Teacher
from pipeline.training.epochs import Training, run_epoch, set_up
from pipeline.training.evaluation import fit_model, require_splits
from pipeline.training.recipe import Recipe
from pipeline.training.results import EpochRecord, TrainResult, write_history


def train(
    model: nn.Module,
    train_data: ImageData,
    test_data: ImageData,
    *,
    out: Path,
    recipe: Recipe | None = None,
    device: torch.device | None = None,
    architecture: Mapping[str, Any] | None = None,
    teacher: Teacher | None = None,
    checkpoint_every: int | None = None,
    force: bool = False,
    progress: bool = False,
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> TrainResult:
    """Train a classifier, or go on where an earlier call was killed.

    After every epoch the whole state goes to ``OUT/last.pt``; at the end the weights go to
    ``OUT/weights.pt`` and the history to ``OUT/history.csv``. Called again with the same
    arguments it goes on after the last finished epoch; on the CPU (same number of threads) the
    final weights are bit for bit those of an undisturbed run, because every epoch draws from
    streams seeded by the recipe's seed and its number.

    Parameters
    ----------
    model : Module
        With its initial weights; trained in place.
    train_data, test_data : ImageData
        Different images of the same classes.
    out : Path
        Folder of the results; made where it is missing.
    recipe : Recipe, optional
        By default the paper's.
    device : torch.device, optional
        By default the CPU.
    architecture : mapping, optional
        Plain values that say how to build the model again; stored beside the weights.
    teacher : Teacher, optional
        Another network to learn from; the training loss is then the mixed one.
    checkpoint_every : int, optional
        Also keep ``epoch-010.pt`` (weights only) of every so many epochs.
    force : bool
        Begin anew, whatever lies in the folder.
    progress : bool
        Show a progress bar on a terminal.
    on_epoch : callable, optional
        Called after every epoch and its checkpoint.

    Returns
    -------
    TrainResult
        Network, history and weights file.

    Raises
    ------
    DataError
        When training and test images are the same or of another shape.
    ModelError
        When the network does not fit the images, or the loss is no longer finite.
    RunError
        When the folder has another training in it or cannot be written to.
    ResourceError
        When the disk or the GPU's memory is too small.
    """
    place = device or torch.device("cpu")
    plan = (recipe or Recipe()).for_channels(train_data.input_shape[0])
    require_splits(train_data, test_data)
    memory_format = fit_model(model, train_data, device=place)
    fit_model(model, test_data, device=place)
    _prepare_folder(out, model, plan, checkpoint_every=checkpoint_every, force=force)
    identity = {
        **plan.as_dict(),
        "model": checkpoints.digest_state(model),
        "training images": train_data.digest(),
        **(teacher.identity() if teacher is not None else {}),
    }
    training = set_up(
        model,
        train_data,
        test_data,
        recipe=plan,
        device=place,
        memory_format=memory_format,
        teacher=teacher,
    )
    records = _resume(training, out / checkpoints.LAST, identity)
    resumed_from = len(records)
    about = {**_describe(train_data, plan), "architecture": dict(architecture or {})}
    devices = [place] if place.type == "cuda" else []
    images = len(training.train_batches.labels)
    # The caller's random streams go on as if nothing had been drawn here.
    with (
        torch.random.fork_rng(devices=devices),
        progress_bar(
            "training", (plan.epochs - resumed_from) * images, show=progress, unit="images"
        ) as bar,
    ):
        for epoch in range(resumed_from, plan.epochs):
            bar.tell(_describe_epoch(epoch, plan.epochs, records))
            records.append(run_epoch(training, epoch, advance=bar))
            keep = bool(checkpoint_every) and (epoch + 1) % (checkpoint_every or 1) == 0
            _save_epoch(training, out, records, identity=identity, about=about, keep=keep)
            if on_epoch is not None:
                on_epoch(records[-1])
    return _finish(training, out, records, about=about, resumed_from=resumed_from)


def _prepare_folder(
    out: Path, model: nn.Module, recipe: Recipe, *, checkpoint_every: int | None, force: bool
) -> None:
    if checkpoint_every is not None and checkpoint_every < 1:
        raise RunError(f"checkpoint_every={checkpoint_every} is not possible", "give at least 1")
    require_writable(out)
    state = sum(value.numel() * value.element_size() for value in model.state_dict().values())
    kept = recipe.epochs // checkpoint_every if checkpoint_every else 0
    # Weights and momentum, twice while a checkpoint replaces the one before, and weights.pt.
    require_disk(out, state * (2 * 2 + 1 + kept))
    out.mkdir(parents=True, exist_ok=True)
    sweep(out)
    if force:
        for name in (checkpoints.LAST, "weights.pt", "history.csv", "epoch-*.pt"):
            for path in out.glob(name):
                path.unlink()


def _resume(training: Training, path: Path, identity: Mapping[str, Any]) -> list[EpochRecord]:
    if not path.exists():
        return []
    saved = checkpoints.load(path, device=training.train_batches.device)
    checkpoints.require_same(path, saved=saved["identity"], now=identity)
    training.model.load_state_dict(saved["state_dict"])
    training.optimizer.load_state_dict(saved["optimizer"])
    if saved["scaler"] and training.scaler.is_enabled():
        training.scaler.load_state_dict(saved["scaler"])
    return [EpochRecord(**record) for record in saved["history"]]


def _save_epoch(
    training: Training,
    out: Path,
    records: list[EpochRecord],
    *,
    identity: Mapping[str, Any],
    about: Mapping[str, Any],
    keep: bool,
) -> None:
    epoch = records[-1].epoch
    state = checkpoints.copy_state(training.model)
    if keep:
        accuracy = records[-1].test_accuracy
        path = out / f"epoch-{epoch:03d}.pt"
        checkpoints.save_weights(path, state, about=about, epoch=epoch, accuracy=accuracy)
    # Last, so that after a kill in between the epoch is run again and all its files written.
    checkpoints.save(
        out / checkpoints.LAST,
        {
            "format": checkpoints.FORMAT,
            "identity": dict(identity),
            "epoch": epoch,
            "state_dict": state,
            "optimizer": training.optimizer.state_dict(),
            "scaler": training.scaler.state_dict(),
            "history": [asdict(record) for record in records],
        },
    )


def _finish(
    training: Training,
    out: Path,
    records: list[EpochRecord],
    *,
    about: Mapping[str, Any],
    resumed_from: int,
) -> TrainResult:
    history = pd.DataFrame([asdict(record) for record in records])
    accuracy = records[-1].test_accuracy
    write_history(out / "history.csv", history)
    weights = out / "weights.pt"
    state = checkpoints.copy_state(training.model)
    checkpoints.save_weights(weights, state, about=about, epoch=len(records), accuracy=accuracy)
    training.model.eval()
    return TrainResult(
        model=training.model,
        history=history,
        test_accuracy=accuracy,
        weights=weights,
        resumed_from=resumed_from,
    )


def _describe(data: ImageData, recipe: Recipe) -> dict[str, Any]:
    return {
        "recipe": recipe.as_dict(),
        "dataset": data.name,
        "input_shape": data.input_shape,
        "label_names": data.label_names,
        "normalization": {
            "name": data.normalization.name,
            "mean": data.normalization.mean,
            "std": data.normalization.std,
        },
    }


def _describe_epoch(epoch: int, epochs: int, records: list[EpochRecord]) -> str:
    reached = f", {100 * records[-1].test_accuracy:.1f} % right" if records else ""
    return f"epoch {epoch + 1}/{epochs}{reached}"
