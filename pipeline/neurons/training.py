"""Train and prune a network; go on after an interruption."""

import io
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphs.errors import DataError, ModelError
from graphs.files import replacing, sweep
from pipeline.data import ImageData
from pipeline.devices import require_writable
from pipeline.neurons.dropout import add_dropout
from pipeline.neurons.initial import initialize_neurons
from pipeline.neurons.masks import apply_masks, choose_masks, weights_of
from pipeline.neurons.penalties import penalty, require_chain, rescale_neurons
from pipeline.neurons.recipe import MASK_EVERY, NeuronRecipe
from pipeline.progress import progress_bar
from pipeline.training import checkpoints
from pipeline.training.batches import Batches
from pipeline.training.evaluation import fit_model, measure_accuracy

Phase = Literal["train", "prune"]
EPSILON = 1e-7  # of Adam, as in Keras
UNPRUNED, PRUNED, HISTORY = "unpruned.pt", "pruned.pt", "history.csv"


@dataclass(frozen=True, kw_only=True)
class NeuronEpoch:
    """What one epoch gave.

    Attributes
    ----------
    epoch : int
        Counted from 1, through both phases.
    phase : {"train", "prune"}
        Before or during pruning.
    train_loss : float
        Mean over the training images while the weights changed, penalties included.
    train_accuracy, test_accuracy : float
        While the weights changed; after the epoch.
    sparsity : float
        Share of the weights that are 0 after it.
    seconds : float
        Time of the epoch, test included.
    """

    epoch: int
    phase: Phase
    train_loss: float
    train_accuracy: float
    test_accuracy: float
    sparsity: float
    seconds: float


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
    _check(train_data, test_data)
    require_writable(out)
    initialize_neurons(model, plan.initial, seed=plan.seed)
    if plan.dropout:
        add_dropout(model, plan.dropout)
    run = _Run(model, train_data, test_data, recipe=plan, device=place)
    run.about = {
        "recipe": plan.as_dict(),
        "dataset": train_data.name,
        "input_shape": train_data.input_shape,
        "label_names": train_data.label_names,
        "architecture": dict(architecture or {}),
    }
    out.mkdir(parents=True, exist_ok=True)
    sweep(out)
    if force:
        for name in (checkpoints.LAST, UNPRUNED, PRUNED, HISTORY):
            (out / name).unlink(missing_ok=True)
    resumed_from = run.resume(out / checkpoints.LAST)
    total = plan.epochs + plan.pruning_epochs
    with (
        torch.random.fork_rng(devices=[place] if place.type == "cuda" else []),
        progress_bar("training", total, show=progress, unit="epochs") as advance,
    ):
        advance(resumed_from)
        if plan.epochs == 0 and resumed_from == 0:
            run.save(out / UNPRUNED)
        for epoch in range(resumed_from, total):
            run.epoch(epoch)
            run.save_state(out)
            advance(1)
    return NeuronTraining(
        unpruned=out / UNPRUNED,
        pruned=out / PRUNED if plan.pruning_epochs else None,
        history=run.history(),
        resumed_from=resumed_from,
    )


def _check(train_data: ImageData, test_data: ImageData) -> None:
    if train_data.input_shape != test_data.input_shape:
        raise DataError(
            f"training images have shape {train_data.input_shape}, test images "
            f"{test_data.input_shape}",
            "prepare both alike",
        )
    if train_data.source.digest() == test_data.source.digest():
        raise DataError(
            "training and test images are the same: the accuracy would mean nothing",
            "choose a data set with two splits",
        )


