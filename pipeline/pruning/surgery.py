"""Cutting layers out of a network, and checking what is left."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from graphs.errors import ModelError, PlanError
from pipeline.bypass import bypassed
from pipeline.near_names import near_names
from pipeline.pruning.parts import Part, find_stages
from pipeline.tracing import evaluating, like_parameters, run_model

CHECKED = 4  # images


class Skip(nn.Module):
    """Stands where a block was that its network calls by name: gives what it is given."""

    def forward(self, x: Tensor, *_args: Any, **_kwargs: Any) -> Tensor:
        """Return the first argument, as a copy: what follows may work in place on it."""
        return x.clone()


@dataclass(frozen=True, kw_only=True, eq=False)
class Pruned:
    """A network after surgery.

    Attributes
    ----------
    model : Module
        In eval mode; the original is untouched.
    removed : tuple of str
        Layers that are gone, by the names that they had.
    copies : DataFrame
        The copy map, one row a tensor: ``tensor`` (its name now), ``source`` (the tensor of the
        original with its values, empty for fresh ones), ``state`` (``kept`` in its place,
        ``copied`` from another layer, ``initialised``), ``values`` (how many).
    """

    model: nn.Module
    removed: tuple[str, ...]
    copies: pd.DataFrame


def remove_parts(
    model: nn.Module, parts: Sequence[Part], names: Sequence[str], *, input_shape: Sequence[int]
) -> Pruned:
    """Replace layers by the identity; everything else stays as it is.

    Modules in a sequence or list are taken out of it, others give way to one that gives what it
    is given. The result is checked on random images: it must give exactly what the whole network
    gives when these layers put out their input.

    Parameters
    ----------
    model : Module
        The original, left as it was.
    parts : sequence of Part
        Its layers, from `find_parts`.
    names : sequence of str
        The layers to remove.
    input_shape : sequence of int
        Channels, height, width.

    Raises
    ------
    PlanError
        When there is no such layer, or it cannot be removed.
    ModelError
        When the network does not run without it, or gives something else than expected.

    Examples
    --------
    >>> from pipeline.pruning.parts import find_parts
    >>> model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2))
    >>> parts = find_parts(model, (4,))
    >>> print(remove_parts(model, parts, ["1"], input_shape=(4,)).copies.to_string(index=False))
      tensor   source state  values
    0.weight 0.weight  kept      16
      0.bias   0.bias  kept       4
    1.weight 2.weight  kept       8
      1.bias   2.bias  kept       2
    """
    members = _members(parts, names)
    images = _random_images(model, input_shape)
    tried, expected = _expect(model, members, images)
    found = None
    for delete in (True, False):
        trial = copy.deepcopy(tried)
        _cut(trial, members, delete=delete)
        try:
            with bypassed(trial, ()):  # the same kernels
                found = _logits(trial, images)
        except ModelError:
            continue  # the network counts the modules of a list: they are replaced instead
        if torch.equal(found, expected):
            smaller = copy.deepcopy(model).eval()
            before = dict(smaller.state_dict(keep_vars=True))
            _cut(smaller, members, delete=delete)
            copies = _map_copies(smaller, before)
            return Pruned(model=smaller, removed=tuple(names), copies=copies)
    if not _is_steady(tried, images):
        raise ModelError(
            f"{type(model).__name__} gives something else each time, also in eval mode: whether it "
            "was cut rightly cannot be seen",
            "let chance depend on self.training, as nn.Dropout does",
        )
    verb = "does not run" if found is None else "gives something else than expected"
    raise ModelError(
        f"the network {verb} without {', '.join(list(names)[:4])}",
        "other parts of it depend on these layers: leave them out of the plan",
    )


def configure_depth(
    model: nn.Module,
    parts: Sequence[Part],
    kept: Sequence[str],
    *,
    input_shape: Sequence[int],
    seed: int = 0,
) -> Pruned:
    """Build the same architecture with fewer layers in each stage, filled with the kept ones.

    A stage gets as many layers as it keeps, and the i-th the weights of the i-th kept one where
    shapes agree. A module with a tensor whose shape does not agree is initialised afresh: in the
    first block of a stage, which changes the shape, when the plan removes it.

    Parameters
    ----------
    model, parts, input_shape
        As in `remove_parts`.
    kept : sequence of str
        Layers to keep; those outside the stages stay unless they can be removed.
    seed : int
        Of fresh values.

    Raises
    ------
    PlanError
        When nothing of a stage is kept, or more of it has to stay than is kept.
    ModelError
        As in `remove_parts`.
    """
    stages = find_stages(parts)
    inside = {part.name for stage in stages for part in stage}
    removed = [
        p.name for p in parts if p.name not in inside and p.name not in kept and not p.problem
    ]
    moves: list[tuple[Part, Part]] = []
    for stage in stages:
        chosen = [part for part in stage if part.name in kept]
        places = _places(stage, len(chosen))
        removed += [part.name for part in stage if part not in places]
        moves += zip(chosen, places, strict=True)
    pruned = remove_parts(model, parts, removed, input_shape=input_shape)
    copies = _fill(model, pruned, moves, seed=seed)
    with bypassed(pruned.model, ()):
        _logits(pruned.model, _random_images(model, input_shape))
    return Pruned(model=pruned.model, removed=pruned.removed, copies=copies)


def _expect(model: nn.Module, members: Sequence[str], images: Tensor) -> tuple[nn.Module, Tensor]:
    """Return a copy to try the cut on, and what it gives when these modules are passed over."""
    for tried in (_disturbed(model), copy.deepcopy(model).eval()):
        with bypassed(tried, members):
            expected = _logits(tried, images)
        if expected.isfinite().all():
            return tried, expected  # else the noise was too much for it
    raise ModelError(
        f"{type(model).__name__} gives values that are not finite: whether it was cut rightly "
        "cannot be seen",
        "check its weights",
    )


def _disturbed(model: nn.Module) -> nn.Module:
    """Copy a network and move its weights a little.

    Blocks that begin as the identity (a scale of 0) would make any surgery look right, and the
    same surgery look different once they are trained.
    """
    copied = copy.deepcopy(model).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for value in copied.parameters():
            if value.is_floating_point():
                noise = torch.randn(value.shape, generator=generator)
                value.add_(0.05 * noise.to(value.device, value.dtype))
    return copied


def _members(parts: Sequence[Part], names: Sequence[str]) -> list[str]:
    known = {part.name: part for part in parts}
    for name in names:
        if name not in known:
            near = ", ".join(near_names(name, known))
            raise PlanError(
                f"the network has no layer {name!r}", f"near names: {near}; plan for this network"
            )
        if known[name].problem:
            raise PlanError(
                f"layer {name} cannot be removed: {known[name].problem}", "leave it out of the plan"
            )
    return [member for name in names for member in known[name].members]


def _places(stage: Sequence[Part], count: int) -> list[Part]:
    """Choose whose places remain: those that cannot go, and the first of the others."""
    where = f"the stage from {stage[0].name} to {stage[-1].name}"
    if not count:
        raise PlanError(f"nothing of {where} would be left", "keep at least one of its layers")
    fixed = [part for part in stage if part.problem]
    if len(fixed) > count:
        raise PlanError(
            f"{where} cannot have {count} layers: {fixed[0].name} must stay, {fixed[0].problem}",
            f"keep at least {len(fixed)}",
        )
    free = [part for part in stage if not part.problem]
    return sorted([*fixed, *free[: count - len(fixed)]], key=lambda part: part.index)


def _cut(model: nn.Module, members: Sequence[str], *, delete: bool) -> None:
    """Take modules out of their lists, or put others in their place."""
    for name in members:
        parent, _, own = name.rpartition(".")
        setattr(model.get_submodule(parent), own, Skip())
    if not delete:
        return
    for module in list(model.modules()):
        plain = isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward
        if not (plain or isinstance(module, nn.ModuleList)):
            continue
        left = {key: child for key, child in module._modules.items() if not isinstance(child, Skip)}
        if len(left) < len(module._modules):
            # numbers close ranks, as in a network that was built without them; names stay
            numbered = all(key.isdecimal() for key in module._modules)
            keys = map(str, range(len(left))) if numbered else left
            module._modules = dict(zip(keys, left.values(), strict=True))


def _fill(
    model: nn.Module, pruned: Pruned, moves: Sequence[tuple[Part, Part]], *, seed: int
) -> pd.DataFrame:
    """Write the tensors of kept layers into their new places; return the copy map."""
    given = model.state_dict()
    own = pruned.model.state_dict()  # shares the tensors
    values, fresh = _match(given, pruned, moves)
    _draw_anew(pruned.model, fresh, seed=seed)
    with torch.no_grad():
        for name, source in values.items():
            own[name].copy_(given[source])
    table = pruned.copies.copy()
    for row, name in enumerate(table["tensor"]):
        if name in values:
            table.loc[row, ["source", "state"]] = values[name], "copied"
        elif name in fresh:
            table.loc[row, ["source", "state"]] = "", "initialised"
    return table


def _match(
    given: dict[str, Tensor], pruned: Pruned, moves: Sequence[tuple[Part, Part]]
) -> tuple[dict[str, str], set[str]]:
    """Find for each tensor of a layer that moves its source, or that it has none of its shape."""
    own = pruned.model.state_dict()
    places = dict(zip(pruned.copies["source"], pruned.copies["tensor"], strict=True))
    values: dict[str, str] = {}
    fresh: set[str] = set()
    for source, target in moves:
        if source is target:
            continue
        if len(source.members) != len(target.members):
            raise PlanError(
                f"layers {source.name} and {target.name} of one stage are built differently",
                "use --surgery identity",
            )
        for member, place in zip(source.members, target.members, strict=True):
            for key in (key for key in given if key.startswith(f"{place}.")):
                name, other = places[key], member + key.removeprefix(place)
                if other in given and given[other].shape == own[name].shape:
                    values[name] = other
                else:
                    fresh.add(name)
    return values, fresh


def _draw_anew(model: nn.Module, names: set[str], *, seed: int) -> None:
    """Initialise the modules that hold these tensors."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for module in dict.fromkeys(name.rpartition(".")[0] for name in sorted(names)):
            owner = model.get_submodule(module)
            if not hasattr(owner, "reset_parameters"):
                raise PlanError(
                    f"{module} ({type(owner).__name__}) has no reset_parameters() to draw its "
                    "weights anew",
                    "use --surgery identity",
                )
            owner.reset_parameters()  # type: ignore[operator]


def _map_copies(smaller: nn.Module, before: dict[str, Tensor]) -> pd.DataFrame:
    names: dict[int, str] = {}
    for name, tensor in before.items():
        names.setdefault(id(tensor), name)  # of shared ones the first
    rows = [
        {"tensor": name, "source": names[id(tensor)], "state": "kept", "values": tensor.numel()}
        for name, tensor in smaller.state_dict(keep_vars=True).items()
    ]
    return pd.DataFrame(rows, columns=["tensor", "source", "state", "values"])


def _random_images(model: nn.Module, input_shape: Sequence[int]) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return like_parameters(model, torch.randn(CHECKED, *input_shape, generator=generator))


def _is_steady(model: nn.Module, images: Tensor) -> bool:
    """Whether a network gives the same for the same images."""
    with bypassed(model, ()):
        return torch.equal(*(_logits(model, images) for _ in range(2)))


def _logits(model: nn.Module, images: Tensor) -> Tensor:
    with evaluating(model), torch.no_grad():
        found = run_model(model, images)
    if not isinstance(found, Tensor):
        raise ModelError(f"the network gives a {type(found).__name__}", "choose a classifier")
    return found
