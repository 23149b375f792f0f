"""What a time depends on: processor, threads, versions."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from pipeline.devices import processor_name

PACKAGES = ("torch", "faiss-gpu", "faiss-cpu", "numpy", "igraph", "networkx", "pyarrow", "lxml")


def describe_machine() -> dict[str, Any]:
    """Return processor, how many may be used, load, threads, and versions of what is timed.

    Examples
    --------
    >>> facts = describe_machine()
    >>> facts["cpu_count"] >= 1, "torch" in facts["versions"]
    (True, True)
    """
    return {
        "cpu": processor_name(),
        "cpu_count": _usable_processors(),
        # Of the last minute: what else ran here.
        "load_average": _load(),
        "threads": torch.get_num_threads(),
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
    }


def _usable_processors() -> int:
    # Only Linux can say which of them this process may use.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _load() -> float | None:
    # Windows has none.
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
