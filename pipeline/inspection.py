"""The layers of a network as a table."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence

import pandas as pd
import torch
from torch import nn

from pipeline.hooks import resolve_layers
from pipeline.pruning.profile import count_macs, count_parameters
from pipeline.tracing import trace_layers


def inspect_model(
    model: nn.Module, input_shape: Sequence[int], *, layers: str | Sequence[str] = "blocks"
) -> pd.DataFrame:
    """List the layers of a network: name, type, output, and what each adds to the cost.

    Parameters
    ----------
    model : Module
        Left as it was.
    input_shape : sequence of int
        Shape of one image: channels, height, width.
    layers : str or sequence of str
        See `pipeline.hooks.resolve_layers`.

    Returns
    -------
    DataFrame
        ``index, name, type, shape, values`` (per sample) and ``parameters, macs`` of everything
        that ran after the layer before, up to this layer's output. ``attrs`` holds the totals
        ``parameters`` and ``macs``, and under ``after_parameters`` and ``after_macs`` what comes
        after the last layer (the head) or never runs: the columns and these add up to the totals.

    Raises
    ------
    ModelError
        When the network cannot run on such an input.
    LayerError
        When `layers` matches nothing.

    Examples
    --------
    >>> table = inspect_model(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)), (4,))
    >>> table[["name", "type", "parameters", "macs"]].to_dict("records")
    [{'name': '1', 'type': 'ReLU', 'parameters': 15, 'macs': 12}]
    >>> table.attrs
    {'parameters': 23, 'macs': 18, 'after_parameters': 8, 'after_macs': 6}
    """
    example = torch.zeros(1, *input_shape)
    chosen = resolve_layers(model, layers, example)
    ran = [layer.name for layer in trace_layers(model, example)]
    position = {name: index for index, name in enumerate([*ran, ""])}
    reads = [position[layer.name] for layer in chosen]
    count = count_macs(model, input_shape)
    parameters = _between(reads, _own_parameters(model, position), position)
    macs = _between(reads, _own_macs(count.modules, total=count.total), position)
    table = pd.DataFrame(
        {
            "index": [layer.index for layer in chosen],
            "name": [layer.name for layer in chosen],
            "type": [layer.type for layer in chosen],
            "shape": ["x".join(map(str, layer.shape)) for layer in chosen],
            "values": [layer.values for layer in chosen],
            "parameters": parameters,
            "macs": macs,
        }
    )
    totals = {"parameters": count_parameters(model), "macs": count.total}
    table.attrs.update(
        totals,
        after_parameters=totals["parameters"] - sum(parameters),
        after_macs=totals["macs"] - sum(macs),
    )
    return table


def _between(
    reads: Sequence[int], costs: Mapping[str, int], position: Mapping[str, int]
) -> list[int]:
    """Sum the modules' own costs from each read-out (exclusive) to the next (inclusive)."""
    sums = [0] * len(reads)
    for name, cost in costs.items():
        layer = bisect_left(reads, position[_ran(name, position)])
        if layer < len(reads):
            sums[layer] += cost
    return sums


def _own_parameters(model: nn.Module, position: Mapping[str, int]) -> dict[str, int]:
    """Parameters by the module that holds them; shared ones where they are used first."""
    owner: dict[int, tuple[int, str, int]] = {}
    for name, module in model.named_modules():
        for parameter in module.parameters(recurse=False):
            entry = (position[_ran(name, position)], name, parameter.numel())
            owner[id(parameter)] = min(entry, owner.get(id(parameter), entry))
    own: dict[str, int] = {}
    for _, name, size in owner.values():
        own[name] = own.get(name, 0) + size
    return own


def _own_macs(modules: Mapping[str, int], *, total: int) -> dict[str, int]:
    """Take from each module's count what the modules inside it account for."""
    own = {"": total} | dict(modules)
    for name, count in modules.items():
        if name:
            above = name.rpartition(".")[0]
            while above not in own:
                above = above.rpartition(".")[0]
            own[above] -= count
    return own


def _ran(name: str, position: Mapping[str, int]) -> str:
    """Nearest module at or above `name` that ran."""
    while name not in position:
        name = name.rpartition(".")[0]
    return name
