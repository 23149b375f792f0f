"""What a command costs: ``python -m pipeline.benchmarks.command_cost COMMAND ...``."""

import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

# getrusage counts kibibytes, on macOS bytes
MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024


class Cost(NamedTuple):
    """What running a command took.

    Attributes
    ----------
    status : int
        Its exit status.
    seconds, processor_seconds : float
        From its start to its end; what its processes computed.
    peak_bytes : int
        Peak resident set of the largest of its processes. It counts what the system maps of files.
    """

    status: int
    seconds: float
    processor_seconds: float
    peak_bytes: int


def command_cost(command: Sequence[str]) -> Cost:
    """Run a command and return what it took.

    Parameters
    ----------
    command : sequence of str
        Program and arguments. Of the first command that a process runs, the peak is exact; of a
        later one it is that of the largest so far.

    Examples
    --------
    >>> cost = command_cost([sys.executable, "-c", "pass"])
    >>> cost.status, cost.seconds > 0, cost.peak_bytes > 1 << 20
    (0, True, True)
    """
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, check=False)  # noqa: S603 (the user's own command)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(
        status=done.returncode,
        seconds=time.perf_counter() - start,
        processor_seconds=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        peak_bytes=after.ru_maxrss * MAXRSS_BYTES,
    )


def main() -> int:
    """Run the command that follows on the line, and say what it took on standard error."""
    if len(sys.argv) < 2:
        sys.stderr.write("name a command: python -m pipeline.benchmarks.command_cost ls\n")
        return 2
    try:
        cost = command_cost(sys.argv[1:])
    except OSError as error:
        sys.stderr.write(f"{sys.argv[1]} cannot be run: {error.strerror}; check its name\n")
        return 127
    sys.stderr.write(
        f"{cost.seconds:.1f} s, {cost.processor_seconds:.1f} s of processor time, "
        f"peak {cost.peak_bytes / 2**30:.2f} GiB resident\n"
    )
    return cost.status


if __name__ == "__main__":
    sys.exit(main())
