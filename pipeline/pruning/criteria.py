"""What layers are worth: every criterion behind one contract, and the table of all scores."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from graphs.errors import PlanError
from graphs.schema import COLUMNS
from pipeline.near_names import near_names
from pipeline.pruning.criteria_of_features import (
    angle,
    cka_distance,
    cka_without,
    influence,
    probe_gain,
)
from pipeline.pruning.criteria_of_graphs import above_maximum, leiden_gain, modularity_gain
from pipeline.pruning.criteria_of_weights import (
    accuracy_drop,
    magnitude,
    require_logits,
    taylor,
)
from pipeline.pruning.evidence import Evidence

Criterion = Callable[[Evidence], NDArray[np.float64]]
DRAWN = "random"  # the one criterion of which there are several draws
DRAWS = 3
NEED_LOGITS = frozenset({"reinitialize", "taylor"})
OF_CURVES = frozenset({"modularity", "running_maximum"})
NEED_NOTHING = frozenset({"magnitude", "random", "tail"})  # but the network
NEED_LABELS = NEED_LOGITS | OF_CURVES | {"probe"}


class Entry(NamedTuple):
    """A criterion and what it is.

    Attributes
    ----------
    function : callable
        Evidence in; one number a layer out, shape (L,), higher where the layer is more worth
        keeping, NaN where the criterion says nothing of it.
    about : str
        One line, with the source.
    """

    function: Criterion
    about: str


def random_order(evidence: Evidence) -> NDArray[np.float64]:
    """Draw scores uniformly; the same for all repeats, so that a draw is one order of layers."""
    return np.random.default_rng([evidence.seed, evidence.draw]).random(len(evidence.parts))


def last_first(evidence: Evidence) -> NDArray[np.float64]:
    """Score layers by how many come after them: the last goes first."""
    return np.arange(len(evidence.parts), dtype=np.float64)[::-1]


CRITERIA: dict[str, Entry] = {
    "modularity": Entry(modularity_gain, "gain in Q over the layer before (Lu et al. 2022)"),
    "running_maximum": Entry(
        above_maximum, "Q less the largest Q before (released code of Lu et al. 2022)"
    ),
    "leiden": Entry(
        leiden_gain, "gain in Leiden's Q*, without labels (Traag et al. 2019; ours as a criterion)"
    ),
    "cka": Entry(
        cka_distance, "1 - linear CKA of a layer's input and output (Kornblith et al. 2019)"
    ),
    "cka_zeroed": Entry(
        cka_without, "1 - CKA of the penultimate features with and without it (Pons et al. 2024)"
    ),
    "block_influence": Entry(
        influence, "1 - mean cosine of input and output (ShortGPT, Men et al. 2024)"
    ),
    "angular": Entry(angle, "mean angle between input and output / pi (Gromov et al. 2024)"),
    "probe": Entry(
        probe_gain, "gain in accuracy of a linear probe (Alain & Bengio 2016; Chen & Zhao 2018)"
    ),
    "reinitialize": Entry(
        accuracy_drop, "accuracy lost with its weights drawn anew (SR-init, Tang et al. 2023)"
    ),
    "taylor": Entry(taylor, "sum of |w * gradient of the loss| (Molchanov et al. 2019)"),
    "magnitude": Entry(magnitude, "sum of |w| (Han et al. 2015; Li et al. 2017)"),
    "random": Entry(random_order, "drawn by the seed: a baseline, in several draws"),
    "tail": Entry(last_first, "the last layer goes first: a baseline"),
}


def choose_criteria(names: Sequence[str]) -> list[str]:
    """Check the names of criteria; ``all`` is every one.

    Raises
    ------
    PlanError
        For a name that is none, with those near it.

    Examples
    --------
    >>> choose_criteria(["tail", "cka", "tail"])
    ['tail', 'cka']
    """
    chosen: list[str] = []
    for name in names:
        if name != "all" and name not in CRITERIA:
            near = ", ".join(near_names(name, CRITERIA))
            raise PlanError(f"there is no criterion {name!r}", f"near names: {near}; or take all")
        chosen += CRITERIA if name == "all" else [name]
    if not chosen:
        raise PlanError("no criterion was named", f"choose from {', '.join(CRITERIA)}, or all")
    return list(dict.fromkeys(chosen))


def score_layers(
    evidences: Sequence[Evidence],
    names: Sequence[str],
    *,
    draws: int = DRAWS,
    progress: Callable[[int], None] | None = None,
) -> pd.DataFrame:
    """Score every layer by every criterion, in every node set.

    Parameters
    ----------
    evidences : sequence of Evidence
        One a repeat.
    names : sequence of str
        Criteria, or ``all``.
    draws : int
        Of the criterion ``random``: ``random-0``, ``random-1``, ...
    progress : callable, optional
        Is given 1 after each criterion of each repeat: `count_scores` of them.

    Returns
    -------
    DataFrame
        The table `criteria`: ``criterion, repeat, layer_index, layer, score``, NaN where a
        criterion says nothing of a layer.

    Raises
    ------
    PlanError
        For an unknown criterion, no node set, or fewer than one draw.
    DataError, ModelError
        When a criterion needs labels or logits that are not there.
    """
    chosen = choose_criteria(names)
    if not evidences or draws < 1:
        raise PlanError(
            f"{len(evidences)} node sets and draws={draws} give no scores", "take at least one"
        )
    for evidence in evidences:
        _require(evidence, chosen)
    tables = []
    for evidence in evidences:
        for name in chosen:
            several = name == DRAWN
            for draw in range(draws if several else 1):
                given = replace(evidence, draw=draw) if several else evidence
                scores = CRITERIA[name].function(given)
                tables.append(_table(f"{name}-{draw}" if several else name, evidence, scores))
            if progress:
                progress(1)
        evidence.forget()
    return pd.concat(tables, ignore_index=True)


def _require(evidence: Evidence, chosen: Sequence[str]) -> None:
    """Find out before long work whether there is what criteria need."""
    if evidence.absent is not None:
        for name in chosen:
            if name in OF_CURVES and evidence.known_curve is None:
                raise PlanError(f"criterion {name} needs a curve", "give a run, or --curve FILE")
            if name not in OF_CURVES | NEED_NOTHING:
                raise PlanError(f"criterion {name} needs samples and their features", "give a run")
        return
    if NEED_LABELS.intersection(chosen):
        _ = evidence.labels
    if NEED_LOGITS.intersection(chosen):
        require_logits(evidence)


def count_scores(evidences: Sequence[Evidence], names: Sequence[str]) -> int:
    """Return how often `score_layers` reports progress."""
    return len(evidences) * len(choose_criteria(names))


def _table(name: str, evidence: Evidence, scores: NDArray[np.float64]) -> pd.DataFrame:
    columns = COLUMNS["criteria"].names
    values = {
        "criterion": name,
        "repeat": np.int32(evidence.repeat),
        "layer_index": np.array([part.index for part in evidence.parts], np.int32),
        "layer": [part.name for part in evidence.parts],
        "score": scores,
    }
    return pd.DataFrame(values, columns=list(columns))
