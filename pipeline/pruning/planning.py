"""From a choice to a plan: what has to stay, and what the smaller network costs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from graphs.errors import PlanError
from pipeline.devices import device_title
from pipeline.pruning.choosing import Choice
from pipeline.pruning.latency import FULL_BATCH, measure_latency, speedup
from pipeline.pruning.origin import digest_run
from pipeline.pruning.parts import Part, find_stages
from pipeline.pruning.plan import Plan, Surgery, cut, protect
from pipeline.pruning.profile import count_macs, count_parameters
from pipeline.pruning.subject import Subject

EVEN = 0.05  # quartiles no further apart than this share: nothing disturbed the rounds


def make_plan(
    subject: Subject, choice: Choice, *, surgery: Surgery, device: torch.device, seed: int = 0
) -> Plan:
    """Turn a choice into a plan: what has to stay, and what the smaller network costs.

    Parameters
    ----------
    subject : Subject
        The network.
    choice : Choice
        What is to stay.
    surgery : {"identity", "depth"}
        How the smaller network is built.
    device : device
        Where latency is measured.
    seed : int
        Of what surgery initialises afresh.

    Raises
    ------
    PlanError
        When nothing would be removed.
    ModelError
        When the smaller network does not run.
    """
    parts = subject.parts
    kept, protected = _settle(subject, choice, surgery)
    smaller = cut(
        subject.model, parts, kept=kept, surgery=surgery, shape=subject.input_shape, seed=seed
    ).model
    stages = find_stages(parts)
    latency = time_both(subject.model, smaller, subject.input_shape, device=device)
    return Plan(
        model=subject.network.model,
        weights=subject.network.weights,
        classes=subject.classes,
        input_shape=list(subject.input_shape),
        dataset=images_of(subject),
        rule=choice.rule,
        settings=choice.settings,
        surgery=surgery,
        kept=kept,
        removed=[part.name for part in parts if part.name not in kept],
        stages=[sum(part.name in kept for part in stage) for stage in stages],
        stages_before=[len(stage) for stage in stages],
        protected=protected,
        params_before=count_parameters(subject.model),
        params_after=count_parameters(smaller),
        macs_before=count_macs(subject.model, subject.input_shape).total,
        macs_after=count_macs(smaller, subject.input_shape).total,
        latency=latency,
        device=device_title(device),
        layers=[
            _describe(part, choice, kept=part.name in kept, movable=_movable(part, surgery))
            for part in parts
        ],
        warnings=[*choice.warnings, *_on_a_hair(parts, choice, surgery), *_on_times(latency)],
        made_from=digest_run(subject.sets[0].run) if subject.sets else "",
    )


def _settle(subject: Subject, choice: Choice, surgery: Surgery) -> tuple[list[str], dict[str, str]]:
    """Return the names of the layers that stay, and why those stay that the choice removes."""
    parts, scores = subject.parts, np.nan_to_num(choice.scores).tolist()
    staying, protected = protect(parts, choice.kept, surgery=surgery, scores=scores)
    if len(staying) == len(parts):
        reasons = "; ".join(f"{name}: {why}" for name, why in list(protected.items())[:3])
        raise PlanError(
            f"nothing would be removed from {subject.network.model}"
            + (f" ({reasons})" if reasons else ""),
            "choose another threshold or budget, or --surgery depth",
        )
    return [part.name for part in staying], protected


def _on_a_hair(parts: Sequence[Part], choice: Choice, surgery: Surgery) -> list[str]:
    """Name the layers whose decision is unsure, of those that this surgery can remove."""
    return [
        f"{part.name} hangs on a hair: {abs(choice.columns['margin'][part.index]):.3f} from the "
        f"other decision, with a spread of {choice.columns['margin_spread'][part.index]:.3f}"
        for part in parts
        if part.name in choice.unsure and _movable(part, surgery)
    ]


def _movable(part: Part, surgery: Surgery) -> bool:
    return not part.problem or (surgery == "depth" and part.index > 0)


def time_both(
    before: nn.Module, after: nn.Module, input_shape: Sequence[int], *, device: torch.device
) -> list[dict[str, Any]]:
    """Measure two networks in turn, with one image and with a full batch."""
    rows = []
    for batch in (1, FULL_BATCH):
        first, second = measure_latency([before, after], input_shape, batch=batch, device=device)
        faster, low, high = speedup(first, second)
        rows.append(
            {
                "batch": batch,
                "before": first.seconds,
                "before_quartiles": [first.low, first.high],
                "after": second.seconds,
                "after_quartiles": [second.low, second.high],
                "speedup": faster,
                "speedup_quartiles": [low, high],
            }
        )
    return rows


def _on_times(latency: Sequence[dict[str, Any]]) -> list[str]:
    """Say in which batches the rounds differ by more than before and after do."""
    uneven = [str(row["batch"]) for row in latency if _is_uneven(row)]
    said = f"uneven times in batches of {' and '.join(uneven)}: measure again on an idle machine"
    return [said] if uneven else []


def _is_uneven(row: dict[str, Any]) -> bool:
    """Whether quartiles lie further apart than the two networks, in seconds or as a ratio."""
    spreads = [high - low for low, high in (row["before_quartiles"], row["after_quartiles"])]
    low, high = row["speedup_quartiles"]
    return bool(
        max(spreads) > max(abs(row["before"] - row["after"]), EVEN * row["before"])
        or high - low > max(abs(row["speedup"] - 1), EVEN)
    )


def images_of(subject: Subject) -> dict[str, Any]:
    """Return the images of a run, and how they were linked, as options; empty without one."""
    images = subject.images
    if images is None:
        return {}
    links = subject.sets[0].links["parameters"]
    return {
        "dataset": images.dataset,
        "data": None if images.data is None else str(images.data),
        "split": images.split,
        "normalize": images.normalize,
        "image_size": images.image_size,
        "samples": images.samples,
        "repeats": images.repeats,
        "sampling": images.sampling,
        "seed": images.seed,
        "k": links["k"],
        "metric": links["metric"],
    }


def _describe(part: Part, choice: Choice, *, kept: bool, movable: bool) -> dict[str, Any]:
    figures = {
        name: None if np.isnan(values[part.index]) else float(values[part.index])
        for name, values in choice.columns.items()
    }
    if not movable:  # how often a rule would remove what cannot go says nothing
        figures |= dict.fromkeys((n for n in figures if n.startswith("removed_in")), None)
    return {
        "index": part.index,
        "name": part.name,
        "kind": part.kind,
        "shape": list(part.shape),
        "parameters": part.parameters,
        "macs": part.macs,
        "kept": kept,
        "problem": part.problem,
        **figures,
    }
