"""Criteria that read or change weights: their size, their gradient, what happens without them."""

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from graphs.errors import ModelError
from pipeline.pruning.evidence import Evidence
from pipeline.pruning.parts import Part
from pipeline.tracing import evaluating, like_parameters, run_model


def magnitude(evidence: Evidence) -> NDArray[np.float64]:
    """Sum of |w| over all parameters of a layer (Han et al. 2015; Li et al. 2017)."""
    return evidence.per_part(
        lambda part: sum(
            float(w.detach().double().abs().sum()) for w in _weights(evidence.model, part)
        )
    )


def taylor(evidence: Evidence) -> NDArray[np.float64]:
    """Sum of |w · ∂loss/∂w| over all parameters of a layer (Molchanov et al. 2019).

    The loss is the mean cross entropy of all samples, in eval mode.

    Raises
    ------
    DataError
        When the samples have no labels.
    ModelError
        When the network gives no logits, or fewer than there are classes.
    """
    passes, labels = evidence.passes, evidence.labels
    weights = list(dict.fromkeys(w for part in passes.parts for w in _weights(passes.model, part)))
    totals = {w: torch.zeros_like(w) for w in weights}
    try:
        passes.model.requires_grad_(requires_grad=True)
        with evaluating(passes.model), torch.enable_grad():
            for nodes in passes.in_order(passes.gradient_batch):
                logits = _logits(
                    run_model(passes.model, passes.place_images(nodes)), passes.model, labels
                )
                classes = torch.from_numpy(labels[nodes]).to(logits.device)
                loss = F.cross_entropy(logits.float(), classes, reduction="sum") / passes.n_nodes
                found = torch.autograd.grad(loss, list(totals), allow_unused=True)
                for total, gradient in zip(totals.values(), found, strict=True):
                    if gradient is not None:
                        total += gradient
    finally:
        passes.model.requires_grad_(requires_grad=False)

    def judge(part: Part) -> float:
        return sum(
            float((w.detach() * totals[w]).double().abs().sum())
            for w in _weights(passes.model, part)
        )

    return evidence.per_part(judge)


def accuracy_drop(evidence: Evidence) -> NDArray[np.float64]:
    """Accuracy lost when a layer's weights are drawn anew (SR-init, Tang et al. 2023).

    Modules draw as they do when they are built, by their ``reset_parameters``; running
    statistics start anew too. NaN for a layer of which no module can.

    Raises
    ------
    DataError
        When the samples have no labels.
    ModelError
        When the network gives no logits, or fewer than there are classes.
    """
    whole = _accuracy(evidence)

    def judge(part: Part) -> float:
        modules = [evidence.passes.model.get_submodule(name) for name in part.members]
        fresh = [copy.deepcopy(module).cpu() for module in modules]
        if not _draw_anew(fresh, seed=[evidence.seed, part.index]):
            return np.nan
        own = [{key: value.clone() for key, value in m.state_dict().items()} for m in modules]
        try:
            for module, other in zip(modules, fresh, strict=True):
                module.load_state_dict(other.state_dict())
            return whole - _accuracy(evidence)
        finally:
            for module, state in zip(modules, own, strict=True):
                module.load_state_dict(state)

    return evidence.per_part(judge)


def require_logits(evidence: Evidence) -> None:
    """Run one image to see whether the network gives a logit for each class.

    Raises
    ------
    DataError
        When the samples have no labels.
    ModelError
        When the network gives no logits, or fewer than there are classes.
    """
    model = evidence.model
    image = like_parameters(model, evidence.images(np.zeros(1, np.int64)))
    with evaluating(model), torch.inference_mode():
        _logits(run_model(model, image), model, evidence.labels)


def _weights(model: nn.Module, part: Part) -> list[nn.Parameter]:
    found = (w for name in part.members for w in model.get_submodule(name).parameters())
    return [w for w in dict.fromkeys(found) if w.is_floating_point()]


def _draw_anew(modules: list[nn.Module], *, seed: list[int]) -> bool:
    """Reset what can be reset, on the CPU: the same values for every device."""
    done = False
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
        for module in modules:
            # what holds others last: attention sets the bias of its output to zero
            for each in reversed(list(module.modules())):
                reset = getattr(each, "reset_parameters", getattr(each, "_reset_parameters", None))
                if callable(reset):
                    reset()
                    done = done or any(True for _ in each.parameters())
    return done


def _accuracy(evidence: Evidence) -> float:
    passes, labels = evidence.passes, evidence.labels
    right = 0
    with evaluating(passes.model), torch.inference_mode():
        for nodes in passes.in_order(passes.batch):
            logits = _logits(
                run_model(passes.model, passes.place_images(nodes)), passes.model, labels
            )
            right += int((logits.argmax(dim=1).cpu().numpy() == labels[nodes]).sum())
    return right / passes.n_nodes


def _logits(output: object, model: nn.Module, labels: NDArray[np.int64]) -> Tensor:
    name = type(model).__name__
    if not isinstance(output, Tensor) or output.ndim != 2:
        got = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise ModelError(
            f"{name} gives {got}, not logits of shape (images, classes)",
            "take criteria that need no logits, without taylor and reinitialize",
        )
    needed = int(labels.max()) + 1
    if output.shape[1] < needed:
        raise ModelError(
            f"{name} has {output.shape[1]} outputs, the samples are of {needed} classes",
            f"build it for {needed} classes",
        )
    return output
