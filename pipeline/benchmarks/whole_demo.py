"""P8: the whole demo, as a user starts it."""

import subprocess
import sys

from graphs.errors import RunError
from pipeline.benchmarks.setting import Case, Measured, Setting, seconds
from pipeline.console import log

START = "from pipeline.cli import main; main()"


def measure_demo(setting: Setting) -> Measured:
    """Time `stratagraph demo` in a process of its own, into an empty folder.

    Raises
    ------
    RunError
        When the demo fails.
    """
    times = []
    for number in range(setting.rounds):
        folder = setting.scratch / f"demo-{number}"
        command = [sys.executable, "-c", START, "demo", "--out", str(folder), "--no-progress"]
        times.append(seconds(lambda command=command: _run(command)))  # type: ignore[misc]
        log.info("  round %d of %d: %.3g s", number + 1, setting.rounds, times[-1])
    case = Case(what="stratagraph demo", seconds=tuple(times))
    return Measured(cases=(case,), input="scikit-learn's digits, vgg8 and resnet14")


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (ours)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise RunError(
            f"the demo ended with status {done.returncode}: {last}",
            "try it alone with `stratagraph demo --debug`",
        )
