"""`stratagraph neurons check`: figures of Filan et al. beside what comes out here.

Checks 1 to 5 and 14 need no training (`checks_untrained`); the others train networks
(`trained_networks`) and measure them (`checks_trained`). Each is a function from `CheckSetting` to
findings, in `CHECKS`.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final

from graphs.errors import StratagraphError
from pipeline.benchmarks.setting import data_folder
from pipeline.console import log


@dataclass(frozen=True, kw_only=True)
class CheckSetting:
    """What checks are given.

    Attributes
    ----------
    out : Path
        Folder for trained networks and the like: a check that runs again finds them there.
    data : Path or None
        Folder with the real data sets, as torchvision keeps them.
    networks : int
        Networks a condition.
    shuffles : int
        Shuffles a network and null.
    workers : int
        Processes.
    """

    out: Path
    data: Path | None
    networks: int
    shuffles: int
    workers: int


@dataclass(frozen=True)
class Finding:
    """One figure: what it is, what is expected and what came out, as text for people.

    Attributes
    ----------
    agrees : bool or None
        Whether it is as expected; None where that is for the reader to judge.
    """

    what: str
    expected: str
    measured: str
    agrees: bool | None = None


Check = Callable[[CheckSetting], Iterator[Finding]]

# number: (function, what it checks)
CHECKS: Final[dict[int, tuple[str, str]]] = {
    1: ("pipeline.neurons.checks_untrained:fixture", "n-cut of a graph done by hand"),
    2: ("pipeline.neurons.checks_untrained:random_networks", "n-cut of random networks"),
    3: ("pipeline.neurons.checks_untrained:pruned_untrained", "the same, pruned untrained"),
    4: ("pipeline.neurons.checks_untrained:depth_split", "two clusters are a split in depth"),
    5: ("pipeline.neurons.checks_untrained:clusterable", "clusterable initialisation"),
    6: ("pipeline.neurons.checks_trained:unpruned", "MNIST before pruning"),
    7: ("pipeline.neurons.checks_trained:pruned_mnist", "MNIST after pruning"),
    8: ("pipeline.neurons.checks_trained:dropout", "MNIST with dropout, pruned"),
    9: ("pipeline.neurons.checks_trained:fashion", "Fashion-MNIST, pruned"),
    10: ("pipeline.neurons.checks_trained:four_clusters", "four clusters"),
    11: ("pipeline.neurons.checks_trained:order", "what lowers the n-cut"),
    12: ("pipeline.neurons.checks_trained:accuracies", "accuracies"),
    13: ("pipeline.neurons.checks_trained:lesions", "lesions"),
    14: ("pipeline.neurons.checks_untrained:gradient", "gradient of the eigenvalues"),
    15: ("pipeline.neurons.checks_trained:regularized", "clusterability penalty"),
    16: ("pipeline.neurons.checks_trained:clusterable_trained", "clusterable, trained"),
    17: ("pipeline.neurons.checks_trained:halves", "halves of images"),
}


def check_neurons(
    numbers: str = "1,2,3,4,5",
    *,
    out: Path = Path("runs/checks"),
    data: Path | None = None,
    networks: int = 3,
    shuffles: int = 50,
    workers: int = 1,
) -> None:
    """Compare with published figures of the modularity of weights.

    Prints a row a figure: what it is, what was published, what comes out here.

    Parameters
    ----------
    numbers
        Which checks, separated by commas. 1 to 5 take a minute and need no data.
    out
        Folder for networks that checks train; they are used again.
    data
        Folder with `MNIST` and `FashionMNIST` (default: the environment variable STRATAGRAPH_DATA).
    networks
        Networks a condition, in checks 2 to 12.
    shuffles
        Shuffles a network and null.
    workers
        Processes that shuffle.
    """
    chosen = _chosen(numbers)
    _check(networks, shuffles, workers)
    setting = CheckSetting(
        out=out, data=data_folder(data), networks=networks, shuffles=shuffles, workers=workers
    )
    sys.stdout.write("| check | what | expected | measured | |\n|---|---|---|---|---|\n")
    for number in chosen:
        path, what = CHECKS[number]
        log.info("check %d: %s", number, what)
        home, _, name = path.partition(":")
        check: Check = getattr(import_module(home), name)
        for finding in check(setting):
            verdict = {True: "yes", False: "NO", None: ""}[finding.agrees]
            cells = (str(number), finding.what, finding.expected, finding.measured, verdict)
            sys.stdout.write(f"| {' | '.join(cells)} |\n")
            sys.stdout.flush()


def _chosen(numbers: str) -> list[int]:
    found = []
    for word in filter(None, (part.strip() for part in numbers.split(","))):
        if not word.isdecimal() or int(word) not in CHECKS:
            raise StratagraphError(
                f"there is no check {word!r}", f"choose from {', '.join(map(str, CHECKS))}"
            )
        found.append(int(word))
    if not found:
        raise StratagraphError("no check is named", f"choose from {', '.join(map(str, CHECKS))}")
    return found


def _check(networks: int, shuffles: int, workers: int) -> None:
    for name, value, nothing in (
        ("networks", networks, "measures nothing"),
        ("shuffles", shuffles, "compares with nothing"),
        ("workers", workers, "does no work"),
    ):
        if value < 1:
            raise StratagraphError(f"--{name} {value} {nothing}", "give at least 1")


if __name__ == "__main__":
    from pipeline.cli import main

    main(["neurons", "check", *sys.argv[1:]])
