"""Surgery and tuning, all at once or layer by layer; each step is done once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from graphs.errors import PlanError
from pipeline.console import log
from pipeline.data import ImageData
from pipeline.models.weights import read_state_dict
from pipeline.pruning.folder import PruneFolder
from pipeline.pruning.parts import find_parts
from pipeline.pruning.plan import Plan, follow_plan
from pipeline.pruning.states import measure_accuracy, measure_costs
from pipeline.pruning.surgery import Pruned, remove_parts
from pipeline.pruning.tuning import Tuning
from pipeline.training import Teacher, train


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """What all steps share.

    Attributes
    ----------
    plan : Plan
        What goes.
    original : Module
        The network that it was made for.
    train_data, test_data : ImageData
        What is learnt from, and what accuracy is measured on.
    tuning : Tuning
        How it is trained on.
    teacher : Teacher or None
        The original, where it is learnt from.
    device : device
        Where.
    progress : bool
        Whether to show a bar.
    """

    plan: Plan
    original: nn.Module
    train_data: ImageData
    test_data: ImageData
    tuning: Tuning
    teacher: Teacher | None
    device: torch.device
    progress: bool


def order_of_steps(plan: Plan) -> list[str]:
    """Order the layers that go one at a time: the lowest score, or increment of Q, first.

    Raises
    ------
    PlanError
        When the plan is for another surgery.
    """
    if plan.surgery != "identity":
        raise PlanError(
            f"--iterative removes one layer at a time, the plan is for surgery {plan.surgery!r}",
            "make a plan with --surgery identity, or leave out --iterative",
        )
    scores = {}
    for layer in plan.layers:
        found = layer.get("score", layer.get("increment"))
        # without a score the last in the network are the last to go
        scores[layer["name"]] = float("inf") if found is None else float(found)
    return sorted(plan.removed, key=lambda name: scores[name])


def cut_at_once(scene: Scene) -> list[Pruned]:
    """Follow the plan in one step."""
    return [follow_plan(scene.original, scene.plan, seed=scene.tuning.seed)]


def cut_one_by_one(scene: Scene) -> list[Pruned]:
    """Cut the original once for every step, a layer more each time."""
    follow_plan(scene.original, scene.plan)  # that the plan fits is checked there
    order, shape = order_of_steps(scene.plan), scene.plan.input_shape
    parts = find_parts(scene.original, shape)
    depth = [part.name for part in parts]
    return [
        remove_parts(
            scene.original, parts, sorted(order[:count], key=depth.index), input_shape=shape
        )
        for count in range(1, len(order) + 1)
    ]


def take_steps(scene: Scene, folder: PruneFolder, cuts: Sequence[Pruned]) -> list[dict[str, Any]]:
    """Tune and measure every step; return the rows of the table ``prune``.

    What is done is not done again. The last network has its tuned weights afterwards.

    Raises
    ------
    DataError, ModelError, RunError
        What `pipeline.training.train` raises.
    """
    before = folder.once(
        "original",
        lambda: measure_accuracy(scene.original, scene.test_data, device=scene.device),
    )
    log.info("original: accuracy %.2f %%", 100 * before["accuracy"])
    rows: list[dict[str, Any]] = [{"step": 0, "state": "original", "removed": "", **before}]
    gone: tuple[str, ...] = ()
    last: Pruned | None = None
    costs: dict[str, Any] = {}
    for step, cut in enumerate(cuts, start=1):
        if last is not None:
            cut.model.load_state_dict(carry_over(last, cut))
        # of another depth the plan knows which layers went, the cut only whose places
        names = scene.plan.removed if len(cuts) == 1 else cut.removed
        head = {"step": step, "removed": ",".join(n for n in names if n not in gone)}
        where = f"{step:02d}-" if len(cuts) > 1 else ""
        costs = folder.once(f"{where}costs", lambda cut=cut: _cost(scene, cut))  # type: ignore[misc]
        found = folder.once(f"{where}surgery", lambda cut=cut: _accuracy(scene, cut))  # type: ignore[misc]
        log.info(
            "without %s: accuracy %.2f %%", head["removed"] or "nothing", 100 * found["accuracy"]
        )
        rows.append({**head, "state": "surgery", **found, **costs["pruned"]})
        lowest = found["accuracy_low"]
        found = _tune(scene, folder, cut, where)
        log.info("tuned: accuracy %.2f %%", 100 * found["accuracy"])
        if found["accuracy"] < lowest:
            log.warning("tuning lowered the accuracy: try a lower --lr, or more --epochs")
        rows.append({**head, "state": "tuned", **found, **costs["pruned"]})
        gone, last = cut.removed, cut
    rows[0] |= costs["original"]
    return rows


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


def _cost(scene: Scene, cut: Pruned) -> Mapping[str, Any]:
    shape = scene.plan.input_shape
    return measure_costs(scene.original, cut.model, shape, device=scene.device)


def _accuracy(scene: Scene, cut: Pruned) -> Mapping[str, Any]:
    return measure_accuracy(cut.model, scene.test_data, device=scene.device)


def _tune(scene: Scene, folder: PruneFolder, cut: Pruned, where: str) -> dict[str, Any]:
    place = folder.root / "tuning" / where.removesuffix("-")
    weights, name = place / "weights.pt", f"{where}tuned"
    found = folder.done(name)
    if found is not None and weights.exists():
        cut.model.load_state_dict(read_state_dict(weights))
        return found
    train(
        cut.model,
        scene.train_data,
        scene.test_data,
        out=place,
        recipe=scene.tuning,
        device=scene.device,
        architecture={"model": scene.plan.model, "removed": list(cut.removed)},
        teacher=scene.teacher,
        progress=scene.progress,
    )
    return folder.once(name, lambda: _accuracy(scene, cut))
