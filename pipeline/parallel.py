"""Joining a Ray cluster, for the time of a command. The only file that imports ray."""

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

from graphs.errors import ResourceError
from graphs.files import TEMPORARY
from graphs.places import remote, resolve_folder
from pipeline.cluster import Cluster
from pipeline.cluster_address import LOCAL, cluster_address
from pipeline.console import log, plural
from pipeline.options import Machine


@contextmanager
def open_cluster(machine: Machine, root: Path | None = None) -> Iterator[Cluster | None]:
    """Connect to the cluster that the options name; None for the executor `local`.

    A connection that is there already is used and stays.

    Parameters
    ----------
    machine : Machine
        Executor, address and device.
    root : Path, optional
        The run folder. What killed workers left there is removed at the end. A temporary file
        carries the number of its process, which means nothing on another machine, but when all
        work that this process handed out is done or cancelled, nobody writes there any more.

    Raises
    ------
    ResourceError
        When ray is not installed, the cluster does not answer or cannot be joined, or lacks the
        device.
    """
    if machine.executor == "local":
        if machine.ray_address:
            raise ResourceError(
                f"--ray-address {machine.ray_address} is of no use to the executor local",
                "add --executor ray",
            )
        yield None
        return
    ray = _import_ray()
    joined = ray.is_initialized()
    # Ray tells of processes that died on standard output, where only results belong
    with redirect_stdout(sys.stderr):
        if not joined:
            _join(ray, cluster_address(machine.ray_address))
        try:
            cluster = Cluster(ray, machine.device)
            log.info("on a Ray cluster, %s at a time", plural(cluster.workers, "task"))
            try:
                yield cluster
            finally:
                cluster.stop()
        finally:
            if not joined:
                ray.shutdown()
            if root is not None:
                _sweep(root)


def _import_ray() -> ModuleType:
    os.environ.setdefault("RAY_TQDM_PATCH_PRINT", "0")  # it replaces Python's own print otherwise
    try:
        import ray
    except ImportError as error:
        raise ResourceError(
            f"--executor ray: the package {error.name or 'ray'} is not installed",
            "install it with pip install -e '.[ray]', on every node",
        ) from error
    return ray


def _join(ray: ModuleType, address: str) -> None:
    """Connect to a cluster, or start one for this process."""
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address == LOCAL:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # asks and reports otherwise
        options["include_dashboard"] = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # hints to those who write against Ray
            ray.init(address=address, **options)
    # other versions, no rights, no Ray on this machine: there is no common class
    except (Exception, SystemExit) as error:
        ray.shutdown()
        reason = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else "?"
        raise ResourceError(
            f"the Ray cluster at {address} cannot be joined: {reason}",
            "check `ray status`; Ray, Python and RAY_AUTH_MODE must be the same on every node and "
            "here",
        ) from error


def _sweep(root: Path) -> None:
    """Remove temporary files of whatever process; at a URL there are none."""
    folder = resolve_folder(root)
    if remote(folder):
        return
    for path in folder.rglob(".*.tmp"):
        if TEMPORARY.fullmatch(path.name):
            path.unlink(missing_ok=True)
