"""P6: whether `memory` is honoured while neighbours are searched in shards on disk."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from graphs.errors import RunError, StratagraphError
from graphs.neighbors import knn
from graphs.shards import LayerRows
from graphs.tables import ShardWriter
from pipeline.benchmarks.images import synthetic_features
from pipeline.benchmarks.setting import Case, Measured, Note, Setting
from pipeline.console import log
from pipeline.devices import parse_bytes

BUDGET = "2GiB"
K = 10
PART = 2000
STATUS = Path("/proc/self/status")


def measure_search_memory(setting: Setting) -> Measured:
    """Search neighbours in a process of its own, and compare its peak memory with the budget.

    Peak resident set less the resident set before the first row is read; what the system caches of
    the files is not counted.

    Raises
    ------
    StratagraphError
        On systems that do not tell a process its memory (all but Linux).
    RunError
        When the search fails.
    """
    if not STATUS.is_file():
        raise StratagraphError("P6 reads /proc/self/status", "run it on Linux, or leave it out")
    samples, values = setting.size(20_000, quick=200), setting.size(16_384, quick=64)
    budget = parse_bytes(BUDGET)
    _write_shards(setting.scratch, samples, values)
    command = [sys.executable, "-m", __name__, str(setting.scratch), str(budget)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (ours)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise RunError(
            f"the search ended with status {done.returncode}: {last}",
            "free some memory, or leave P6 out with --only",
        )
    grown, seconds = map(float, done.stdout.split())
    log.info("  peak %.2f GiB over the start, %.3g s", grown / 2**30, seconds)
    case = Case(what="peak over budget", seconds=(seconds,), values=(grown / budget,))
    return Measured(
        cases=(case,),
        input=f"{samples} x {values} float32 in shards, k={K}, memory={BUDGET}, synthetic",
        notes=(Note(what="time of the search", value=seconds, unit="s"),),
        points=({"peak_bytes": grown, "budget_bytes": float(budget), "seconds": seconds},),
    )


def _write_shards(folder: Path, samples: int, values: int) -> None:
    features = synthetic_features(samples, values)
    for part, start in enumerate(range(0, samples, PART)):
        rows = features[start : start + PART]
        nodes = np.arange(start, start + len(rows), dtype=np.int32)
        path = folder / f"part-{part:05d}.parquet"
        with ShardWriter(path, values, dtype="float32", metadata={}) as shard:
            shard.write(nodes, rows)


def _resident(name: str) -> int:
    """One of the sizes that Linux tells of this process, in bytes: VmRSS now, VmHWM at its peak."""
    lines = STATUS.read_text("utf-8").splitlines()
    line = next(line for line in lines if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024


def _search(folder: Path, budget: int) -> None:
    """Search, and say how far memory grew and how long it took."""
    import time

    knn(synthetic_features(64, 64), K)  # what the libraries take for themselves, once
    start, began = _resident("VmRSS"), time.perf_counter()
    knn(LayerRows(sorted(folder.glob("part-*.parquet"))), K, device="cpu", memory=budget)
    sys.stdout.write(f"{_resident('VmHWM') - start} {time.perf_counter() - began}\n")


if __name__ == "__main__":
    _search(Path(sys.argv[1]), int(sys.argv[2]))
