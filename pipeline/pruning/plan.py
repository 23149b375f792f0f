"""The plan: what stays, what goes and why, and what it will cost and save, as a JSON file."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from torch import nn

from graphs.cards import card
from graphs.errors import PlanError, RunError
from graphs.files import read_json, write_json
from pipeline.console import plural
from pipeline.pruning.parts import Part, find_parts, find_stages
from pipeline.pruning.surgery import Pruned, configure_depth, remove_parts

FORMAT = "plan/1"
_TOLD = {"index", "name", "shape", "parameters", "macs"}  # of every layer
Surgery = Literal["identity", "depth"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be removed from a network. The JSON file has these fields as keys.

    Attributes
    ----------
    model, weights : str
        As `--model` and `--weights` take them.
    classes : int
        Outputs.
    input_shape : list of int
        Channels, height, width.
    dataset : dict
        The images of the run that it was made from, and how they were linked, as options; empty
        without one.
    rule : str
        Rule or criterion: ``increment``, ``cka`` ...; ``stages`` where counts were given.
    settings : dict
        Its numbers, and the budget.
    surgery : {"identity", "depth"}
        How the smaller network is built.
    kept, removed : list of str
        Names of layers, in order of depth.
    stages, stages_before : list of int
        Layers in each stage after and before.
    protected : dict of str to str
        Layers that the rule would remove and that stay, with the reason.
    params_before, params_after, macs_before, macs_after : int
        Parameters, and multiply-accumulates of one image.
    latency : list of dict
        ``batch``, ``before`` and ``after`` (median seconds of a forward pass) with quartiles, and
        ``speedup``, the median over the rounds, with quartiles.
    device : str
        Where that was measured.
    layers : list of dict
        Each layer with its figures; ``removed_in_repeats`` and ``removed_in_bootstrap`` say how
        often the rule removes it.
    warnings : list of str
        What to know before following the plan.
    made_from : str
        Digest of the run as it was; empty without one.
    """

    model: str
    weights: str
    classes: int
    input_shape: list[int]
    dataset: dict[str, Any] = field(default_factory=dict)
    rule: str
    settings: dict[str, Any] = field(default_factory=dict)
    surgery: Surgery
    kept: list[str]
    removed: list[str]
    stages: list[int]
    stages_before: list[int]
    protected: dict[str, str]
    params_before: int
    params_after: int
    macs_before: int
    macs_after: int
    latency: list[dict[str, Any]] = field(default_factory=list)
    device: str = ""
    layers: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    made_from: str = ""

    def _repr_html_(self) -> str:
        counts = {
            "parameters": (self.params_before, self.params_after),
            "multiply-accumulates": (self.macs_before, self.macs_after),
        }
        rows: list[list[object]] = [
            [name, before, after, f"{100 * (after / before - 1):+.1f} %".replace("-", "−")]
            for name, (before, after) in counts.items()
        ]
        for time in self.latency:
            name = f"milliseconds, {plural(time['batch'], 'image')}"
            rows.append(
                [name, 1000 * time["before"], 1000 * time["after"], f"{time['speedup']:.2f}x"]
            )
        title = f"Plan for {self.model} by {self.rule}: {plural(len(self.removed), 'layer')} to go"
        notes = [f"removed: {', '.join(self.removed) or 'nothing'}", *self.warnings]
        return card(title, rows, headers=["", "before", "after", ""], notes=notes)


def write_plan(plan: Plan, path: Path) -> Path:
    """Write a plan as JSON; the file is whole or not there."""
    write_json(path, {"stratagraph": FORMAT, **asdict(plan)})
    return path


def read_plan(path: Path) -> Plan:
    """Read a plan.

    Raises
    ------
    PlanError
        When the file is missing, damaged, or no plan of this version.
    """
    if path.is_dir():
        raise PlanError(f"{path} is a folder, not a plan", f"give its file: {path / 'plan.json'}")
    if not path.is_file():
        raise PlanError(f"there is no plan {path}", "make one with 'stratagraph plan'")
    try:
        content = read_json(path)
    except RunError as error:
        raise PlanError(f"{path} is no plan: it is no JSON object", "make it again") from error
    if content.get("stratagraph") != FORMAT:
        raise PlanError(f"{path} is no plan of the form {FORMAT}", "make the plan again")
    content.setdefault("made_from", "")  # earlier plans have none
    names = {item.name for item in fields(Plan)}
    missing = sorted(names - content.keys())
    if missing:
        raise PlanError(f"the plan {path} has no {missing[0]!r}", "make the plan again")
    for name, kind in get_type_hints(Plan).items():
        if not _is_of(content[name], kind):
            raise PlanError(
                f"the plan {path} has {str(content[name])[:40]!r} as {name!r}",
                "make the plan again",
            )
    plan = Plan(**{name: content[name] for name in names})
    _check_layers(plan, path)
    return plan


