"""What is to stay: by a rule on the curve, by numbers, or by scores and a budget."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from graphs.confidence import DRAWS
from graphs.errors import PlanError
from graphs.resampling import bootstrap_curves, removal_rates
from pipeline.pruning.budget import Budget, meet_budget, order_of_removal
from pipeline.pruning.latency import measure_latency, speedup
from pipeline.pruning.parts import Part, find_stages
from pipeline.pruning.plan import cut
from pipeline.pruning.profile import count_macs, count_parameters
from pipeline.pruning.rules import Rule, on_a_hair, spread_of_margins
from pipeline.pruning.subject import Subject


@dataclass(frozen=True, kw_only=True, eq=False)
class Choice:
    """What is to stay, and how that was found.

    Attributes
    ----------
    rule : str
        Its name.
    settings : dict
        Its numbers.
    kept : sequence of int
        Positions of the layers that it keeps.
    scores : ndarray of float64, shape (L,)
        Which layer is worth more, where one has to stay: NaN is unknown.
    columns : dict of str to ndarray, shape (L,)
        Further figures of each layer.
    warnings : list of str
        What to know.
    unsure : sequence of str
        Layers nearer to the other decision than its spread.
    """

    rule: str
    settings: dict[str, Any]
    kept: Sequence[int]
    scores: NDArray[np.float64]
    columns: dict[str, NDArray[np.float64]]
    warnings: list[str]
    unsure: Sequence[str] = ()


def choose_by_rule(subject: Subject, rule: Rule, *, draws: int = DRAWS, seed: int = 0) -> Choice:
    """Apply a rule to the mean curve, and to the curve of every repeat and bootstrap draw.

    Parameters
    ----------
    subject : Subject
        With curves.
    rule : Rule
        The rule.
    draws : int
        Of the bootstrap over nodes, where the graphs are there.
    seed : int
        Of these draws.

    Raises
    ------
    PlanError
        When there is no curve, or the threshold lies outside its range.
    """
    if not len(subject.curves):
        raise PlanError("a rule needs a curve", "give a run, or --curve FILE")
    mean = subject.curves.mean(axis=0)
    rule.check(mean)
    columns = {
        "modularity": mean,
        "increment": np.diff(mean, prepend=np.nan),
        "margin": rule.margins(mean),
        "removed_in_repeats": removal_rates(subject.curves, rule),
    }
    drawn = _draw_curves(subject, draws=draws, seed=seed)
    if drawn is not None:
        columns["removed_in_bootstrap"] = removal_rates(drawn, rule)
        columns["margin_spread"] = spread_of_margins(rule, drawn)
    else:
        # of the mean curve, as the bootstrap's is
        count = len(subject.curves)
        columns["margin_spread"] = spread_of_margins(rule, subject.curves) / np.sqrt(count)
    names = [part.name for part in subject.parts]
    return Choice(
        rule=rule.name,
        settings={key: value for key, value in asdict(rule).items() if key != "name"},
        kept=rule(mean).tolist(),
        scores=mean,
        columns=columns,
        warnings=[],
        unsure=on_a_hair(names, columns["margin"], columns["margin_spread"]),
    )


def _draw_curves(subject: Subject, *, draws: int, seed: int) -> NDArray[np.float64] | None:
    """Return the mean curves over the repeats of every draw; None without graphs."""
    if not subject.sets or not draws:
        return None
    found = []
    for place, item in enumerate(subject.sets):
        graphs = [item.neighbours(at) for at in range(len(subject.parts))]
        labels = item.nodes["label"].to_numpy()
        own = int(np.random.SeedSequence([seed, place]).generate_state(1)[0])
        found.append(bootstrap_curves(graphs, labels, draws=draws, seed=own))
    mean: NDArray[np.float64] = np.mean(found, axis=0)
    return mean


def choose_by_counts(subject: Subject, stages: Sequence[int]) -> Choice:
    """Keep the first so many layers of each stage.

    Raises
    ------
    PlanError
        When the counts do not fit the network's stages.
    """
    found = find_stages(subject.parts)
    sizes = [len(stage) for stage in found]
    fits = len(stages) == len(sizes) and all(
        1 <= count <= size for count, size in zip(stages, sizes, strict=False)
    )
    if not fits:
        raise PlanError(
            f"--stages {','.join(map(str, stages))} does not fit the stages {sizes} of "
            f"{subject.network.model}",
            "give for each stage a number from 1 to its own",
        )
    inside = {part.index for stage in found for part in stage}
    kept = [part.index for part in subject.parts if part.index not in inside]
    for stage, count in zip(found, stages, strict=True):
        kept += [part.index for part in stage[:count]]
    return Choice(
        rule="stages",
        settings={"stages": list(stages)},
        kept=sorted(kept),
        scores=np.full(len(subject.parts), np.nan),
        columns={},
        warnings=[],
    )


def choose_by_scores(
    subject: Subject,
    scores: NDArray[np.float64],
    budget: Budget,
    *,
    criterion: str,
    device: torch.device,
) -> Choice:
    """Remove the layers of the lowest scores until a budget is met.

    Parameters
    ----------
    subject : Subject
        The network.
    scores : ndarray of float64, shape (repeats, L)
        Of every repeat: their mean decides.
    budget : Budget
        What may be left.
    criterion : str
        What the scores are called.
    device : device
        Where latency is measured, for a budget of it.

    Raises
    ------
    PlanError
        When the budget cannot be met.
    """
    mean = scores.mean(axis=0)
    removed = choose_removed(subject, mean, budget, device=device)
    rates = np.zeros(len(mean))
    for row in scores:
        # the layers that one repeat alone would take, by as many as all together take
        order = order_of_removal(subject.parts, row, find_stages(subject.parts))
        rates[[part.index for part in order[: len(removed)]]] += 1 / len(scores)
    gone = {part.index for part in removed}
    unknown = [p.name for p in subject.parts if not p.problem and not np.isfinite(mean[p.index])]
    return Choice(
        rule=criterion,
        settings={"budget": budget.quantity, "value": budget.value},
        kept=[part.index for part in subject.parts if part.index not in gone],
        scores=mean,
        columns={"score": mean, "removed_in_repeats": rates},
        warnings=[f"without a score, kept: {', '.join(unknown)}"] if unknown else [],
    )


def choose_removed(
    subject: Subject, scores: NDArray[np.float64], budget: Budget, *, device: torch.device
) -> list[Part]:
    """Return the layers that one set of scores gives up for a budget."""
    order = order_of_removal(subject.parts, scores, find_stages(subject.parts))
    if budget.quantity == "params":
        total = count_parameters(subject.model)
        return meet_budget(order, budget, left=lambda gone: 1 - _sum(gone, "parameters") / total)
    if budget.quantity == "latency":
        return meet_budget(
            order, budget, left=lambda gone: _latency_left(subject, gone, device=device)
        )
    total = count_macs(subject.model, subject.input_shape).total
    return meet_budget(order, budget, left=lambda gone: 1 - _sum(gone, "macs") / total)


def _sum(parts: Sequence[Part], attribute: str) -> int:
    return sum(getattr(part, attribute) for part in parts)


def _latency_left(subject: Subject, gone: Sequence[Part], *, device: torch.device) -> float:
    """Measure which share of the time of one image is left."""
    if not gone:
        return 1.0
    names = {part.name for part in gone}
    kept = [part.name for part in subject.parts if part.name not in names]
    smaller = cut(
        subject.model, subject.parts, kept=kept, surgery="identity", shape=subject.input_shape
    )
    before, after = measure_latency(
        [subject.model, smaller.model], subject.input_shape, batch=1, device=device
    )
    return 1 / speedup(before, after)[0]
