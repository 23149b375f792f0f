"""How long networks take, measured beside one another."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor, nn

from pipeline.placement import place
from pipeline.tracing import evaluating, like_parameters

ROUNDS = 9
ROUND_SECONDS = 0.1  # what a round of one network takes at least
FULL_BATCH = 64  # images


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Time of one forward pass.

    Attributes
    ----------
    batch : int
        Images in it.
    seconds : float
        Median over the rounds.
    low, high : float
        Quartiles over the rounds.
    """

    batch: int
    seconds: float
    low: float
    high: float


def measure_latency(
    models: Sequence[nn.Module],
    input_shape: Sequence[int],
    *,
    batch: int,
    device: torch.device,
    rounds: int = ROUNDS,
) -> list[Latency]:
    """Time the forward pass of networks in turn, so that what disturbs one disturbs all.

    Each runs in eval mode, without gradients, in the memory format that it is fastest in.

    Parameters
    ----------
    models : sequence of Module
        Moved to the device.
    input_shape : sequence of int
        Channels, height, width.
    batch : int
        Images in a pass.
    device : torch.device
        Where.
    rounds : int
        How often each network gets its turn; a turn is as many passes as fill a tenth of a second.

    Returns
    -------
    list of Latency
        Of each network.

    Raises
    ------
    ModelError
        When a network cannot run on such images.
    """
    images = torch.zeros(batch, *input_shape)
    given, counts = [], []
    for model in models:
        memory_format = place(model, device, images)
        given.append(like_parameters(model, images).to(memory_format=memory_format))
        _time(model, given[-1], passes=1)  # the first pass allocates
        counts.append(max(1, int(ROUND_SECONDS / _time(model, given[-1], passes=1))))
    times: list[list[float]] = [[] for _ in models]
    for _ in range(rounds):
        for found, model, own, passes in zip(times, models, given, counts, strict=True):
            found.append(_time(model, own, passes=passes))
    return [_summarize(batch, sorted(found)) for found in times]


def _time(model: nn.Module, images: Tensor, *, passes: int) -> float:
    """Seconds of a pass, in the mean over some."""
    with evaluating(model), torch.inference_mode():
        _wait(images.device)
        start = time.perf_counter()
        for _ in range(passes):
            model(images)
        _wait(images.device)
        return (time.perf_counter() - start) / passes


def _wait(device: torch.device) -> None:
    if device.type == "cuda":  # which returns before it has computed
        torch.cuda.synchronize(device)


def _summarize(batch: int, times: list[float]) -> Latency:
    quarter = len(times) // 4
    return Latency(batch=batch, seconds=median(times), low=times[quarter], high=times[-1 - quarter])
