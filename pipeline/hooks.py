"""Naming the layers of a network, and reading what they put out.

No other module hooks a network or decides what its layers are called.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from graphs.errors import LayerError
from pipeline.console import listed
from pipeline.layer_info import LayerInfo, Pool
from pipeline.layer_rules import preset_layers
from pipeline.models.example import example_input
from pipeline.near_names import suggest
from pipeline.tracing import Trace, evaluating, tensors_in, trace_layers, trace_model

__all__ = ["Captured", "LayerInfo", "Pool", "capture", "resolve_layers", "trace_layers"]

_SHOWN = 6


def resolve_layers(
    model: nn.Module, spec: str | Sequence[str], example: Tensor | None = None
) -> tuple[LayerInfo, ...]:
    """Find the layers that a specification means.

    Parameters
    ----------
    model : Module
        Left as it was.
    spec : str or sequence of str
        ``blocks``: stem, residual blocks, Conv-BN-ReLU read after their activation (the text of Lu
        et al. 2022); ``reference``: raw convolutions and residual blocks (their released code);
        ``all``: every module whose output can be read; or names with wildcards, separated by
        commas, where ``*`` stays between two dots and ``**`` crosses them: ``layer*.*``.
    example : Tensor, shape (n, C, H, W), optional
        At least one image. Without it, a blank one of a size that the network takes.

    Returns
    -------
    tuple of LayerInfo
        In execution order.

    Raises
    ------
    ModelError
        When the network cannot run on the example.
    LayerError
        When a pattern matches no layer that runs, or one whose output is not a tensor with one row
        a sample.

    Examples
    --------
    >>> model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))
    >>> [layer.name for layer in resolve_layers(model, "blocks", torch.ones(1, 1, 8, 8))]
    ['1']
    >>> [layer.name for layer in resolve_layers(model, "0,3", torch.ones(1, 1, 8, 8))]
    ['0', '3']
    """
    trace = trace_model(model, example_input(model) if example is None else example)
    patterns = spec.split(",") if isinstance(spec, str) else spec
    patterns = [pattern.strip() for pattern in patterns if pattern.strip()]
    if patterns == ["all"]:
        names = [name for name in trace.calls if name]
        return trace.layers([layer.name for layer in trace.layers(names) if layer.problem is None])
    if patterns in (["blocks"], ["reference"]):
        names = preset_layers(trace, "blocks" if patterns == ["blocks"] else "reference")
    else:
        found = {name for pattern in patterns for name in _matching(trace, pattern)}
        names = [name for name in trace.calls if name in found]
    layers = trace.layers(names)
    if not layers:
        raise LayerError("no layer was named", "give blocks, reference, all or names")
    for layer in layers:
        if layer.problem:
            raise LayerError(
                f"layer {layer.name} ({layer.type}) cannot be read: {layer.problem}",
                "choose a layer inside or after it",
            )
    return layers


def _matching(trace: Trace, pattern: str) -> list[str]:
    """Names that a pattern matches, at least one."""
    try:
        expression = re.compile(_translate(pattern))
    except re.error as error:
        raise LayerError(
            f"{pattern!r} is no pattern for layer names ({error})",
            "use names with *, ** and ?, or brackets around characters",
        ) from error
    names = [name for name in trace.calls if name]
    found = [name for name in names if expression.fullmatch(name)]
    if found:
        return found
    idle = [name for name in trace.modules if expression.fullmatch(name)]
    if idle:
        raise LayerError(
            f"layer {idle[0]} never runs when the network is evaluated",
            "leave it out; 'stratagraph inspect --layers all' lists the layers that run",
        )
    raise LayerError(
        f"no layer matches {pattern!r}",
        f"{suggest(pattern, names, limit=_SHOWN)}; 'stratagraph inspect' lists the layers",
    )


def _translate(pattern: str) -> str:
    """Turn a glob over dotted names into a regular expression."""
    meaning = {"**": ".*", "*": "[^.]*", "?": "[^.]"}
    parts = re.split(r"(\*\*|\*|\?|\[[^\]]+\])", pattern)
    kept = (part.replace("[!", "[^") if part.startswith("[") else None for part in parts)
    return "".join(
        meaning.get(part, known or re.escape(part)) for part, known in zip(parts, kept, strict=True)
    )


@dataclass
class Captured:
    """What the hooked layers gave in the last forward pass.

    Attributes
    ----------
    outputs : dict of str to Tensor, shape (n, values)
        By layer name: copies on the CPU, contiguous, in the order channel, height, width (a layer
        with its channels last keeps its own order). In float16 a value beyond 65504 is infinite.
    inputs : dict of str to Tensor, shape (n, values)
        By module name, of the modules whose input was asked for: the first tensor of it, never
        pooled.
    """

    outputs: dict[str, Tensor] = field(default_factory=dict)
    inputs: dict[str, Tensor] = field(default_factory=dict)

    def clear(self) -> None:
        """Let go of what the last forward pass gave."""
        self.outputs.clear()
        self.inputs.clear()


@contextmanager
def capture(
    model: nn.Module,
    layers: Sequence[LayerInfo | str],
    *,
    pool: Pool = "none",
    dtype: torch.dtype = torch.float32,
    inputs: Sequence[str] = (),
) -> Iterator[Captured]:
    """Keep a copy of what layers put out while the network runs.

    The network is in eval mode and without gradients inside; hooks, modes and gradients are as
    before afterwards, also after an exception.

    Parameters
    ----------
    model : Module
        The network.
    layers : sequence of LayerInfo or str
        Layers, or their names.
    pool : {"none", "avg", "cls", "mean"}
        Keep everything; the average over a map's positions; the first token; the average over the
        tokens. Layers that are one vector a sample stay as they are.
    dtype : {torch.float32, torch.float16}
        What the copies are stored in.
    inputs : sequence of str
        Modules of which what they take in is kept too.

    Yields
    ------
    Captured
        Its ``outputs`` and ``inputs`` are renewed by every forward pass.

    Raises
    ------
    LayerError
        When a name is unknown, or the pooling does not fit a layer.

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(inplace=True))
    >>> with capture(model, ["0"]) as captured:
    ...     _ = model(torch.ones(2, 4))
    >>> captured.outputs["0"].shape
    torch.Size([2, 3])
    """
    infos = [layer for layer in layers if isinstance(layer, LayerInfo)]
    require_pool(infos, pool)
    axes = {info.name: info.channel_axis for info in infos}
    names = [layer if isinstance(layer, str) else layer.name for layer in layers]
    modules = [_module(model, name) for name in names]
    takers = [_module(model, name) for name in inputs]
    captured = Captured()
    fused = torch.backends.mha.get_fastpath_enabled()
    handles = [model.register_forward_pre_hook(lambda *_: captured.clear())]
    try:
        for name, module in zip(inputs, takers, strict=True):
            take = partial(_take, captured, name, dtype=dtype)
            handles.append(module.register_forward_pre_hook(take, with_kwargs=True))
        for name, module in zip(names, modules, strict=True):
            keep = partial(_keep, captured, name, pool=pool, axis=axes.get(name, 1), dtype=dtype)
            handles.append(module.register_forward_hook(_hook(keep)))
        handles.append(model.register_forward_hook(_hook(_wait)))
        # The fused transformer kernel is skipped for hooked modules only: without it a layer's
        # output is the same whichever other layers are read.
        torch.backends.mha.set_fastpath_enabled(False)
        with evaluating(model), torch.no_grad():
            yield captured
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
        for handle in handles:
            handle.remove()


def _hook(keep: Callable[[Any], None]) -> Callable[[nn.Module, Any, Any], None]:
    def hook(_module: nn.Module, _args: Any, output: Any) -> None:
        keep(output)

    return hook


def _module(model: nn.Module, name: str) -> nn.Module:
    modules: dict[str, nn.Module] = dict(model.named_modules())
    if name not in modules:
        near = suggest(name, filter(None, modules), limit=_SHOWN)
        raise LayerError(f"there is no layer {name!r}", near)
    return modules[name]


def _keep(
    captured: Captured, name: str, output: Any, *, pool: Pool, axis: int, dtype: torch.dtype
) -> None:
    if not isinstance(output, Tensor) or output.ndim == 0:
        raise LayerError(
            f"layer {name} cannot be read: its output is a {type(output).__name__}, not a tensor",
            "choose a layer inside or after it",
        )
    if not _fits(output.ndim, pool):
        raise _misfit([name], pool)
    captured.outputs[name] = _copy(_pooled(output.detach(), pool=pool, axis=axis), dtype)


def _take(
    captured: Captured, name: str, _module: nn.Module, args: Any, kwargs: Any, *, dtype: torch.dtype
) -> None:
    given = tensors_in((args, kwargs))
    if not given or given[0].ndim == 0:
        raise LayerError(f"layer {name} takes in no tensor", "choose a layer inside or after it")
    captured.inputs[name] = _copy(given[0].detach(), dtype)


def _copy(values: Tensor, dtype: torch.dtype) -> Tensor:
    """Copy to (n, values) on the CPU, in one pass over memory."""
    if values.device.type == "cpu":
        copy = torch.empty(values.shape, dtype=dtype)
        copy.copy_(values)
    else:
        # The copy is queued behind the layer and before anything that overwrites its output;
        # `_wait` ends the forward pass only when all have arrived.
        values = values.to(dtype).contiguous()
        copy = torch.empty(values.shape, dtype=dtype, pin_memory=values.is_cuda)
        copy.copy_(values, non_blocking=values.is_cuda)
    return copy.flatten(1) if copy.ndim > 1 else copy.unsqueeze(1)


def _wait(_output: Any) -> None:
    if torch.cuda.is_available():
        torch.cuda.current_stream().synchronize()


def _pooled(values: Tensor, *, pool: Pool, axis: int) -> Tensor:
    if values.ndim <= 2 or pool == "none":
        return values
    if pool == "avg":
        return values.mean(dim=(2, 3) if axis == 1 else (1, 2), dtype=torch.float32)
    return values[:, 0] if pool == "cls" else values.mean(dim=1, dtype=torch.float32)


def _fits(ndim: int, pool: Pool) -> bool:
    return pool == "none" or ndim <= 2 or ndim == (4 if pool == "avg" else 3)


def require_pool(layers: Sequence[LayerInfo], pool: Pool) -> None:
    """Refuse a pooling that does not fit the outputs of some layers.

    Raises
    ------
    LayerError
        Naming the layers.
    """
    misfits = [layer.name for layer in layers if not _fits(len(layer.shape) + 1, pool)]
    if misfits:
        raise _misfit(misfits, pool)


def _misfit(names: Sequence[str], pool: Pool) -> LayerError:
    needed = "maps (channels, height, width)" if pool == "avg" else "tokens (tokens, width)"
    return LayerError(
        f"--pool {pool} needs layers of {needed}, which these are not: "
        f"{listed(names, most=_SHOWN)}",
        "choose others by --layers, or take --pool none",
    )