def _is_of(value: object, kind: Any) -> bool:
    """Whether a value from a JSON file is of the type of a field."""
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if get_origin(kind) is list:
        return isinstance(value, list) and all(_is_of(item, get_args(kind)[0]) for item in value)
    return isinstance(value, get_origin(kind) or kind) and not isinstance(value, bool)


def _check_layers(plan: Plan, path: Path) -> None:
    """Refuse a plan whose lists were edited so that they contradict one another."""
    told = all(layer.keys() >= _TOLD for layer in plan.layers)
    names = [str(layer["name"]) for layer in plan.layers] if told else []
    if not names or sorted([*plan.kept, *plan.removed]) != sorted(names):
        raise PlanError(
            f"the plan {path} does not say of each layer whether it is kept or removed",
            "make the plan again",
        )
    if not plan.removed:
        raise PlanError(f"the plan {path} removes no layer", "name at least one under 'removed'")
    if min(plan.input_shape, default=0) < 1:
        raise PlanError(
            f"the plan {path} is for images of shape {plan.input_shape}", "make the plan again"
        )


def follow_plan(model: nn.Module, plan: Plan, *, seed: int = 0) -> Pruned:
    """Do what a plan says.

    Parameters
    ----------
    model : Module
        The network that it was made for; left as it was.
    plan : Plan
        The plan.
    seed : int
        Of what is initialised afresh.

    Raises
    ------
    PlanError
        When the plan is for another network, or removes what cannot be removed.
    ModelError
        When the smaller network does not run.
    """
    parts = find_parts(model, plan.input_shape)
    names = [part.name for part in parts]
    planned = [layer["name"] for layer in plan.layers]
    if names != planned:
        raise PlanError(
            f"the plan is for {plan.model} with {len(planned)} layers "
            f"({', '.join(planned[:3])} ...), this network has {len(names)} "
            f"({', '.join(names[:3])} ...)",
            "give the network that the plan was made for, or make a plan for this one",
        )
    for part, layer in zip(parts, plan.layers, strict=True):
        now = {"shape": list(part.shape), "parameters": part.parameters, "macs": part.macs}
        for key, value in now.items():
            if layer[key] != value:
                raise PlanError(
                    f"{part.name} has {key} {value}, in the plan for {plan.model} {layer[key]}",
                    "give the network that the plan was made for, or make a plan for this one",
                )
    return cut(
        model, parts, kept=plan.kept, surgery=plan.surgery, shape=plan.input_shape, seed=seed
    )


def cut(
    model: nn.Module,
    parts: Sequence[Part],
    *,
    kept: Sequence[str],
    surgery: Surgery,
    shape: Sequence[int],
    seed: int = 0,
) -> Pruned:
    """Build the network that has only these layers."""
    if surgery == "depth":
        return configure_depth(model, parts, kept, input_shape=shape, seed=seed)
    removed = [part.name for part in parts if part.name not in set(kept)]
    return remove_parts(model, parts, removed, input_shape=shape)


def protect(
    parts: Sequence[Part], kept: Sequence[int], *, surgery: Surgery, scores: Sequence[float]
) -> tuple[list[Part], dict[str, str]]:
    """Add to what a rule keeps the layers that have to stay.

    Parameters
    ----------
    parts : sequence of Part
        All layers.
    kept : sequence of int
        Positions that the rule keeps.
    surgery : {"identity", "depth"}
        With ``identity`` every layer stays that cannot be replaced by it. With ``depth`` a stage
        can lose the layer that changes the shape, but not all layers. No stage of blocks is left
        empty by either.
    scores : sequence of float, length L
        Which of them stays in a stage that would lose all: the one with the highest.

    Returns
    -------
    tuple
        The layers that stay, by depth, and the reason for each that the rule removes.
    """
    chosen, protected = set(kept), {}
    of_blocks = any(part.kind == "block" for part in parts)
    stages = find_stages(parts) if surgery == "depth" or of_blocks else []
    inside = {part.index for stage in stages for part in stage}
    for part in parts:
        movable = surgery == "depth" and part.index in inside and part.index > 0
        if part.index not in chosen and part.problem and not movable:
            protected[part.name] = part.problem
            chosen.add(part.index)
    for stage in stages:
        # what keeps its place in the network may hold another's weights, but someone's
        needed = max(1, sum(part.problem is not None for part in stage))
        missing = needed - sum(part.index in chosen for part in stage)
        others = [part for part in stage if part.index not in chosen]
        best = sorted(others, key=lambda part: (-scores[part.index], part.index))
        for part in best[: max(0, missing)]:
            protected[part.name] = (
                f"the stage from {stage[0].name} to {stage[-1].name} needs {needed}"
            )
            chosen.add(part.index)
    return [part for part in parts if part.index in chosen], protected
