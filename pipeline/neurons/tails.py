"""Many variants of a network that differ at one layer, without running what is before it twice."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from graphs.errors import LayerError
from pipeline.neurons.channel_flow import is_weight_layer
from pipeline.tracing import Call, evaluating, trace_model

Change = tuple[str, Tensor]  # name of a layer; what its outputs are multiplied with, shape (C,)


class Tails:
    """A network that can be run on from any of its layers.

    Networks that are a chain of modules are run module by module: the outputs of one layer, once
    computed, serve all variants. Others are run whole for each variant, with the same result.

    Parameters
    ----------
    model : Module
        Left as it was.
    example : Tensor, shape (b, ...)
        Some images, to see whether the modules are a chain.

    Attributes
    ----------
    last : str or None
        The linear layer or convolution that runs last: the network's output.
    """

    def __init__(self, model: nn.Module, example: Tensor) -> None:
        self.model = model
        self.modules = dict(model.named_modules())
        calls = trace_model(model, example).calls
        # in the order in which they ran, which need not be that in which they were defined
        weighted = [name for name in calls if is_weight_layer(self.modules[name])]
        self.last = weighted[-1] if weighted else None
        self.chain = self._find_chain(example, calls)

    def _find_chain(self, example: Tensor, calls: Mapping[str, Call]) -> list[str] | None:
        """Names of the modules without children, if running them in turn gives the same."""
        order = [name for name in calls if name and not list(self.modules[name].children())]
        with evaluating(self.model), torch.inference_mode():
            expected = self.model(example)
            try:
                value: Any = example.clone()
                for name in order:
                    value = self.modules[name](value)
            except Exception:  # noqa: BLE001 (modules raise anything where something lies between)
                return None
        return order if isinstance(value, Tensor) and torch.equal(value, expected) else None

    def outputs(
        self, images: Tensor, first: str, variants: Sequence[Sequence[Change]]
    ) -> Iterator[Tensor]:
        """Run the network on images, once for each variant.

        Parameters
        ----------
        images : Tensor, shape (b, ...)
            As the network takes them.
        first : str
            The earliest layer that any variant changes.
        variants : sequence of sequence of Change
            Each a set of layers whose outputs are multiplied, channel by channel.

        Yields
        ------
        Tensor, shape (b, classes)
            Logits of each variant.

        Raises
        ------
        LayerError
            When there is no such layer.
        """
        for name in {first, *(name for variant in variants for name, _ in variant)}:
            if name not in self.modules:
                raise LayerError(f"there is no layer {name!r}", "name a layer of the network")
        with evaluating(self.model), torch.inference_mode():
            if self.chain is None:
                for variant in variants:
                    with _changed(self.modules, variant):
                        yield self.model(images)
                return
            start = self.chain.index(first) + 1
            while isinstance(self.modules[self.chain[start]], nn.ReLU | nn.Dropout | nn.Identity):
                start += 1  # factors of 0 and above may as well be applied behind these
            value = images.clone()  # a module may work in place
            for name in self.chain[:start]:
                value = self.modules[name](value)
            for variant in variants:
                changes = dict(variant)
                changed = value
                for place, name in enumerate(self.chain[start:]):
                    factors = changes.get(first) if place == 0 else None
                    changed = self._apply(name, changed, factors, fresh=place > 0)
                    if name in changes:
                        changed = _multiply(changed, changes[name])
                yield changed

    def _apply(self, name: str, value: Tensor, factors: Tensor | None, *, fresh: bool) -> Tensor:
        """Run one module on values times factors; on a copy of values that are needed again."""
        module = self.modules[name]
        if factors is None:
            return module(value if fresh else value.clone())  # type: ignore[no-any-return]
        if isinstance(module, nn.Linear) and len(factors) == module.in_features:
            # a matrix of weights is smaller than one of activations, and the products are the same
            return nn.functional.linear(value, module.weight * factors, module.bias)
        return module(_multiply(value, factors))  # type: ignore[no-any-return]


def _multiply(output: Tensor, factors: Tensor) -> Tensor:
    return output * factors.reshape(1, -1, *[1] * (output.ndim - 2))


@contextmanager
def _changed(modules: dict[str, nn.Module], variant: Sequence[Change]) -> Iterator[None]:
    def hook(factors: Tensor) -> Callable[..., Tensor]:
        return lambda _module, _given, output: _multiply(output, factors)

    handles: list[Any] = []
    try:
        for name, factors in variant:
            handles.append(modules[name].register_forward_hook(hook(factors)))
        yield
    finally:
        for handle in handles:
            handle.remove()
