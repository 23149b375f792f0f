"""What a user sees while a stage works: notes and progress, on standard error."""

import logging
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger("stratagraph")


class _Notes(logging.Handler):
    """Writes to standard error as it is at the moment, not as it was at the first note."""

    def emit(self, record: logging.LogRecord) -> None:
        prefix = "note: " if record.levelno >= logging.WARNING else ""
        sys.stderr.write(f"{prefix}{record.getMessage()}\n")


def show_notes() -> None:
    """Send what the stages have to say to standard error. Called by the command line only."""
    if not log.handlers:
        log.addHandler(_Notes())
        log.setLevel(logging.INFO)
        log.propagate = False


@contextmanager
def progress_bar(
    what: str, total: int, *, show: bool, unit: str
) -> Iterator[Callable[[int], None]]:
    """Give a function that advances a bar by a number of units; silent without a terminal.

    Parameters
    ----------
    what : str
        What is being done.
    total : int
        How many units there are.
    show : bool
        Whether a bar is wanted.
    unit : str
        What is counted, for the rate: ``images``, ``layers``.
    """
    # rich takes a tenth of a second to import: only where a bar is drawn
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(compact=True),
    )
    visible = show and total > 0 and console.is_terminal
    with Progress(*columns, console=console, disable=not visible) as bar:
        task = bar.add_task(what, total=total)
        yield lambda units: bar.update(task, advance=units)


def plural(count: int, noun: str) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> plural(1, "layer"), plural(1200, "layer")
    ('1 layer', '1,200 layers')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def command_line() -> str:
    """Return the command that runs, for the manifest: its name without its folder."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
