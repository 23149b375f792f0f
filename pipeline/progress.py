"""How far a command is: bars on a terminal, events for programs, and how long each stage took."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.events import send_event, sending_events

# rich takes a tenth of a second to import: only where a bar is drawn
if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

EVERY = 0.5  # seconds between progress events of a task


@dataclass(kw_only=True)
class Stage:
    """A part of a command that has a name.

    Attributes
    ----------
    name : str
        What it is called.
    seconds : float
        How long it took.
    skipped : bool
        Whether all of it was there already.
    parts : list of Stage
        The finished stages in it.
    """

    name: str
    seconds: float = 0.0
    skipped: bool = False
    parts: "list[Stage]" = field(default_factory=list)


_open_stages: list[Stage] = []


@contextmanager
def stage(name: str) -> Iterator[Stage]:
    """Name what happens inside, and time it; also a decorator.

    A stage right within one of its name is the same: a command is a stage, whatever it calls.

    Examples
    --------
    >>> with stage("run") as run, stage("edges"):
    ...     skip_stage()
    >>> [(part.name, part.skipped) for part in run.parts]
    [('edges', True)]
    """
    if _open_stages and _open_stages[-1].name == name:
        yield _open_stages[-1]
        return
    this = Stage(name=name)
    _open_stages.append(this)
    send_event("started", stage=_where())
    began = time.perf_counter()
    try:
        yield this
        this.seconds = time.perf_counter() - began
        what = "skipped" if this.skipped else "finished"
        send_event(what, stage=_where(), seconds=round(this.seconds, 3))
    finally:
        _open_stages.pop()
    if _open_stages:
        _open_stages[-1].parts.append(this)


def skip_stage() -> None:
    """Note that all of the present stage was there already."""
    if _open_stages:
        _open_stages[-1].skipped = True


def _where() -> str:
    return "/".join(part.name for part in _open_stages)


class Bar:
    """How far one task is; call it with the number of units that are done.

    Parameters
    ----------
    task : str
        What is being done.
    total : int
        How many units there are.
    unit : str
        What is counted.
    size : int
        Bytes that all of them move; 0 where that says nothing.
    """

    def __init__(self, task: str, total: int, *, unit: str, size: int = 0) -> None:
        self.task, self.total, self.unit, self.size = task, total, unit, size
        self.done, self.moved, self.detail = 0, 0, ""
        self._began = time.perf_counter()
        self._sent = 0.0
        self._display: tuple[Progress, TaskID] | None = None

    def __call__(self, units: int, size: int | None = None) -> None:
        """Count units as done, with the bytes that they moved (default: as all others)."""
        self.done += units
        share = self.size * units / max(self.total, 1)
        self.moved += round(share) if size is None else size
        self._show()

    def tell(self, detail: str) -> None:
        """Show a few words beside the task from now on."""
        self.detail = detail
        self._show()

    @property
    def rate(self) -> float:
        """Units a second, in the mean."""
        return self.done / max(time.perf_counter() - self._began, 1e-9)

    @property
    def share(self) -> float:
        """Share of the work that is done: of the bytes, where they are known."""
        return self.moved / self.size if self.size else self.done / max(self.total, 1)

    def _show(self) -> None:
        if self._display:
            progress, task = self._display
            progress.update(task, completed=self.share)
        now = time.perf_counter()
        if sending_events() and (self.done >= self.total or now - self._sent >= EVERY):
            self._sent = now
            self._send(now - self._began)

    def _send(self, seconds: float) -> None:
        left = seconds * (1 - self.share) / self.share if self.share else None
        moved = {"bytes": self.moved, "total_bytes": self.size} if self.size else {}
        detail = {"detail": self.detail} if self.detail else {}
        send_event(
            "progress", stage=_where(), task=self.task, done=self.done, total=self.total,
            unit=self.unit, rate=round(self.rate, 3),
            remaining=None if left is None else round(left, 3), **moved, **detail,
        )  # fmt: skip


_shown: "Progress | None" = None  # bars inside of others join their display


@contextmanager
def progress_bar(task: str, total: int, *, show: bool, unit: str, size: int = 0) -> Iterator[Bar]:
    """Give a bar to call with numbers of units; silent without a terminal, events with --json.

    Parameters
    ----------
    task : str
        What is being done.
    total : int
        How many units there are.
    show : bool
        Whether a bar is wanted.
    unit : str
        What is counted, for the rate: ``images``, ``layers``.
    size : int
        Bytes that all units move; remaining time goes by them then.
    """
    bar = Bar(task, total, unit=unit, size=size)
    if not show or total <= 0:
        yield _Silent(task, total, unit=unit)
    elif sending_events() or not sys.stderr.isatty():
        yield bar
    else:
        with _displayed(bar):
            yield bar


class _Silent(Bar):
    """A bar that nobody wants to see."""

    def _show(self) -> None:
        pass


@contextmanager
def _displayed(bar: Bar) -> Iterator[None]:
    global _shown
    from pipeline.terminal_bars import make_display

    outermost = _shown is None
    display = _shown or make_display()
    task = display.add_task(bar.task, total=1.0, bar=bar)
    bar._display = display, task
    if not outermost:
        try:
            yield
        finally:
            display.remove_task(task)
        return
    _shown = display
    try:
        with display:
            yield
    finally:
        _shown = None
