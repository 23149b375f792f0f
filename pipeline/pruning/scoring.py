"""Criteria for what a plan is made from: a run, a curve or a network alone."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from pipeline.options import Machine
from pipeline.progress import progress_bar
from pipeline.pruning.criteria import DRAWS, count_scores, score_layers
from pipeline.pruning.evidence import Evidence
from pipeline.pruning.subject import Subject


def gather_evidence(subject: Subject, *, seed: int, device: torch.device) -> list[Evidence]:
    """Return what criteria may look at, one for each repeat.

    Parameters
    ----------
    subject : Subject
        With node sets, with a curve alone, or with neither.
    seed : int
        Of everything random.
    device : device
        Where the network runs.
    """
    machine = Machine(device="cpu" if device.type == "cpu" else "cuda")
    if subject.sets and subject.data is not None:
        return [
            replace(
                Evidence.of_set(
                    item, subject.data, subject.model, parts=subject.parts, machine=machine
                ),
                seed=seed,
            )
            for item in subject.sets
        ]
    curves: list[NDArray[np.float64] | None] = [*subject.curves] or [None]
    return [
        Evidence.of_curve(subject.model, subject.parts, curve, seed=seed, repeat=repeat)
        for repeat, curve in enumerate(curves)
    ]


def score_subject(
    subject: Subject,
    names: Sequence[str],
    *,
    draws: int = DRAWS,
    seed: int = 0,
    device: torch.device,
) -> pd.DataFrame:
    """Score every layer by criteria; the table `criteria`.

    Raises
    ------
    PlanError
        For an unknown criterion, or one that needs what is not there.
    DataError, ModelError
        When the images have no labels, or the network gives no logits.
    """
    evidences = gather_evidence(subject, seed=seed, device=device)
    total = count_scores(evidences, names)
    with progress_bar("criteria", total, show=True, unit="scores") as advance:
        return score_layers(evidences, names, draws=draws, progress=advance)


def score_matrix(table: pd.DataFrame) -> NDArray[np.float64]:
    """Return the scores of one criterion, shape (repeats, L)."""
    rows = table.sort_values(["repeat", "layer_index"], kind="stable")
    scores: NDArray[np.float64] = rows["score"].to_numpy(np.float64)
    return scores.reshape(table["repeat"].nunique(), -1)
