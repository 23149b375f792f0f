"""How long networks take, measured beside one another."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import torch
from torch import nn
from torch.utils.benchmark import Timer

from pipeline.placement import place
from pipeline.tracing import evaluating

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
    timers, counts = [], []
    for model in models:
        memory_format = place(model, device, images)
        given = images.to(device, memory_format=memory_format)
        timer = Timer(
            "model(images)",
            globals={"model": model, "images": given},
            num_threads=torch.get_num_threads(),
        )
        with evaluating(model), torch.inference_mode():
            timer.timeit(1)  # the first pass allocates
            counts.append(max(1, int(ROUND_SECONDS / timer.timeit(1).mean)))
        timers.append(timer)
    times: list[list[float]] = [[] for _ in models]
    for _ in range(rounds):
        for place_, (model, timer) in enumerate(zip(models, timers, strict=True)):
            with evaluating(model), torch.inference_mode():
                times[place_].append(timer.timeit(counts[place_]).mean)
    return [_summarize(batch, sorted(found)) for found in times]


def _summarize(batch: int, times: list[float]) -> Latency:
    quarter = len(times) // 4
    return Latency(batch=batch, seconds=median(times), low=times[quarter], high=times[-1 - quarter])
