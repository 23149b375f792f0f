"""What training gives: a record an epoch, and the network at the end."""

import io
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from torch import nn

from graphs.files import replacing


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """What one epoch gave.

    Attributes
    ----------
    epoch : int
        Counted from 1: the number of finished epochs.
    lr : float
        Learning rate of the epoch.
    train_loss, train_accuracy : float
        Mean over the (augmented) training images while the weights changed.
    test_accuracy : float
        After the epoch.
    seconds : float
        Time of the epoch, test included.
    """

    epoch: int
    lr: float
    train_loss: float
    train_accuracy: float
    test_accuracy: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """A trained network and how it came about.

    Attributes
    ----------
    model : Module
        The network that was handed in, trained, in evaluation mode.
    history : DataFrame
        One row an epoch: ``epoch, lr, train_loss, train_accuracy, test_accuracy, seconds``.
    test_accuracy : float
        Of the last epoch.
    weights : Path
        The file ``weights.pt``, which `pipeline.models.load_model` reads.
    resumed_from : int
        Epochs that an earlier call had finished.
    """

    model: nn.Module
    history: pd.DataFrame
    test_accuracy: float
    weights: Path
    resumed_from: int


def write_history(path: Path, history: pd.DataFrame) -> None:
    """Write a row an epoch as CSV; the file is whole or not there."""
    table = io.StringIO()
    history.to_csv(table, index=False)
    with replacing(path) as temporary:
        temporary.write_text(table.getvalue(), "utf-8")
