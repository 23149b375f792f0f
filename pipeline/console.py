"""What a command tells beside its result: notes and tables, on standard error."""

import logging
import os
import shlex
import sys
import textwrap
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.events import send_event, sending_events

log = logging.getLogger("stratagraph")

WIDEST = 80


class _Notes(logging.Handler):
    """Writes to standard error as it is at the moment, not as it was at the first note."""

    def emit(self, record: logging.LogRecord) -> None:
        warning = record.levelno >= logging.WARNING
        text = record.getMessage()
        if sending_events():
            send_event("warning" if warning else "note", text=text.strip())
        else:
            sys.stderr.write(f"{'note: ' if warning else ''}{text}\n")


def show_notes() -> None:
    """Send what the stages have to say to standard error. Called by the command line only."""
    if not log.handlers:
        log.addHandler(_Notes())
        log.setLevel(logging.INFO)
        log.propagate = False


def show_table(table: str, text: str, **fields: Any) -> None:
    """Show what came out, as text to read, or as an event ``summary`` for other programs.

    Parameters
    ----------
    table : str
        What it is called in the event.
    text : str
        Lines to read.
    **fields
        The same for programs.
    """
    if not sending_events():
        log.info("%s", text)
    elif log.isEnabledFor(logging.INFO):
        send_event("summary", table=table, **fields)


@contextmanager
def warnings_as_events() -> Iterator[None]:
    """Let Python's own warnings be events, too, if there are events."""

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        send_event("warning", text=" ".join(str(message).split()))

    before = warnings.showwarning
    if sending_events():
        warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = before


def text_width() -> int:
    """Return how many columns text may have: those of the terminal, less one, up to 79."""
    try:
        columns = os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):
        columns = WIDEST
    return max(20, min(columns or WIDEST, WIDEST) - 1)


def fill(text: str) -> str:
    """Break a sentence into lines that fit the terminal; a number keeps its %."""
    held = text.replace(" %", "\u00a0%")
    return textwrap.fill(held, text_width()).replace("\u00a0", " ")


def plural(count: int, noun: str) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> plural(1, "layer"), plural(1200, "layer")
    ('1 layer', '1,200 layers')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def listed(names: Iterable[str], *, most: int, noun: str = "") -> str:
    """Join the first of some names, and say how many more there are.

    Examples
    --------
    >>> listed("abc", most=3), listed("abc", most=2), listed("abc", most=2, noun="pair")
    ('a, b, c', 'a, b and 1 more', 'a, b and 1 more pair')
    """
    words = list(names)
    if (left := len(words) - most) <= 0:
        return ", ".join(words)
    more = plural(left, f"more {noun}") if noun else f"{left} more"
    return f"{', '.join(words[:most])} and {more}"


def command_line() -> str:
    """Return the command that runs, for the manifest: its name without its folder."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
