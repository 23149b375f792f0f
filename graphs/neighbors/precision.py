"""In which type this machine multiplies: seen by a short probe, not by the processor's name."""

import functools
import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from graphs.neighbors.eight_bits import WIDEST, EightBits, sums_are_exact
from graphs.neighbors.knn_graph import NARROW
from graphs.neighbors.low_precision import PRECISIONS, Precision, Product

FASTER = 1.5  # how much faster bfloat16 must be than float32 to be worth its larger error
# What 8-bit integers cost beside their product, in preparing a row and in candidates measured, a
# feature: as much as so many terms of a float32 product, measured with 10,000 rows of 16,384. For
# that, and as candidates become more with the rows, they are no match for a fast bfloat16: with
# 10,000 rows as with 50,000 they took as long, though their product alone took half of the time.
EXTRA = 1000
PROBE = (512, 2048)  # rows and features of the probe
ROUNDS = 8


def choose_precision(width: int, device: torch.device, compared: int = 0) -> Precision:
    """Take the type in which everything is done soonest here, and as well as it should be.

    Parameters
    ----------
    width : int
        Features a row.
    device : torch.device
        Where products are computed.
    compared : int
        With how many others a row is multiplied, on average; 0 where there is no room for all
        rows at once, and for their candidates, as 8-bit integers need.
    """
    if width <= NARROW:
        return "float32"
    found = probe(device)
    if found.speed("bfloat16") > FASTER:
        return "bfloat16"
    saved = 1 - 1 / max(found.speed("int8"), 1e-9)
    return "int8" if width <= WIDEST and compared * saved > EXTRA else "float32"


def explain_precision(width: int, device: torch.device, compared: int = 0) -> str:
    """Say in a few words in what rows of so many features are multiplied, and why."""
    where = "the GPU" if device.type == "cuda" else "the CPU"
    if width <= NARROW:
        return f"float32 products on {where}, as no row has more than {NARROW} values"
    found, chosen = probe(device), choose_precision(width, device, compared)
    if chosen != "float32":
        reason = f"{found.speed(chosen):.1f}x as fast as float32 here"
    elif "bfloat16" in found.broken:
        reason = "bfloat16 breaks its error bound here"
    else:
        reason = (
            f"bfloat16 is {found.speed('bfloat16'):.1f}x as fast here, {FASTER}x would be worth it"
        )
    return f"{chosen} products on {where} ({reason})"


@dataclass(frozen=True)
class Probe:
    """What a probe of a device found.

    Attributes
    ----------
    seconds : dict of str to float
        How long a product took, in each type that is there.
    broken : tuple of str
        Types whose products were not as good as proven.
    """

    seconds: dict[Precision, float]
    broken: tuple[Precision, ...] = ()

    def speed(self, precision: Precision) -> float:
        """How many times faster than float32 a type is; 0 where it cannot be used."""
        if precision in self.broken or precision not in self.seconds:
            return 0.0
        return self.seconds["float32"] / self.seconds[precision]


def make_product(
    direction: NDArray[np.float64], *, precision: Precision, device: torch.device
) -> Product:
    """Return what approximates similarities in a type; `direction` is u."""
    if precision == "int8":
        return EightBits(direction)
    return Product(direction, precision=precision, device=device)


@functools.cache
def probe(device: torch.device) -> Probe:
    """Time a small product in each type; look whether the short ones keep their bounds.

    On one core, all in turns, the shortest of many: so that other work on the machine, which
    would have one thread wait for the other, does not decide.
    """
    random = np.random.default_rng(0).standard_normal(PROBE).astype(np.float32)
    unit = random / np.linalg.norm(random, axis=1, keepdims=True)
    truth = unit.astype(np.float64) @ unit.T.astype(np.float64)
    eight = device.type == "cpu" and sums_are_exact()
    products = {
        precision: make_product(np.zeros(PROBE[1]), precision=precision, device=device)
        for precision in PRECISIONS
        if precision != "int8" or eight
    }
    taken: dict[Precision, float] = dict.fromkeys(products, np.inf)
    broken = []
    out = torch.empty(PROBE[0], PROBE[0], device=device)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        ready = {}
        for precision, product in products.items():
            rows = ready[precision] = product.empty(PROBE[0])
            known = product.prepare(unit, rows)
            product(rows, rows, out)
            wrong = np.abs(out.cpu().numpy() - truth) > product.tolerance(*known)[:, None]
            if precision != "float32" and wrong.any():
                broken.append(precision)
        for _ in range(ROUNDS):
            for precision, product in products.items():
                start = time.perf_counter()
                product(ready[precision], ready[precision], out)
                out[0, 0].item()  # waits for the device
                taken[precision] = min(taken[precision], time.perf_counter() - start)
    finally:
        torch.set_num_threads(threads)
    return Probe(taken, tuple(broken))
