"""A network in training for its neurons: one epoch, and what is kept of it."""

import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphs.errors import ModelError
from pipeline.data import ImageData
from pipeline.neurons.masks import apply_masks, choose_masks, weights_of
from pipeline.neurons.penalties import penalty, require_chain, rescale_neurons
from pipeline.neurons.recipe import MASK_EVERY, NeuronRecipe
from pipeline.training import checkpoints
from pipeline.training.batches import Batches
from pipeline.training.evaluation import fit_model, measure_accuracy
from pipeline.training.results import write_history

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


class NeuronRun:
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
        columns = [field.name for field in fields(NeuronEpoch)]
        return pd.DataFrame([asdict(record) for record in self.records], columns=columns)

    def save(self, path: Path) -> None:
        """Write the weights, in the form that ``--weights`` takes."""
        accuracy = self.records[-1].test_accuracy if self.records else None
        state, done = checkpoints.copy_state(self.model), len(self.records)
        checkpoints.save_weights(path, state, about=self.about, epoch=done, accuracy=accuracy)

    def save_state(self, out: Path) -> None:
        """Write what the epoch changed, the state last: a kill in between repeats the epoch."""
        write_history(out / HISTORY, self.history())
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
