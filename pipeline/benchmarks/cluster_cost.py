"""What a run costs on a cluster: formulas, and a simulation of its task queue.

``python -m pipeline.benchmarks.cluster_cost --help`` says how to ask for another run than one
million samples in 50 layers.
"""

import heapq
import math
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from graphs.errors import StratagraphError
from graphs.neighbors.pairs import PAIR_BYTES, block_size
from pipeline.benchmarks.rates import Rates, measure_rates
from pipeline.benchmarks.setting import Setting, data_folder
from pipeline.devices import format_bytes, parse_bytes
from pipeline.dumping import PART_ROWS

HOUR = 3600.0
LINK_BYTES = 8  # an index and a similarity
# 50 layers of a residual network for 32 x 32 images: maps of 16 x 32², 32 x 16² and 64 x 8²
RESIDUAL = (16_384,) * 17 + (8_192,) * 17 + (4_096,) * 16


@dataclass(frozen=True, kw_only=True)
class Size:
    """What is run.

    Attributes
    ----------
    samples : int
        n.
    widths : tuple of int
        D of every layer.
    k : int
        Neighbours a sample.
    value_bytes : int
        s: 4 for float32, 2 for float16.
    memory : int
        M: the budget of a process in bytes.
    """

    samples: int
    widths: tuple[int, ...] = RESIDUAL
    k: int = 10
    value_bytes: int = 4
    memory: int = 4 << 30


def activation_bytes(size: Size) -> int:
    """Return what stage 1 writes: n s Σ D.

    Examples
    --------
    >>> activation_bytes(Size(samples=10, widths=(3, 5), value_bytes=2))
    160
    """
    return size.samples * size.value_bytes * sum(size.widths)


def block_rows(size: Size, width: int) -> int:
    """Return the rows of a block of stage 2: b = M / (20 D), at most n."""
    return min(size.samples, block_size(width, size.memory))


def blocks(size: Size, width: int) -> int:
    """Return how many blocks a layer has: B = ceil(n / b)."""
    return math.ceil(size.samples / block_rows(size, width))


def pair_memory(size: Size, width: int) -> int:
    """Return what a task of stage 2 takes: 20 b D bytes, at most M."""
    return PAIR_BYTES * block_rows(size, width) * width


def pair_flops(size: Size, width: int) -> int:
    """Return the operations of one layer: n² D, 2 D for each of n² / 2 pairs of rows."""
    return size.samples**2 * width


def read_bytes(size: Size, width: int) -> int:
    """Return what stage 2 reads of one layer: B n D s, every block once for each block.

    Examples
    --------
    >>> tight = Size(samples=100, memory=20 * 8 * 50)
    >>> blocks(tight, 8), read_bytes(tight, 8) == 2 * 100 * 8 * 4
    (2, True)
    """
    return blocks(size, width) * size.samples * width * size.value_bytes


def link_bytes(size: Size, width: int) -> int:
    """Return what the pairs of a layer leave to be merged: 8 B n k."""
    return LINK_BYTES * blocks(size, width) * size.samples * size.k


@dataclass(frozen=True)
class Task:
    """One task of the queue.

    Attributes
    ----------
    seconds : float
        How long it takes.
    after : tuple of int
        Positions in the queue of the tasks whose results it needs.
    """

    seconds: float
    after: tuple[int, ...] = ()