class _Run:
    """A network in training: what changes from epoch to epoch."""

    def __init__(
        self,
        model: nn.Module,
        train_data: ImageData,
        test_data: ImageData,
        *,
        recipe: NeuronRecipe,
        device: torch.device,
    ) -> None:
        self.memory_format = fit_model(model, train_data, device=device)
        fit_model(model, test_data, device=device)
        self.model, self.recipe, self.device = model, recipe, device
        self.weights = weights_of(model)
        chained = recipe.clusterability or recipe.rescale
        self.chain = require_chain(model) if chained else []
        self.train_batches = Batches.of(train_data, device)
        self.test_batches = Batches.of(test_data, device)
        self.optimizer = self._fresh_optimizer()
        self.masks: list[Tensor] | None = None
        self.records: list[NeuronEpoch] = []
        self.about: dict[str, Any] = {}
        self.identity = {
            **recipe.as_dict(),
            "model": checkpoints.digest_state(model),
            "training images": train_data.digest(),
        }

    def _fresh_optimizer(self) -> torch.optim.Adam:
        parameters = self.model.parameters()
        return torch.optim.Adam(parameters, lr=self.recipe.lr, eps=EPSILON, fused=True)

    def epoch(self, epoch: int) -> None:
        """Train for one epoch and test."""
        start = time.perf_counter()
        phase: Phase = "train" if epoch < self.recipe.epochs else "prune"
        if epoch == self.recipe.epochs:
            self.optimizer = self._fresh_optimizer()
        torch.manual_seed(self.recipe.seed_of(epoch))
        first = (epoch - self.recipe.epochs) if phase == "prune" else None
        loss, accuracy = self._pass(first)
        if not torch.isfinite(torch.tensor(loss)):
            raise ModelError(
                f"the loss is {loss} in epoch {epoch + 1}",
                "lower --lr or the penalties, or look for values that are not finite in the images",
            )
        zeros = sum(int((weight == 0).sum()) for weight in self.weights)
        test = measure_accuracy(
            self.model,
            self.test_batches,
            batch_size=2048,
            memory_format=self.memory_format,
        )
        self.records.append(
            NeuronEpoch(
                epoch=epoch + 1,
                phase=phase,
                train_loss=loss,
                train_accuracy=accuracy,
                test_accuracy=test,
                sparsity=zeros / sum(weight.numel() for weight in self.weights),
                seconds=time.perf_counter() - start,
            )
        )

    def _pass(self, pruned_epochs: int | None) -> tuple[float, float]:
        """Go through the training images; `pruned_epochs` is None before pruning."""
        count, size = len(self.train_batches.labels), self.recipe.batch_size
        order = torch.randperm(count)
        each = -(-count // size)
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        correct = torch.zeros((), dtype=torch.int64, device=self.device)
        self.model.train()
        for step, (images, labels) in enumerate(self.train_batches.iterate(order, size)):
            if pruned_epochs is not None:
                self._prune(pruned_epochs * each + step, each * self.recipe.pruning_epochs)
            if self.recipe.rescale:
                rescale_neurons(self.chain)
            logits = self.model(images.contiguous(memory_format=self.memory_format))
            loss = F.cross_entropy(logits, labels)
            if self.recipe.l1 or self.recipe.l2 or self.recipe.clusterability:
                loss = loss + penalty(self.weights, self.recipe)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]  # torch has no types here
            self.optimizer.step()
            total += loss.detach() * len(labels)
            correct += (logits.detach().argmax(dim=1) == labels).sum()
        if pruned_epochs is not None:
            if pruned_epochs + 1 == self.recipe.pruning_epochs:
                self.masks = choose_masks(self.weights, self.recipe.sparsity)
            apply_masks(self.weights, self.masks or [])
        return float(total) / count, int(correct) / count

    def _prune(self, step: int, steps: int) -> None:
        if step % MASK_EVERY == 0 or self.masks is None:
            self.masks = choose_masks(self.weights, self.recipe.sparsity_at(step, steps))
        apply_masks(self.weights, self.masks)

    def history(self) -> pd.DataFrame:
        """Return one row an epoch."""
        return pd.DataFrame([asdict(record) for record in self.records])

    def save(self, path: Path) -> None:
        """Write the weights, in the form that ``--weights`` takes."""
        accuracy = self.records[-1].test_accuracy if self.records else None
        state = checkpoints.copy_state(self.model)
        checkpoints.save(
            path,
            {
                **self.about,
                "state_dict": state,
                "epoch": len(self.records),
                "test_accuracy": accuracy,
            },
        )

    def save_state(self, out: Path) -> None:
        """Write what the epoch changed, the state last: a kill in between repeats the epoch."""
        table = io.StringIO()
        self.history().to_csv(table, index=False)
        with replacing(out / HISTORY) as temporary:
            temporary.write_text(table.getvalue(), "utf-8")
        done, plan = len(self.records), self.recipe
        if done == plan.epochs:
            self.save(out / UNPRUNED)
        if plan.pruning_epochs and done == plan.epochs + plan.pruning_epochs:
            self.save(out / PRUNED)
        checkpoints.save(
            out / checkpoints.LAST,
            {
                "format": checkpoints.FORMAT,
                "identity": self.identity,
                "state_dict": checkpoints.copy_state(self.model),
                "optimizer": self.optimizer.state_dict(),
                "masks": self.masks,
                "history": [asdict(record) for record in self.records],
            },
        )

    def resume(self, path: Path) -> int:
        """Take up a saved state; return how many epochs it has behind it."""
        if not path.exists():
            return 0
        saved = checkpoints.load(path, device=self.device)
        checkpoints.require_same(path, saved=saved["identity"], now=self.identity)
        self.model.load_state_dict(saved["state_dict"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.masks = saved["masks"]
        self.records = [NeuronEpoch(**record) for record in saved["history"]]
        return len(self.records)
