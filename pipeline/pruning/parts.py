"""The parts of a network that could go: its layers, what each costs, and why some must stay."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import nn

from pipeline.dataflow import side_branches
from pipeline.layer_rules import Unit, layer_units
from pipeline.pruning.profile import count_macs
from pipeline.tracing import Trace, trace_model


@dataclass(frozen=True, kw_only=True)
class Part:
    """One layer of the preset ``blocks``, as something that can be cut out.

    Attributes
    ----------
    index : int
        Position among the layers: the curve's.
    name : str
        What curves and tables call it: ``layer1.0``.
    kind : str
        ``block``, ``conv`` or ``linear``.
    members : tuple of str
        The modules that it consists of: one block, or a convolution with its normalisation and
        activation.
    shape : tuple of int
        Of its output for one sample.
    parameters, macs : int
        What goes with it.
    problem : str or None
        Why the data cannot pass around it; None where they can.
    """

    index: int
    name: str
    kind: str
    members: tuple[str, ...]
    shape: tuple[int, ...]
    parameters: int
    macs: int
    problem: str | None


def find_parts(model: nn.Module, input_shape: Sequence[int]) -> tuple[Part, ...]:
    """Find the layers of a network and which of them could be replaced by the identity.

    A layer could, when one forward pass shows that it runs once, on one tensor, and gives one of
    the same shape. The first layer never can; nor can one around which data go outside of it:
    where a network itself computes x + f(x), it would be left with x + x.

    Parameters
    ----------
    model : Module
        Left as it was.
    input_shape : sequence of int
        Channels, height, width.

    Returns
    -------
    tuple of Part
        In order of depth, as the curve has them.

    Raises
    ------
    ModelError
        When the network cannot run on such an input.
    LayerError
        When it has no layers.

    Examples
    --------
    >>> step = nn.Linear(4, 4)
    >>> parts = find_parts(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), step, nn.Linear(4, 2)), (4,))
    >>> [(part.members, part.problem) for part in parts]
    [(('0', '1'), 'it is the first layer'), (('2',), None)]
    """
    trace = trace_model(model, torch.zeros(1, *input_shape))
    units = sorted(layer_units(trace), key=lambda unit: trace.calls[unit.output].order)
    macs = count_macs(model, input_shape).modules
    owners = Counter(
        id(tensor) for module in model.modules() for tensor in module.parameters(recurse=False)
    )
    problems = [_problem(trace, unit, owners) for unit in units]
    aside = _in_branches(trace, units, problems)
    parts = []
    for index, (unit, problem) in enumerate(zip(units, problems, strict=True)):
        if not index:
            problem = "it is the first layer"
        elif problem is None and index in aside:
            problem = "data go around it and join its output"
        modules = [trace.modules[name] for name in unit.members]
        parts.append(
            Part(
                index=index,
                name=unit.output,
                kind=unit.kind,
                members=tuple(unit.members),
                shape=(trace.calls[unit.output].shape or (0,))[1:],
                parameters=sum(p.numel() for module in modules for p in module.parameters()),
                macs=sum(macs.get(name, 0) for name in unit.members),
                problem=problem,
            )
        )
    return tuple(parts)


def _problem(trace: Trace, unit: Unit, owners: Counter[int]) -> str | None:
    """Say why a layer cannot be replaced by the identity."""
    for name in unit.members:
        if trace.calls[name].calls > 1:
            return f"{name} runs {trace.calls[name].calls} times"
        shared = any(owners[id(tensor)] > 1 for tensor in trace.modules[name].parameters())
        if shared:
            return f"{name} shares its weights with another module"
    first, last = trace.calls[unit.members[0]], trace.calls[unit.members[-1]]
    if last.shape is None:
        return f"its output is a {last.kind}"
    if len(first.given_shapes) != 1:
        return f"it takes {len(first.given_shapes)} tensors"
    if first.given_shapes[0] != last.shape:
        return f"it changes the shape {_times(first.given_shapes[0])} -> {_times(last.shape)}"
    return None


def _in_branches(trace: Trace, units: Sequence[Unit], problems: Sequence[str | None]) -> set[int]:
    """Find the layers of branches that would do nothing any more without their layers.

    A branch in which some layer has to stay, such as the deep part of a U-Net, remains one.
    """
    whole = trace.calls[""]
    found: set[int] = set()
    branches = side_branches(whole.node, whole.source) if whole.node is not None else []
    for branch in branches:
        inside = [
            index
            for index, unit in enumerate(units)
            if any(trace.calls[name].node in branch for name in unit.members)
        ]
        if not any(problems[index] for index in inside):
            found.update(inside)
    return found


def _times(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape[1:]))


def find_stages(parts: Sequence[Part]) -> list[list[Part]]:
    """Group neighbouring layers of the same output shape.

    Where a network has blocks, only these count: the stem and the last convolution stand apart.

    Parameters
    ----------
    parts : sequence of Part
        From `find_parts`.

    Returns
    -------
    list of list of Part
        ResNet56 has stages of [9, 9, 9], VGG19 of [2, 2, 4, 4, 4].
    """
    blocks = [part for part in parts if part.kind == "block"]
    return [list(stage) for _, stage in groupby(blocks or parts, key=lambda part: part.shape)]
