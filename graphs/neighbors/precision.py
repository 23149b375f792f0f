"""In which type this machine multiplies: seen by a short probe, not by the processor's name."""

import functools
import time
from dataclasses import dataclass

import numpy as np
import torch

from graphs.neighbors.knn_graph import NARROW
from graphs.neighbors.low_precision import PRECISIONS, Precision, Product

FASTER = 1.5  # how much faster bfloat16 must be to be worth its larger error
PROBE = (512, 2048)  # rows and features of the probe
ROUNDS = 8


def choose_precision(width: int, device: torch.device) -> Precision:
    """Take bfloat16 where its product is faster here and as good as it should be.

    Parameters
    ----------
    width : int
        Features a row.
    device : torch.device
        Where products are computed.
    """
    return "float32" if width <= NARROW else probe(device).precision


def explain_precision(width: int, device: torch.device) -> str:
    """Say in a few words in what rows of so many features are multiplied, and why."""
    where = "the GPU" if device.type == "cuda" else "the CPU"
    if width <= NARROW:
        return f"float32 products on {where}, as no row has more than {NARROW} values"
    found = probe(device)
    if not found.keeps_bound:
        reason = "bfloat16 breaks its error bound here"
    elif found.precision == "bfloat16":
        reason = f"{found.ratio:.1f}x as fast as float32 here"
    else:
        reason = f"bfloat16 is {found.ratio:.1f}x as fast here, {FASTER}x would be worth it"
    return f"{found.precision} products on {where} ({reason})"


@dataclass(frozen=True)
class Probe:
    """What a probe of a device found.

    Attributes
    ----------
    precision : {"bfloat16", "float32"}
        What to multiply in.
    ratio : float
        How many times faster bfloat16 was.
    keeps_bound : bool
        Whether bfloat16 products were as good as proven.
    """

    precision: Precision
    ratio: float
    keeps_bound: bool = True


@functools.cache
def probe(device: torch.device) -> Probe:
    """Time a small product in both types; look whether bfloat16 keeps its bound.

    On one core, the two in turns, the shortest of many: so that other work on the machine, which
    would have one thread wait for the other, does not decide.
    """
    random = np.random.default_rng(0).standard_normal(PROBE).astype(np.float32)
    unit = random / np.linalg.norm(random, axis=1, keepdims=True)
    truth = unit.astype(np.float64) @ unit.T.astype(np.float64)
    products = {
        precision: Product(np.zeros(PROBE[1]), precision=precision, device=device)
        for precision in PRECISIONS
    }
    taken: dict[Precision, float] = dict.fromkeys(PRECISIONS, np.inf)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for _ in range(ROUNDS):
            for precision, product in products.items():
                rows, out = product.empty(PROBE[0]), torch.empty(PROBE[0], PROBE[0], device=device)
                known = product.prepare(unit, rows)
                start = time.perf_counter()
                product(rows, rows, out)
                out[0, 0].item()  # waits for the device
                taken[precision] = min(taken[precision], time.perf_counter() - start)
                wrong = np.abs(out.cpu().numpy() - truth) > product.tolerance(*known)[:, None]
                if precision == "bfloat16" and wrong.any():
                    return Probe("float32", float("nan"), keeps_bound=False)
    finally:
        torch.set_num_threads(threads)
    ratio = taken["float32"] / taken["bfloat16"]
    return Probe("bfloat16" if ratio > FASTER else "float32", ratio)
