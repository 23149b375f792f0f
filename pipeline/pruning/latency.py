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
    rounds : tuple of float
        Seconds in each round, in turn with the other networks.
    """

    batch: int
    rounds: tuple[float, ...]

    @property
    def seconds(self) -> float:
        """Median over the rounds."""
        return median(self.rounds)

    @property
    def low(self) -> float:
        """Lower quartile over the rounds."""
        return _quartiles(self.rounds)[0]

    @property
    def high(self) -> float:
        """Upper quartile over the rounds."""
        return _quartiles(self.rounds)[1]


def speedup(before: Latency, after: Latency) -> tuple[float, float, float]:
    """Say how many times faster the second network is: median and quartiles over the rounds.

    Times of one round are compared with one another: other work on the machine slows both.

    Examples
    --------
    >>> slow, fast = (Latency(batch=1, rounds=r) for r in ((2, 4, 20, 4, 4), (1, 2, 10, 2, 1)))
    >>> speedup(slow, fast)
    (2.0, 2.0, 2.0)
    """
    ratios = [one / other for one, other in zip(before.rounds, after.rounds, strict=True)]
    return median(ratios), *_quartiles(ratios)


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
    return [Latency(batch=batch, rounds=tuple(found)) for found in times]


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


def _quartiles(values: Sequence[float]) -> tuple[float, float]:
    ordered, quarter = sorted(values), len(values) // 4
    return ordered[quarter], ordered[-1 - quarter]
