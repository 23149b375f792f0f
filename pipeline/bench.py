"""`stratagraph bench`: how fast it is, against what it should be."""

import sys
import tempfile
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from graphs.errors import StratagraphError
from graphs.files import write_json
from pipeline.benchmarks.machine import describe_machine
from pipeline.benchmarks.registry import BENCHMARKS
from pipeline.benchmarks.result import summarize
from pipeline.benchmarks.setting import Setting, data_folder
from pipeline.benchmarks.table import HEADER, row_lines
from pipeline.console import log
from pipeline.devices import require_writable

BUSY = 0.5  # load average of a machine that does something else besides


def run_benchmarks(
    out: Path = Path("runs/bench.json"),
    *,
    only: str | None = None,
    data: Path | None = None,
    quick: Annotated[bool, Parameter(negative="")] = False,
) -> Path:
    """Time stratagraph against what it replaces.

    Everything runs on the CPU. Most benchmarks are ratios of two sides that take turns within one
    run: the median of three rounds, with the lowest and highest. Seconds differ between machines,
    ratios much less.

    Parameters
    ----------
    out
        JSON file for the results; scratch files lie beside it for a while (2 GB).
    only
        Which, such as `P1,P4`; all without it.
    data
        Folder with real images and weights (default: the environment variable STRATAGRAPH_DATA).
        Without them digits and random weights are used, and the results say so.
    quick
        Small sizes and one round: shows that everything runs, compares with no target.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    StratagraphError
        When a benchmark is unknown or fails.
    DataError
        When the data folder does not exist.
    RunError, ResourceError
        When `out` cannot be written or the disk has no room.
    """
    names, folder = _chosen(only), data_folder(data)
    require_writable(out.parent)
    out.parent.mkdir(parents=True, exist_ok=True)
    machine = describe_machine()
    if (machine["load_average"] or 0) > BUSY:
        log.warning(
            "other work runs on this machine (load %s): sides that use all processors suffer "
            "most, the ratios are not reliable", machine["load_average"],
        )  # fmt: skip
    rows = []
    sys.stdout.write(HEADER + "\n")
    for name in names:
        log.info("%s: %s", name, BENCHMARKS[name].what)
        # Beside the results, and not in memory as some systems' temporary folder is.
        with tempfile.TemporaryDirectory(prefix=".bench-", dir=out.parent) as scratch:
            setting = Setting(scratch=Path(scratch), data=folder, quick=quick)
            measured = BENCHMARKS[name].measure(setting)
        row = summarize(name, BENCHMARKS[name], measured, quick=quick)
        rows.append(row | {"machine": machine})
        sys.stdout.write("\n".join(row_lines(row)) + "\n")
        sys.stdout.flush()
        write_json(out, rows)  # each at once: a bench that is stopped keeps what it has
    return out


def _chosen(only: str | None) -> list[str]:
    """Ids in the order of the registry."""
    if only is None:
        return list(BENCHMARKS)
    wanted = [name.strip().upper() for name in only.split(",") if name.strip()]
    for name in wanted:
        if name not in BENCHMARKS:
            raise StratagraphError(
                f"there is no benchmark {name!r}", f"choose from {', '.join(BENCHMARKS)}"
            )
    if not wanted:
        raise StratagraphError("--only names no benchmark", f"choose from {', '.join(BENCHMARKS)}")
    return [name for name in BENCHMARKS if name in wanted]
