"""What a progress bar looks like on a terminal."""

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

from pipeline.devices import format_bytes

# columns of a terminal that the words beside the bar take
WORDS = 58
NARROW = 72


def make_display() -> Progress:
    """Build the display of all bars: task, bar, units, rate, bytes a second, remaining time."""
    console = Console(stderr=True)
    width = max(4, min(24, console.width - WORDS))
    columns: list[ProgressColumn] = [
        _Words("task"), BarColumn(bar_width=width), _Words("count"), _Words("rate"),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
    ]  # fmt: skip
    if console.width >= NARROW:
        columns.insert(4, _Words("speed"))
    return Progress(*columns, console=console)


class _Words(ProgressColumn):
    """A column of words about a bar."""

    def __init__(self, what: str) -> None:
        super().__init__(table_column=Column(no_wrap=True))
        self._what = what

    def render(self, task: Task) -> Text:
        bar = task.fields["bar"]
        if self._what == "task":
            return Text(f"{bar.task:<9} {bar.detail}".strip() if bar.detail else f"{bar.task:<9}")
        if self._what == "count":
            return Text(f"{bar.done:,}/{bar.total:,} {bar.unit}", style="progress.download")
        if not bar.done:
            return Text("")
        if self._what == "rate":
            return Text(f"{format_rate(bar.rate)}/s", style="progress.data.speed")
        if not bar.size:
            return Text("")
        speed = bar.rate * bar.moved / bar.done
        return Text(f"{format_bytes(round(speed))}/s", style="progress.data.speed")


def format_rate(rate: float) -> str:
    """Return a rate in three digits or so.

    Examples
    --------
    >>> [format_rate(rate) for rate in (0.0123, 0.5, 3.14159, 31.4, 31415.9)]
    ['0.012', '0.50', '3.1', '31', '31,416']
    """
    digits = 0 if rate >= 10 else 1 if rate >= 1 else 2 if rate >= 0.1 else 3
    return f"{rate:,.{digits}f}"
