"""Which modules of a network count as its layers: the presets ``blocks`` and ``reference``.

No network is known by name. Three rules serve them all:

1. A module that merely passes its data from one child to the next is opened; one in which data
   take several ways (a residual block, an inception or dense block, attention) is a *block*. A
   class is a block everywhere if it is one anywhere: a residual block whose shortcut is left out
   is still one.
2. In what was opened, a convolution or linear layer and the normalisation, activation and dropout
   after it are one layer. ``blocks`` reads it after the last of them, ``reference`` at the raw
   convolution.
3. Linear layers after the last convolution or block are the head and no layers; a network of
   linear layers alone keeps all but the last.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from torch import nn
from torch.nn.modules import batchnorm, instancenorm, normalization, pooling
from torch.nn.modules.conv import _ConvNd

from graphs.errors import LayerError
from pipeline.dataflow import on_every_path
from pipeline.tracing import Trace

Kind = Literal["conv", "linear", "block"]


@dataclass
class Unit:
    """One layer: where its weights are, where it is read, and the modules that it consists of."""

    kind: Kind
    weight: str
    output: str
    members: list[str] = field(default_factory=list)


def preset_layers(trace: Trace, preset: Literal["blocks", "reference"]) -> list[str]:
    """Names of the modules to read, in execution order.

    Parameters
    ----------
    trace : Trace
        One forward pass.
    preset : {"blocks", "reference"}
        After the activation, as the text of Lu et al. (2022) has it, or at the raw convolution,
        as their released code has it. Residual blocks are read at their output in both.

    Raises
    ------
    LayerError
        When the network has neither convolutions nor blocks nor hidden linear layers.
    """
    names = [
        unit.weight if preset == "reference" else unit.output
        for unit in layer_units(trace, what=f"the preset {preset!r}")
    ]
    return sorted(names, key=lambda name: trace.calls[name].order)


def layer_units(trace: Trace, *, what: str = "the preset 'blocks'") -> list[Unit]:
    """Find the layers of a network, without its head.

    Parameters
    ----------
    trace : Trace
        One forward pass.
    what : str
        Who asks, for the message.

    Raises
    ------
    LayerError
        As `preset_layers`.
    """
    units = _Walk(trace).units()
    deep = [index for index, unit in enumerate(units) if unit.kind != "linear"]
    kept = units[: deep[-1] + 1] if deep else units[:-1]
    if not kept:
        raise LayerError(
            f"{what} finds no layers in {type(trace.modules['']).__name__}: it has no "
            "convolution, block or hidden linear layer",
            "name the layers by --layers GLOB; 'all' lists every module",
        )
    return kept


class _Walk:
    """One walk through the modules that ran, collecting layers."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.children = {name: self._called_children(name) for name in trace.calls}
        self._units: list[Unit] = []
        self._open: Unit | None = None

    def units(self) -> list[Unit]:
        """All layers, the head included."""
        self._visit("")
        return self._units

    def _called_children(self, name: str) -> list[str]:
        """Nearest modules below that ran, in execution order; lists do not run themselves."""
        found: list[str] = []
        for child, _ in self.trace.modules[name].named_children():
            path = f"{name}.{child}" if name else child
            if path in self.trace.calls:
                found.append(path)
            elif path in self.trace.modules:
                found += self._called_children(path)
        return sorted(found, key=lambda path: self.trace.calls[path].order)

    def _weight(self, name: str) -> Literal["conv", "linear"] | None:
        """Say what a module without children multiplies its input with, if anything."""
        module = self.trace.modules[name]
        if isinstance(module, _ConvNd):
            return "conv"
        if isinstance(module, nn.Linear | nn.Bilinear):
            return "linear"
        if self.children[name] or _is_norm(module):
            return None
        own = [p for p in module.parameters(recurse=False) if p.ndim >= 2 and p.shape[0] > 1]
        return None if not own else "conv" if max(p.ndim for p in own) > 2 else "linear"

    def _weights(self, name: str) -> list[str]:
        if self._weight(name):
            return [name]
        return [weight for child in self.children[name] for weight in self._weights(child)]

    def _leaves(self, name: str) -> Iterator[str]:
        if not self.children[name]:
            yield name
        for child in self.children[name]:
            yield from self._leaves(child)

    @cached_property
    def _block_types(self) -> set[type[nn.Module]]:
        found: set[type[nn.Module]] = set()
        for name in self.trace.calls:
            module = self.trace.modules[name]
            if name and not _is_chain(module) and self._weights(name) and self._branches(name):
                found.add(type(module))
        return found

    def _branches(self, name: str) -> bool:
        """Whether some data go around a child that has weights."""
        call = self.trace.calls[name]
        inner = [child for child in self.children[name] if self._weights(child)]
        steps = on_every_path(call.node, call.source) if call.node is not None else None
        if steps is None:
            # Autograd saw nothing (a frozen backbone): repeated classes are blocks.
            kinds = [type(self.trace.modules[other]) for other in self.trace.calls]
            return bool(inner) and kinds.count(type(self.trace.modules[name])) > 1
        return any(self.trace.calls[child].node not in steps for child in inner)

    def _visit(self, name: str) -> None:
        for child in self.children[name]:
            self._enter(child)

    def _enter(self, name: str) -> None:
        weights, kind = self._weights(name), self._weight(name)
        if not weights:
            self._follow(name)
        elif type(self.trace.modules[name]) in self._block_types:
            self._units.append(Unit("block", name, name, [name]))
            self._open = None
        elif kind or self._is_one_layer(name, weights):
            kind = kind or self._weight(weights[0]) or "conv"
            self._open = Unit(kind, weights[0], name, [name])
            self._units.append(self._open)
        else:
            self._visit(name)

    def _is_one_layer(self, name: str, weights: list[str]) -> bool:
        """Whether a module of its own class wraps one convolution, and ends the layer itself."""
        calls = self.trace.calls
        if len(weights) != 1 or _is_chain(self.trace.modules[name]):
            return False
        if calls[name].got != calls[weights[0]].got:
            return False  # it also pools
        others = (leaf for leaf in self._leaves(name) if leaf not in weights)
        return all(self._continues(leaf) for leaf in others)

    def _follow(self, name: str) -> None:
        """Read the open layer after this module; pooling and reshaping end it."""
        calls, layer = self.trace.calls, self._open
        if (
            layer is not None
            # Pooling written as a function is seen by the number of values only.
            and calls[name].given == calls[layer.output].got
            and all(self._continues(leaf) for leaf in self._leaves(name))
        ):
            layer.output = name
            layer.members.append(name)
        else:
            self._open = None

    def _continues(self, name: str) -> bool:
        module, call = self.trace.modules[name], self.trace.calls[name]
        reshapes = isinstance(module, nn.Flatten | nn.Unflatten)
        pools = type(module).__module__ == pooling.__name__
        return 0 < call.given == call.got and not reshapes and not pools


def _is_chain(module: nn.Module) -> bool:
    """Whether a module is a sequence and nothing more."""
    return isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward


def _is_norm(module: nn.Module) -> bool:
    homes = (batchnorm.__name__, instancenorm.__name__, normalization.__name__)
    return type(module).__module__ in homes or "norm" in type(module).__name__.lower()