def simulate(tasks: Sequence[Task], workers: int) -> float:
    """Return when the last task ends, where free workers take the first task that can begin.

    Parameters
    ----------
    tasks : sequence of Task
        The queue, in the order in which it was filled; a task needs only earlier ones.
    workers : int
        Processes.

    Examples
    --------
    >>> simulate([Task(2), Task(2), Task(3), Task(1, after=(0, 1))], workers=2)
    5.0
    """
    missing = [len(task.after) for task in tasks]
    waiting: list[list[int]] = [[] for _ in tasks]
    for place, task in enumerate(tasks):
        for earlier in task.after:
            waiting[earlier].append(place)
    ready = [place for place, count in enumerate(missing) if not count]
    running: list[tuple[float, int]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < workers:
            place = heapq.heappop(ready)
            heapq.heappush(running, (now + tasks[place].seconds, place))
        now, ended = heapq.heappop(running)
        for place in waiting[ended]:
            missing[place] -= 1
            if not missing[place]:
                heapq.heappush(ready, place)
    return now


def stage1_tasks(size: Size, rates: Rates) -> list[Task]:
    """Return the parts of stage 1."""
    n = size.samples
    return [Task(min(PART_ROWS, n - at) / rates.images) for at in range(0, n, PART_ROWS)]


def stage2_tasks(size: Size, rates: Rates) -> list[Task]:
    """Return the pairs of blocks of all layers, and what writes each layer after its pairs.

    Merging is not counted: B n k numbers are sorted, against n² D that are multiplied.
    """
    tasks: list[Task] = []
    for width in size.widths:
        first = len(tasks)
        tasks.extend(_pairs(size, width, rates))
        tasks.append(Task(0.0, after=tuple(range(first, len(tasks)))))
    return tasks


def _pairs(size: Size, width: int, rates: Rates) -> Iterator[Task]:
    step = block_rows(size, width)
    rows = [min(step, size.samples - at) for at in range(0, size.samples, step)]
    for i, left in enumerate(rows):
        for j in range(i, len(rows)):
            right = rows[j]
            # one product serves both directions; of a block with itself, half of it
            read, products = (left, left * left) if i == j else (left + right, 2 * left * right)
            flops = products * width
            yield Task(flops / rates.flops + read * width * size.value_bytes / rates.read)


def stage3_tasks(size: Size, rates: Rates) -> list[Task]:
    """Return the layers of stage 3. Matching one to the next is not counted: O(n)."""
    return [Task(size.samples / rates.nodes) for _ in size.widths]


def cost_lines(size: Size, rates: Rates, workers: Sequence[int]) -> list[str]:
    """Return the table of bytes and hours."""
    widest = max(size.widths)
    lines = [
        f"{size.samples:,} samples x {len(size.widths)} layers, k={size.k}, "
        f"{format_bytes(size.memory)} a process",
        f"  activations on disk        {format_bytes(activation_bytes(size))}",
        f"  read by stage 2            "
        f"{format_bytes(sum(read_bytes(size, width) for width in size.widths))}",
        f"  links to merge, one layer  {format_bytes(link_bytes(size, widest))}",
        f"  a task of stage 2          {format_bytes(pair_memory(size, widest))}",
        f"  operations of stage 2      {sum(pair_flops(size, d) for d in size.widths):.3g}",
        "workers  stage 1  stage 2  stage 3    hours",
    ]
    queues = [make(size, rates) for make in (stage1_tasks, stage2_tasks, stage3_tasks)]
    for count in workers:
        hours = [simulate(queue, count) / HOUR for queue in queues]
        lines.append(f"{count:7d}" + "".join(f"{h:9.1f}" for h in (*hours, sum(hours))))
    return lines


def rate_line(rates: Rates) -> str:
    """Return the rates in one line.

    Examples
    --------
    >>> rate_line(Rates(images=250, flops=2e11, read=1.2e8, nodes=1e4))
    'a second: 250 images, 2e+11 operations, 1.2e+08 bytes read, 1e+04 nodes'
    """
    return (
        f"a second: {rates.images:.3g} images, {rates.flops:.2g} operations, "
        f"{rates.read:.2g} bytes read, {rates.nodes:.2g} nodes"
    )


def print_cost(
    *,
    samples: int = 1_000_000,
    widths: str | None = None,
    k: int = 10,
    dtype_bytes: int = 4,
    memory: str = "4GiB",
    workers: str = "1,8,64",
    images_rate: float = 600.0,
    flops_rate: float = 1.8e11,
    read_rate: float = 5e8,
    nodes_rate: float = 3e3,
    measure: bool = False,
) -> None:
    """Print what a run costs on paper (bytes, operations) and by simulation (hours).

    Parameters
    ----------
    samples
        Samples, n.
    widths
        Values a sample of every layer, such as `16384x17,8192x17,4096x16`.
    k
        Neighbours of each sample.
    dtype_bytes
        4 for float32, 2 for float16.
    memory
        Budget of a process.
    workers
        How many processes, several numbers.
    images_rate
        Images a second of one process in stage 1.
    flops_rate
        Operations a second of one process in stage 2.
    read_rate
        Bytes a second that one process reads and scales.
    nodes_rate
        Nodes a second of one process in stage 3.
    measure
        Measure the four rates on one core of this machine first (a minute), with real images and
        weights where STRATAGRAPH_DATA is set; rates that are given do not count.
    """
    size = Size(
        samples=samples,
        widths=parse_widths(widths) if widths else RESIDUAL,
        k=k,
        value_bytes=dtype_bytes,
        memory=parse_bytes(memory),
    )
    rates = Rates(images=images_rate, flops=flops_rate, read=read_rate, nodes=nodes_rate)
    if measure:
        with tempfile.TemporaryDirectory(prefix="rates-") as scratch:
            rates = measure_rates(Setting(scratch=Path(scratch), data=data_folder(None)))
        sys.stdout.write(rate_line(rates) + "\n")
    counts = [_whole(count, "--workers") for count in workers.split(",")]
    sys.stdout.write("\n".join(cost_lines(size, rates, counts)) + "\n")


def parse_widths(text: str) -> tuple[int, ...]:
    """Read the values a sample of every layer.

    Raises
    ------
    StratagraphError
        For what is no such list.

    Examples
    --------
    >>> parse_widths("16x2,8")
    (16, 16, 8)
    """
    found: list[int] = []
    for item in text.split(","):
        width, _, times = item.partition("x")
        found += [_whole(width, "--widths")] * _whole(times or "1", "--widths")
    return tuple(found)


def _whole(text: str, option: str) -> int:
    if not text.strip().isdecimal() or not int(text):
        raise StratagraphError(f"{option}: {text!r} is no number above 0", "see --help")
    return int(text)


if __name__ == "__main__":
    from pipeline.cli import run_script

    run_script(print_cost)
