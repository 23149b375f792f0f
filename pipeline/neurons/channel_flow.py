"""Which neurons does each weight layer read? Followed back through autograd's graph."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.autograd.graph import Node
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from graphs.errors import LayerError
from pipeline.neurons.channels import INPUT, Branch, Flow, carry, channels, shape_of
from pipeline.tracing import Trace


@dataclass(frozen=True, kw_only=True)
class WeightLayer:
    """One linear layer or convolution that ran.

    Attributes
    ----------
    name : str
        Of the module.
    module : Linear or convolution
        With its weights.
    width : int
        Neurons that it puts out.
    reads : Flow
        What it is given.
    gain : ndarray of float64, shape (width,)
        What the batch normalisation right after it multiplies each neuron with.
    """

    name: str
    module: nn.Module
    width: int
    reads: Flow
    gain: NDArray[np.float64]


def is_weight_layer(module: nn.Module) -> bool:
    """Whether a module is a linear layer or a convolution."""
    return isinstance(module, nn.Linear | _ConvNd)


def weight_layers(trace: Trace) -> list[WeightLayer]:
    """Find all linear layers and convolutions of a network and what each of them reads.

    Parameters
    ----------
    trace : Trace
        One forward pass.

    Returns
    -------
    list of WeightLayer
        In the order in which they ran. The first dimension of the input is layer `INPUT`: its
        channels, or its pixels where it is flattened first.

    Raises
    ------
    LayerError
        When there are none, when one runs more than once, or when what happens between them is
        more than element-wise functions, pooling, flattening, batch normalisation, additions,
        concatenations and paddings.
    """
    names = [name for name in trace.calls if name and is_weight_layer(trace.modules[name])]
    what = type(trace.modules[""]).__name__
    if not names:
        raise LayerError(
            f"{what} has no linear layer or convolution, so that there are no weights between "
            "neurons",
            "choose a network with nn.Linear or nn.Conv modules",
        )
    walk = _Walk(trace, names)
    reads = [walk.read(name) for name in names]
    walk.fold_last()
    for name in walk.folded & walk.raw:
        raise LayerError(
            f"{name} is read both before and after its batch normalisation",
            "such a network has no single weight between two neurons",
        )
    return [
        WeightLayer(
            name=name, module=trace.modules[name], width=width_of(trace.modules[name]),
            reads=flow, gain=walk.gains[name],
        )
        for name, flow in zip(names, reads, strict=True)
    ]  # fmt: skip


def width_of(module: nn.Module) -> int:
    """Return how many neurons a weight layer puts out."""
    about: Any = module
    return int(about.out_features if isinstance(module, nn.Linear) else about.out_channels)


@dataclass
class _Walk:
    """Steps of the computation, followed back from what reads them; each place once."""

    trace: Trace
    names: list[str]
    folded: set[str] = field(default_factory=set)
    raw: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        calls = self.trace.calls
        for name, module in self.trace.modules.items():
            again = name in calls and calls[name].calls > 1
            if again and (is_weight_layer(module) or isinstance(module, _BatchNorm)):
                raise LayerError(
                    f"{name} runs {calls[name].calls} times in one pass, so that its neurons are "
                    "not one layer",
                    "unroll the network, with a module for each time",
                )
        self.layers = {calls[name].node: index for index, name in enumerate(self.names)}
        norms = (name for name, module in self.trace.modules.items() if _is_batch_norm(module))
        nodes = ((calls[name].node, name) for name in norms if name in calls)
        self.norms = {node: name for node, name in nodes if node is not None}
        self.inputs = calls[""].source
        self.gains = {name: np.ones(width_of(self.trace.modules[name])) for name in self.names}
        self._known: dict[Node, Flow | None] = {}

    def read(self, name: str) -> Flow:
        """Return what a weight layer is given."""
        call, module = self.trace.calls[name], self.trace.modules[name]
        (node,) = call.source if len(call.source) == 1 else (None,)
        flow = None if node is None else self.follow(node)
        if flow is None:
            raise LayerError(
                f"what {name} reads cannot be followed back to the network's input",
                "use parameters that were not made in inference mode, and one input a layer",
            )
        if node in self.layers:
            self.raw.add(self.names[self.layers[node]])
        shape = call.given_shapes[0]
        plain = 2 if isinstance(module, nn.Linear) else module.weight.ndim
        wanted = module.in_features if isinstance(module, nn.Linear) else module.in_channels
        if len(shape) != plain or flow.features != wanted or shape[1] != wanted:
            raise LayerError(
                f"{name} is applied to an input of shape {tuple(shape[1:])} whose features are not "
                f"its {wanted} inputs one by one",
                "neuron graphs are for chains and residual networks of Linear and Conv",
            )
        return flow

    def fold_last(self) -> None:
        """Also fold the normalisation of layers that no other layer reads."""
        for node in self.norms:
            if any(parent in self.layers for parent, _ in node.next_functions):
                self.follow(node)

    def follow(self, node: Node) -> Flow | None:
        """Return what lies behind a step; None for what does not depend on the input."""
        if node not in self._known:
            self._known[node] = self._work_out(node)
        return self._known[node]

    def _work_out(self, node: Node) -> Flow | None:
        shape = shape_of(node)
        if node in self.inputs:
            return channels(INPUT, shape[1])
        if node in self.layers:
            index = self.layers[node]
            return channels(index, width_of(self.trace.modules[self.names[index]]))
        parents = [parent for parent, _ in node.next_functions if parent is not None]
        flows = [(parent, flow) for parent in parents if (flow := self.follow(parent)) is not None]
        if not flows:
            return None
        if node in self.norms:
            return self._normalize(node, *flows[0])
        self.raw.update(self.names[self.layers[p]] for p, _ in flows if p in self.layers)
        step = node.name().rstrip("0123456789").removesuffix("Backward")
        found = carry(step, node, [flow for _, flow in flows], parent=flows[0][0])
        if found is None or len(shape) < 2 or found.features != shape[1]:
            raise LayerError(
                f"the step {step} between the layers of {type(self.trace.modules['']).__name__} "
                "mixes neurons in a way that is no weight between two of them",
                "neuron graphs are for chains and residual networks of Linear, Conv and BatchNorm",
            )
        return found

    def _normalize(self, node: Node, parent: Node, flow: Flow) -> Flow:
        """Multiply what a batch normalisation multiplies; right after a layer, in its weights."""
        scale = _batch_norm_scale(self.trace.modules[self.norms[node]])
        if parent in self.layers:
            name = self.names[self.layers[parent]]
            if name in self.folded:
                raise LayerError(
                    f"{name} is read by two batch normalisations",
                    "such a network has no single weight between two neurons",
                )
            self.folded.add(name)
            self.gains[name] = scale
            return flow
        if flow.spread > 1:
            raise LayerError(
                f"{self.norms[node]} normalises a flattened map", "normalise before flattening"
            )
        return Flow(
            branches=tuple(
                Branch(layer=b.layer, unit=b.unit, scale=b.scale * scale) for b in flow.branches
            )
        )


def _is_batch_norm(module: nn.Module) -> bool:
    return isinstance(module, _BatchNorm)


def _batch_norm_scale(module: Any) -> NDArray[np.float64]:
    """Return |gamma| / sqrt(var + eps) of each channel."""
    if getattr(module, "running_var", None) is None:
        raise LayerError(
            "a batch normalisation keeps no running statistics, so that its scale depends on the "
            "images",
            "train it with track_running_stats=True",
        )
    variance = module.running_var.detach().double().cpu()
    gamma = torch.ones_like(variance) if module.weight is None else module.weight.detach().double()
    scale = gamma.cpu().abs() / torch.sqrt(variance + module.eps)
    return np.asarray(scale.numpy())
