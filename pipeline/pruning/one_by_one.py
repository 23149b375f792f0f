"""Layers that go one at a time, each chosen in the network as it was tuned before."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from graphs.errors import PlanError
from pipeline.console import log
from pipeline.data import draw_samples
from pipeline.options import Images, Neighbours
from pipeline.pruning.budget import order_of_removal
from pipeline.pruning.criteria import CRITERIA, DRAWN, NEED_NOTHING, score_layers
from pipeline.pruning.evidence import Evidence
from pipeline.pruning.folder import PruneFolder
from pipeline.pruning.parts import Part, find_parts, find_stages
from pipeline.pruning.plan import Plan
from pipeline.pruning.scoring import score_matrix
from pipeline.pruning.steps import Scene
from pipeline.pruning.surgery import Pruned, remove_parts

RULES = {"increment": "modularity", "plateau": "modularity"}  # the criterion behind a rule
COLUMNS = {"macs": "macs", "params": "parameters"}  # what a budget counts, as costs have it
_NOISE = 1e-9


def require_steps(plan: Plan) -> None:
    """Refuse a plan that cannot be followed one layer at a time.

    Raises
    ------
    PlanError
        When it is for another surgery.
    """
    if plan.surgery != "identity":
        raise PlanError(
            f"--iterative removes one layer at a time, the plan is for surgery {plan.surgery!r}",
            "make a plan with --surgery identity, or leave out --iterative",
        )


def cut_one_by_one(scene: Scene, folder: PruneFolder) -> Iterator[Pruned]:
    """Cut a layer more each time: the one of the lowest score in the network as it is then.

    The first goes by the plan's scores. Before each further one, what is left is scored again by
    the plan's criterion, on as many images. It ends where the plan's budget is met, or as many
    layers are gone as the plan removes.

    Parameters
    ----------
    scene : Scene
        The plan and the original, left as it was.
    folder : PruneFolder
        Keeps each choice, and has the costs of each step once it is taken.

    Yields
    ------
    Pruned
        With the weights of the step before. It has to be tuned, in place, before the next is asked
        for.

    Raises
    ------
    PlanError
        When no layer can go.
    """
    shape = scene.plan.input_shape
    parts = find_parts(scene.original, shape)
    depth = [part.name for part in parts]
    gone: list[str] = []
    last: Pruned | None = None
    while last is None or not _is_done(scene.plan, folder, gone):
        name = f"{len(gone) + 1:02d}-choice"
        found = folder.once(name, partial(_choose, scene, parts, gone, last))
        if found["layer"] is None:
            if last is None:
                raise PlanError("no layer has a score", "make the plan again, by a criterion")
            log.warning("no further layer can go: what the plan asks for is not reached")
            return
        gone.append(found["layer"])
        cut = remove_parts(scene.original, parts, sorted(gone, key=depth.index), input_shape=shape)
        if last is not None:
            cut.model.load_state_dict(carry_over(last, cut))
        yield cut
        last = cut


def criterion_of(plan: Plan) -> str | None:
    """Return the criterion by which a plan was made; None where numbers were given.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> rules = ("cka", "random-1", "increment", "running_maximum", "stages")
    >>> [criterion_of(SimpleNamespace(rule=rule)) for rule in rules]
    ['cka', 'random', 'modularity', 'running_maximum', None]
    """
    rule = RULES.get(plan.rule, plan.rule)
    rule = DRAWN if rule.startswith(f"{DRAWN}-") else rule
    return rule if rule in CRITERIA else None


def sampling_of(plan: Plan) -> dict[str, Any]:
    """Return how layers are scored again: as in the run of the plan, else as a run would."""
    images, links = Images(), Neighbours()
    usual = {
        "samples": images.samples,
        "repeats": images.repeats,
        "sampling": images.sampling,
        "seed": images.seed,
        "k": links.k,
        "metric": links.metric,
    }
    return {name: plan.dataset.get(name, value) for name, value in usual.items()}


def planned_scores(plan: Plan) -> list[float | None]:
    """Return the plan's score of each layer: a criterion's, or how far a rule was from removal."""
    return [layer.get("score", layer.get("margin")) for layer in plan.layers]


def carry_over(before: Pruned, after: Pruned) -> dict[str, Tensor]:
    """Return the weights of one step under the names of the next, which has fewer layers.

    Parameters
    ----------
    before, after : Pruned
        Cut from the same network by identity surgery; `after` has all that `before` lacks, removed.
    """
    state = before.model.state_dict()
    names = zip(before.copies["source"], before.copies["tensor"], strict=True)
    values = {source: state[name] for source, name in names}
    pairs = zip(after.copies["tensor"], after.copies["source"], strict=True)
    return {name: values[source] for name, source in pairs}


def _choose(
    scene: Scene, parts: Sequence[Part], gone: Sequence[str], last: Pruned | None
) -> Mapping[str, Any]:
    """Find the layer that goes next; None where none can."""
    plan, criterion = scene.plan, criterion_of(scene.plan)
    if criterion is None:  # no scores: the plan's own order
        return {"layer": next((name for name in plan.removed if name not in gone), None)}
    left = [part for part in parts if part.name not in gone]
    scores = np.full(len(parts), np.nan)
    if last is None:
        scores[:] = [np.nan if value is None else value for value in planned_scores(plan)]
    else:
        scores[[part.index for part in left]] = _score_again(scene, last.model, criterion)
    order = order_of_removal(left, scores, find_stages(left))
    known = {p.name: float(scores[p.index]) for p in left if np.isfinite(scores[p.index])}
    return {"layer": order[0].name if order else None, "criterion": criterion, "scores": known}


def _score_again(scene: Scene, model: nn.Module, criterion: str) -> NDArray[np.float64]:
    """Score the layers of a network, shape (L,): the mean over node sets like the plan's."""
    found = [
        score_matrix(score_layers([evidence], [criterion], draws=1))[0]
        for evidence in _gather(scene, model, criterion)
    ]
    mean: NDArray[np.float64] = np.mean(found, axis=0)
    return mean


def _gather(scene: Scene, model: nn.Module, criterion: str) -> Iterator[Evidence]:
    """Collect what a criterion looks at, one node set after the other."""
    how = sampling_of(scene.plan)
    if criterion in NEED_NOTHING:
        parts = find_parts(model, scene.plan.input_shape)
        yield Evidence.of_curve(model, parts, None, seed=how["seed"])
        return
    data = scene.train_data if scene.plan.dataset.get("split") == "train" else scene.test_data
    samples = min(how["samples"], len(data))
    draw = draw_samples(
        data.labels, samples, how["repeats"], sampling=how["sampling"], seed=how["seed"]
    )
    for repeat, nodes in enumerate(draw.indices):
        yield Evidence.of_arrays(
            model,
            data.images(nodes),
            data.labels[nodes],
            k=how["k"],
            metric=how["metric"],
            seed=how["seed"],
            repeat=repeat,
            device=scene.device,
        )


def _is_done(plan: Plan, folder: PruneFolder, gone: Sequence[str]) -> bool:
    """Whether the last step reached what the plan asks for."""
    costs = folder.done(f"{len(gone):02d}-costs") or {}
    budget, value = plan.settings.get("budget"), plan.settings.get("value")
    if budget in COLUMNS and isinstance(value, int | float):
        column = COLUMNS[budget]
        return bool(costs["pruned"][column] / costs["original"][column] <= value + _NOISE)
    if budget == "latency" and isinstance(value, int | float):
        return bool(1 / costs["pruned"]["speedup_1"] <= value)
    return len(gone) >= len(plan.removed)
