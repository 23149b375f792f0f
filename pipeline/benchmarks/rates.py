"""What one process on one core does in a second, measured on this machine."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

from graphs.errors import ResourceError
from graphs.neighbors.pairs import link_pair
from graphs.neighbors.rows import unit_rows
from graphs.runs import Run
from graphs.shards import LayerRows
from pipeline.benchmarks.images import Workload, prepare, synthetic_features
from pipeline.benchmarks.setting import Setting, seconds
from pipeline.options import Images, Machine, Neighbours, Work
from pipeline.stage1_activations import dump_activations
from pipeline.stage2_edges import build_edges
from pipeline.stage3_communities import measure_graphs

K = 10
ROUNDS = 3


@dataclass(frozen=True, kw_only=True)
class Rates:
    """What one process does in a second.

    Attributes
    ----------
    images : float
        Images through the network and into shards.
    flops : float
        Floating-point operations of the search, 2 D for each pair of rows.
    read : float
        Bytes of activations read and scaled to unit rows.
    nodes : float
        Nodes measured in stage 3, of one layer.
    """

    images: float
    flops: float
    read: float
    nodes: float


def measure_rates(setting: Setting) -> Rates:
    """Measure all four on one core, with ResNet20 and what it puts out.

    What a stage takes once, such as loading the network, is left out: rates are taken from the
    difference between a small run and a large one.

    Parameters
    ----------
    setting : Setting
        Data folder and scratch folder; `quick` for sizes that show that it runs.

    Raises
    ------
    ResourceError
        When other work has disturbed the times.
    """
    few, many = setting.size(512, quick=32), setting.size(2048, quick=96)
    workload = prepare(setting, many)
    with _one_core():
        # the first run of a process takes what no other does
        _run(workload, setting.scratch / "first", few)
        small, large = (_run(workload, setting.scratch / str(n), n) for n in (few, many))
        layers = len(Run(large.folder).stage("activations")["sets"][0]["layers"])
        return Rates(
            images=rate(many - few, small.activations, large.activations),
            flops=_search(setting),
            read=_read(large.folder),
            nodes=rate(layers * (many - few), small.communities, large.communities),
        )


def rate(more: float, small: float, large: float) -> float:
    """Return what is done in a second, from the times of a small and of a large run.

    Parameters
    ----------
    more : float
        What the large run does beyond the small one.
    small, large : float
        Their seconds.

    Raises
    ------
    ResourceError
        When the large run took no longer: other work has disturbed it.

    Examples
    --------
    >>> rate(100, small=1.0, large=1.5)
    200.0
    """
    if large <= small:
        raise ResourceError(
            f"a run four times as large took {large:.3g} s, the small one {small:.3g} s: the "
            "machine is too busy to measure rates",
            "try again when nothing else runs, or give the rates",
        )
    return more / (large - small)


@dataclass(frozen=True)
class _Run:
    folder: Path
    activations: float
    communities: float


def _run(workload: Workload, folder: Path, samples: int) -> _Run:
    """Do the stages once and time the first and the last."""
    machine, work = Machine(device="cpu"), Work(progress=False)
    images: Images = replace(workload.images, samples=samples)
    first = seconds(
        lambda: dump_activations(
            folder, network=workload.network, images=images, machine=machine, work=work
        )
    )
    build_edges(folder, neighbours=Neighbours(k=K), machine=machine, work=work)
    return _Run(folder, first, seconds(lambda: measure_graphs(folder, work=work)))


def _search(setting: Setting) -> float:
    """Operations a second of blocks of two sizes; what grows with the rows alone falls out."""
    rows, width = setting.size(2048, quick=64), setting.size(16_384, quick=600)
    values = synthetic_features(2 * rows, width)

    def link(count: int) -> float:
        block = range(count)
        return min(
            seconds(
                lambda: link_pair(
                    values, block, block, k=K, metric="cosine", engine="certified", device="cpu"
                )
            )
            for _ in range(ROUNDS)
        )

    link(rows)  # the probe, and what is set up once
    # t(n) = a n + n² D / F, so t(2n) - 2 t(n) = 2 n² D / F
    return rate(2 * rows**2 * width, small=2 * link(rows), large=link(2 * rows))


def _read(folder: Path) -> float:
    """Bytes a second of the widest layer."""
    run = Run(folder).repeat("clean", 0)
    rows = LayerRows(sorted(run.layer(0).glob("part-*.parquet")))
    n, width = rows.shape
    step = max(1, n // 8)
    start = time.perf_counter()
    for at in range(0, n, step):
        unit_rows(rows, at, min(at + step, n), metric="cosine")
    return 4 * n * width / (time.perf_counter() - start)


@contextmanager
def _one_core() -> Iterator[None]:
    """Keep the threads of this process on one core, where the system lets us."""
    free = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    threads, said = torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    if free:
        os.sched_setaffinity(0, {min(free)})
    try:
        with threadpool_limits(1):
            yield
    finally:
        if free:
            os.sched_setaffinity(0, free)
        torch.set_num_threads(threads)
        if said is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = said
