"""Tuning and measuring, all at once or layer by layer; each step is done once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from pipeline.console import log
from pipeline.data import ImageData
from pipeline.models.weights import read_state_dict
from pipeline.pruning.folder import PruneFolder
from pipeline.pruning.plan import Plan
from pipeline.pruning.states import measure_accuracy, measure_costs
from pipeline.pruning.surgery import Pruned
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


def take_steps(
    scene: Scene, folder: PruneFolder, cuts: Iterable[Pruned], *, numbered: bool = False
) -> tuple[list[dict[str, Any]], Pruned]:
    """Tune and measure every step; what is done is not done again.

    Parameters
    ----------
    scene : Scene
        What all steps share.
    folder : PruneFolder
        Where they are kept.
    cuts : iterable of Pruned
        One network a step, at least one; tuned in place.
    numbered : bool
        Whether there may be several: each has a number, and says itself what it lacks. Of another
        depth the plan alone knows which layers went, the cut only whose places.

    Returns
    -------
    list of dict, Pruned
        The rows of the table ``prune``, and the last network, with its tuned weights.

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
    gone: Sequence[str] = ()
    for step, cut in enumerate(cuts, start=1):
        names = cut.removed if numbered else scene.plan.removed
        where = f"{step:02d}-" if numbered else ""
        costs = folder.once(f"{where}costs", lambda cut=cut: _cost(scene, cut))  # type: ignore[misc]
        head = {"step": step, "removed": ",".join(name for name in names if name not in gone)}
        for state, found in _measure(scene, folder, cut, where, removed=head["removed"]).items():
            rows.append({**head, "state": state, **found, **costs["pruned"]})
        gone = names
    rows[0] |= costs["original"]
    return rows, cut


def _measure(
    scene: Scene, folder: PruneFolder, cut: Pruned, where: str, *, removed: object
) -> dict[str, Mapping[str, Any]]:
    """Measure the accuracy of a step after surgery and after tuning."""
    surgery = folder.once(f"{where}surgery", lambda: _accuracy(scene, cut))
    log.info("without %s: accuracy %.2f %%", removed or "nothing", 100 * surgery["accuracy"])
    tuned = _tune(scene, folder, cut, where)
    log.info("tuned: accuracy %.2f %%", 100 * tuned["accuracy"])
    if tuned["accuracy"] < surgery["accuracy_low"]:
        log.warning("tuning lowered the accuracy: try a lower --lr, or more --epochs")
    return {"surgery": surgery, "tuned": tuned}


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
