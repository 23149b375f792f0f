"""One forward pass of a network, observed: which modules ran, in which order, what they gave."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node

from graphs.errors import ModelError, ResourceError
from pipeline.layer_info import LayerInfo, Pool

__all__ = [
    "Call",
    "LayerInfo",
    "Pool",
    "Trace",
    "evaluating",
    "run_model",
    "tensors_in",
    "trace_layers",
    "trace_model",
]


@dataclass(kw_only=True)
class Call:
    """The last call of one module, as the layer rules need it.

    Attributes
    ----------
    order : int
        When its output appeared.
    calls : int
        How often it ran.
    shape : tuple of int or None
        Of the output, batch included; None when it is no tensor.
    kind : str
        What the output is, in words, when it is no tensor.
    given_shapes : tuple of tuple of int
        Of all tensors in the input.
    given, got : int
        Number of values in the first tensor of the input and of the output.
    source, node
        Where input and output stand in autograd's graph.
    channel_axis
        See `LayerInfo`.
    """

    order: int
    calls: int
    shape: tuple[int, ...] | None
    kind: str
    given_shapes: tuple[tuple[int, ...], ...]
    given: int
    got: int
    source: frozenset[Node]
    node: Node | None
    channel_axis: Literal[1, -1]


@dataclass(frozen=True, kw_only=True)
class Trace:
    """What one forward pass showed.

    Attributes
    ----------
    modules : dict of str to Module
        Every module by name, called or not; the network itself is ``""``.
    calls : dict of str to Call
        The last call of every module that ran, in execution order.
    batch : int
        Samples in the pass.
    """

    modules: Mapping[str, nn.Module]
    calls: Mapping[str, Call]
    batch: int

    def layers(self, names: Sequence[str]) -> tuple[LayerInfo, ...]:
        """Describe the modules of these names, in the given order."""
        return tuple(self._describe(index, name) for index, name in enumerate(names))

    def _describe(self, index: int, name: str) -> LayerInfo:
        call, module = self.calls[name], self.modules[name]
        problem = None
        if call.shape is None:
            problem = f"its output is a {call.kind}, not a tensor"
        elif not call.shape or call.shape[0] != self.batch:
            problem = (
                f"its output of shape {call.shape} for {self.batch} samples does not have one row "
                "a sample"
            )
        return LayerInfo(
            index=index,
            name=name,
            type=type(module).__name__,
            shape=call.shape[1:] if call.shape else (),
            calls=call.calls,
            parameters=sum(p.numel() for p in module.parameters()),
            channel_axis=call.channel_axis,
            problem=problem,
        )


def trace_layers(model: nn.Module, example: Tensor) -> list[LayerInfo]:
    """Run one sample and list every module that was called, in execution order.

    Parameters
    ----------
    model : Module
        Left as it was: mode, hooks and gradients are restored.
    example : Tensor, shape (n, C, H, W) or as the network takes it
        At least one sample; the first is used.

    Returns
    -------
    list of LayerInfo
        Ordered by when their (last) output appeared: children before what holds them.

    Raises
    ------
    ModelError
        When the network cannot run on such an input.

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    >>> [(layer.name, layer.type, layer.shape) for layer in trace_layers(model, torch.ones(1, 4))]
    [('0', 'Linear', (3,)), ('1', 'ReLU', (3,))]
    """
    trace = trace_model(model, example)
    return list(trace.layers([name for name in trace.calls if name]))


def trace_model(model: nn.Module, example: Tensor) -> Trace:
    """Run the first sample of `example` and record every module's last call.

    See `trace_layers` for parameters and errors. Gradients are recorded during the pass, because
    autograd's graph tells how the data flow; none is computed.
    """
    # Two copies of the sample: a first dimension of 1 would say nothing about the batch.
    sample = like_parameters(model, example[:1]).repeat(2, *[1] * (example.ndim - 1))
    recorder = _Recorder(model)
    # Parameters that were made in inference mode cannot take part in autograd's graph.
    graph = not any(parameter.is_inference() for parameter in model.parameters())
    with evaluating(model), torch.inference_mode(mode=False), torch.set_grad_enabled(graph):
        # Not a leaf: networks that work in place on their input may do so.
        source = sample.detach().clone().requires_grad_().clone()
        with recorder.attached():
            run_model(model, source)
    calls = dict(sorted(recorder.calls.items(), key=lambda item: item[1].order))
    return Trace(modules=recorder.modules, calls=calls, batch=len(sample))


def run_model(model: nn.Module, images: Tensor) -> Any:
    """Call a network on images; whatever it raises becomes one line.

    Raises
    ------
    ModelError
        With the shape of one image and the cause.
    ResourceError
        When memory is too small for so many images.
    """
    try:
        return model(images)
    except ModelError:
        raise
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise _too_large(images) from error
    except Exception as error:
        if "allocate memory" in str(error):  # torch's CPU allocator raises a plain RuntimeError
            raise _too_large(images) from error
        shape = tuple(images.shape[1:])
        cause = f"{type(error).__name__}: {error}".removesuffix(": ")
        raise ModelError(
            f"{type(model).__name__} cannot run on an input of shape {shape}: {cause[:300]}",
            "choose a network and a data set that fit each other",
        ) from error


def _too_large(images: Tensor) -> ResourceError:
    return ResourceError(
        f"the {images.device.type} ran out of memory on a batch of {len(images)} images",
        "lower --memory, which makes batches smaller, or take --device cpu",
    )


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a network into eval mode, and every module back into its own mode afterwards."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


def like_parameters(model: nn.Module, images: Tensor) -> Tensor:
    """Move images to where the parameters are, in their precision."""
    first = next((p for p in model.parameters() if p.is_floating_point()), None)
    return images.float() if first is None else images.to(first.device, first.dtype)


class _Recorder:
    """Hooks that note every call of every module."""

    def __init__(self, model: nn.Module) -> None:
        self.modules = dict(model.named_modules())
        self.calls: dict[str, Call] = {}
        self._order = 0
        self._sources: dict[str, frozenset[Node]] = {}
        # Layout of the 4-D data at the moment, and the channels that the last layer gave.
        self._last_axis, self._width = False, 0

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Keep hooks on all modules."""
        handles = []
        try:
            for name, module in self.modules.items():
                handles.append(
                    module.register_forward_pre_hook(self._before(name), with_kwargs=True)
                )
                handles.append(module.register_forward_hook(self._after(name), with_kwargs=True))
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _before(self, name: str) -> Any:
        def note(_module: nn.Module, args: Any, kwargs: Any) -> None:
            nodes = (tensor.grad_fn for tensor in tensors_in((args, kwargs)))
            self._sources[name] = frozenset(node for node in nodes if node is not None)

        return note

    def _after(self, name: str) -> Any:
        def note(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            given, got = tensors_in((args, kwargs)), tensors_in(output)
            single = output if isinstance(output, Tensor) and not output.is_nested else None
            if single is not None:
                self._follow_layout(module, single)
            before = self.calls.get(name)
            self._order += 1
            self.calls[name] = Call(
                order=self._order,
                calls=1 + (before.calls if before else 0),
                shape=None if single is None else tuple(single.shape),
                kind="nested tensor" if isinstance(output, Tensor) else type(output).__name__,
                given_shapes=tuple(tuple(tensor.shape) for tensor in given),
                given=given[0].numel() if given else 0,
                got=got[0].numel() if got else 0,
                source=self._sources.get(name, frozenset()),
                node=next((t.grad_fn for t in got if t.grad_fn is not None), None),
                channel_axis=self._channel_axis(single),
            )

        return note

    def _follow_layout(self, module: nn.Module, output: Tensor) -> None:
        """Linear and LayerNorm work on the last axis of a map, convolutions on the first.

        (Subclasses of LayerNorm, as ConvNeXt's, exist to work on the first.)
        """
        if output.ndim != 4:
            return
        if isinstance(module, nn.Linear) or type(module) is nn.LayerNorm:
            self._last_axis, self._width = True, output.shape[-1]
        elif isinstance(module, nn.Conv2d | nn.BatchNorm2d | nn.GroupNorm):
            self._last_axis = False

    def _channel_axis(self, output: Tensor | None) -> Literal[1, -1]:
        if output is None or output.ndim != 4 or not self._last_axis:
            return 1
        # Permuted back, as in ConvNeXt: the channels stand in front again.
        return -1 if output.shape[-1] == self._width else 1


def tensors_in(value: Any) -> list[Tensor]:
    """Return all tensors in nested tuples, lists and mappings, in order."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Mapping):
        return [tensor for item in value.values() for tensor in tensors_in(item)]
    if isinstance(value, list | tuple):
        return [tensor for item in value for tensor in tensors_in(item)]
    return []
