"""Which neuron stands behind each channel, carried through the steps between two layers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.autograd.graph import Node

INPUT = -1
"""The layer number of the network's input."""

# Steps that leave every channel where it is, by the beginning of their names in autograd.
_KEEPING = (
    "Relu", "LeakyRelu", "PreluKernel", "Prelu", "Hardtanh", "Clamp", "Threshold", "Elu", "Celu",
    "Selu", "Gelu", "Silu", "Mish", "Sigmoid", "Hardsigmoid", "Hardswish", "Tanh", "Softplus",
    "LogSoftmax", "Softmax", "MaxPool", "AvgPool", "AdaptiveAvgPool", "AdaptiveMaxPool",
    "MkldnnAdaptiveAvgPool", "MkldnnMaxPool", "Upsample", "ReflectionPad", "ReplicationPad",
    "Clone", "Alias", "ToCopy", "NativeDropout", "Neg",
)  # fmt: skip
_RESHAPING = (
    "View", "UnsafeView", "ReshapeAlias", "Squeeze", "Unsqueeze", "Mean", "Sum", "Amax"
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Branch:
    """One way on which neurons reach a place.

    Attributes
    ----------
    layer, unit : ndarray of int64, shape (c,)
        The neuron behind each channel: its layer (`INPUT`, or a position among the weight layers;
        -2 for padding) and its number there.
    scale : ndarray of float64, shape (c,)
        What batch normalisation multiplied it with on the way.
    """

    layer: NDArray[np.int64]
    unit: NDArray[np.int64]
    scale: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Flow:
    """What lies at one place of the computation.

    Attributes
    ----------
    branches : tuple of Branch
        More than one where layers are added.
    spread : int
        Neighbouring features that belong to one channel: 1, or the positions of a flattened map.
    """

    branches: tuple[Branch, ...]
    spread: int = 1

    @property
    def features(self) -> int:
        """Features a sample, or channels of a map."""
        return len(self.branches[0].unit) * self.spread


def channels(layer: int, count: int) -> Flow:
    """Return what a layer of so many neurons puts out."""
    unit = np.arange(count, dtype=np.int64)
    return Flow(branches=(Branch(layer=np.full(count, layer), unit=unit, scale=np.ones(count)),))


def shape_of(node: Node) -> tuple[int, ...]:
    """Return the shape of what a step gives."""
    return tuple(node._input_metadata[0].shape)


def carry(step: str, node: Any, flows: list[Flow], *, parent: Node) -> Flow | None:
    """Carry channels through one step; None for a step that mixes them."""
    if step in ("Add", "Sub"):
        return _added(flows)
    if step == "Cat":
        return _concatenated(flows) if _dim(node._saved_dim, shape_of(node)) == 1 else None
    if len(flows) != 1:
        return None
    (flow,) = flows
    if step == "ConstantPadNd":
        return _padded(flow, node._saved_pad, ndim=len(shape_of(node)))
    if step == "Slice":
        return _sliced(flow, node) if _dim(node._saved_dim, shape_of(node)) == 1 else flow
    if step.startswith(_RESHAPING):
        summed = getattr(node, "_saved_dim", None)
        if isinstance(summed, tuple) and 1 in (_dim(dim, shape_of(parent)) for dim in summed):
            return None
        return _reshaped(flow, shape_of(parent), shape_of(node))
    return flow if step.startswith(_KEEPING) else None


def _dim(dim: int, shape: tuple[int, ...]) -> int:
    # autograd keeps negative numbers as unsigned ones
    return (dim - 2**64 if dim >= 2**63 else dim) % len(shape)


def _added(flows: list[Flow]) -> Flow | None:
    same = len({(flow.features, flow.spread) for flow in flows}) == 1
    branches = tuple(branch for flow in flows for branch in flow.branches)
    return Flow(branches=branches, spread=flows[0].spread) if same else None


def _concatenated(flows: list[Flow]) -> Flow | None:
    """Join channels; where some parts have more branches than others, the rest is padding."""
    if len({flow.spread for flow in flows}) != 1:
        return None
    branches = []
    for index in range(max(len(flow.branches) for flow in flows)):
        parts = [
            flow.branches[index]
            if index < len(flow.branches)
            else _padding(len(flow.branches[0].unit))
            for flow in flows
        ]
        branches.append(_join(parts))
    return Flow(branches=tuple(branches), spread=flows[0].spread)


def _join(parts: list[Branch]) -> Branch:
    return Branch(
        layer=np.concatenate([part.layer for part in parts]),
        unit=np.concatenate([part.unit for part in parts]),
        scale=np.concatenate([part.scale for part in parts]),
    )


def _padding(count: int) -> Branch:
    nothing = np.full(count, -2, dtype=np.int64)
    return Branch(layer=nothing, unit=nothing, scale=np.ones(count))


def _padded(flow: Flow, pad: tuple[int, ...], *, ndim: int) -> Flow | None:
    """Follow torch's padding, which counts dimensions from the last."""
    position = 2 * (ndim - 2)
    before, after = pad[position : position + 2] if len(pad) > position else (0, 0)
    if before == after == 0:
        return flow
    if flow.spread > 1 or min(before, after) < 0 or any(pad[position + 2 :]):
        return None
    return Flow(
        branches=tuple(_join([_padding(before), b, _padding(after)]) for b in flow.branches)
    )


def _sliced(flow: Flow, node: Any) -> Flow | None:
    if flow.spread > 1:
        return None
    chosen = slice(node._saved_start, node._saved_end, node._saved_step)
    return Flow(
        branches=tuple(
            Branch(layer=b.layer[chosen], unit=b.unit[chosen], scale=b.scale[chosen])
            for b in flow.branches
        )
    )


def _reshaped(flow: Flow, before: tuple[int, ...], after: tuple[int, ...]) -> Flow | None:
    """Flatten maps, or drop positions; channels must stay the second dimension."""
    if len(after) < 2 or after[0] != before[0]:
        return None
    if after[1] == before[1] == flow.features:
        return flow
    positions = int(np.prod(before[2:]))
    if flow.spread != 1 or after[1] != before[1] * positions or any(n != 1 for n in after[2:]):
        return None
    if all((branch.layer == INPUT).all() for branch in flow.branches):
        return channels(INPUT, after[1])  # pixels, not colours
    return Flow(branches=flow.branches, spread=positions)
