"""What a network gives and costs, before and after: one row a state."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import torch
from torch import nn

from graphs.proportions import wilson_interval
from graphs.schema import COLUMNS
from pipeline.data import ImageData
from pipeline.devices import device_title
from pipeline.pruning.latency import FULL_BATCH, measure_latency, speedup
from pipeline.pruning.profile import count_macs, count_parameters
from pipeline.training import evaluate

BATCHES = (1, FULL_BATCH)


def measure_accuracy(
    model: nn.Module, data: ImageData, *, device: torch.device
) -> dict[str, float | int]:
    """Measure the accuracy with its 95 % interval (Wilson).

    Raises
    ------
    ModelError
        When the network does not fit the images.
    """
    accuracy = evaluate(model, data, device=device)
    correct = round(accuracy * len(data))
    low, high = wilson_interval(correct, len(data))
    return {
        "accuracy": accuracy,
        "accuracy_low": low,
        "accuracy_high": high,
        "correct": correct,
        "images": len(data),
    }


def measure_costs(
    original: nn.Module, pruned: nn.Module, shape: Sequence[int], *, device: torch.device
) -> dict[str, dict[str, Any]]:
    """Count and time two networks; they take turns, so that what disturbs one disturbs both.

    Parameters
    ----------
    original, pruned : Module
        Moved to the device.
    shape : sequence of int
        Channels, height, width.
    device : device
        Where they are timed.

    Returns
    -------
    dict
        Under ``original`` and ``pruned``: parameters, macs, seconds of a forward pass with
        quartiles for each batch, how many times faster than the original.
    """
    rows: dict[str, dict[str, Any]] = {
        name: {
            "parameters": count_parameters(model),
            "macs": count_macs(model, shape).total,
            "device": device_title(device),
        }
        for name, model in (("original", original), ("pruned", pruned))
    }
    for batch in BATCHES:
        found = measure_latency([original, pruned], shape, batch=batch, device=device)
        for row, latency in zip(rows.values(), found, strict=True):
            row |= {
                f"seconds_{batch}": latency.seconds,
                f"seconds_{batch}_low": latency.low,
                f"seconds_{batch}_high": latency.high,
                f"speedup_{batch}": speedup(found[0], latency)[0],
            }
    return rows


def make_table(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Put rows together as the table ``prune``."""
    return pd.DataFrame(rows, columns=COLUMNS["prune"].names)
