"""What a page is made of: sections with figures, each with its words and its table."""

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import plotly.graph_objects as go
import plotly.io

DIGITS = 3
LONGEST_TABLE = 200  # rows that a page shows; the Parquet files have all


@dataclass(frozen=True, kw_only=True)
class PageTable:
    """A table of a page, as texts.

    Attributes
    ----------
    columns : list of str
        Heads.
    rows : list of list of str
        Cells; the first one of a row is its head.
    left_out : int
        Rows that the page has no room for.
    """

    columns: list[str]
    rows: list[list[str]]
    left_out: int = 0

    @classmethod
    def of(cls, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> "PageTable":
        """Write numbers and names as a page shows them."""
        shown = [[cell(value) for value in row] for row in rows[:LONGEST_TABLE]]
        return cls(columns=list(columns), rows=shown, left_out=max(0, len(rows) - LONGEST_TABLE))

    def filled(self) -> "PageTable":
        """Leave out columns without a value."""
        kept = [at for at in range(len(self.columns)) if any(row[at] for row in self.rows)]
        return PageTable(
            columns=[self.columns[at] for at in kept],
            rows=[[row[at] for at in kept] for row in self.rows],
            left_out=self.left_out,
        )


@dataclass(frozen=True, kw_only=True)
class PageFigure:
    """A figure of a page.

    Attributes
    ----------
    name : str
        Unique in its section: letters and hyphens.
    title : str
        What it shows, over it.
    description : str
        What a reader who does not see it should know; it stands below it, too.
    figure : Figure
        Of plotly, without colours of text and background: the page has those of its theme.
    height : int
        In CSS pixels.
    table : PageTable
        The same in numbers.
    min_width : int
        Below it the figure scrolls sideways; 0 where it fits any screen.
    wide : bool
        Whether it takes the width of the page even beside others.
    """

    name: str
    title: str
    description: str
    figure: go.Figure
    table: PageTable
    height: int = 420
    min_width: int = 0
    wide: bool = True

    @property
    def json(self) -> str:
        """The figure as plotly reads it, safe inside HTML."""
        text = plotly.io.to_json(self.figure, engine="json", remove_uids=True)
        return safe_json(text)


@dataclass(frozen=True, kw_only=True)
class Section:
    """A section of a page.

    Attributes
    ----------
    name : str
        Its anchor: letters and hyphens.
    title : str
        Its heading.
    short : str
        What links call it.
    sentences : list of str
        What came out, each a paragraph.
    figures : list of PageFigure
        Its figures.
    missing : str
        Instead of figures: why there is nothing, and what to do.
    command : str
        The command that makes what is missing.
    kind : str
        Which part of the template shows it.
    content : dict
        What that part needs beside this.
    """

    name: str
    title: str
    short: str
    sentences: list[str] = field(default_factory=list)
    figures: list[PageFigure] = field(default_factory=list)
    missing: str = ""
    command: str = ""
    kind: str = "figures"
    content: dict[str, Any] = field(default_factory=dict)


def new_figure(*traces: Any, **layout: Any) -> go.Figure:
    """Return a figure without plotly's own colours: the page gives it those of its theme."""
    figure = go.Figure(list(traces), layout={"template": go.layout.Template()})
    margin = {"l": 8, "r": 8, "t": 8, "b": 8}
    figure.update_layout(margin=margin, dragmode=False, **layout)
    figure.update_xaxes(automargin=True, fixedrange=True, zeroline=False)
    figure.update_yaxes(automargin=True, fixedrange=True, zeroline=False)
    return figure


def label(name: object, *, longest: int = 24) -> str:
    """Return a name as plotly shows it: shortened, and never as the markup that it reads.

    Examples
    --------
    >>> label("<b>cat</b>"), label("a" * 30)
    ('&lt;b&gt;cat&lt;/b&gt;', 'aaaaaaaaaaaaaaaaaaaaaaa…')
    """
    text = " ".join(str(name).split())
    short = text if len(text) <= longest else text[: longest - 1] + "…"
    return html.escape(short, quote=False)


def cell(value: object) -> str:
    """Return what a table shows for a value: numbers with a true minus, nothing for none.

    Examples
    --------
    >>> cell(-0.12345), cell(1200), cell(None), cell(float("nan")), cell("<b>")
    ('−0.123', '1,200', '', '', '<b>')
    """
    if value is None or value != value:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    number = float(value)  # type: ignore[arg-type]  # all other cells are numbers
    text = f"{number:,.0f}" if number == int(number) and not _fraction(value) else _short(number)
    return text.replace("-", "−")


def _fraction(value: object) -> bool:
    return type(value).__name__.startswith("float")


def _short(number: float) -> str:
    text = f"{number:.{DIGITS}f}"
    return text.lstrip("-") if float(text) == 0 else text


def safe_json(text: str) -> str:
    r"""Return JSON that can stand inside a script element, whatever its strings hold.

    Examples
    --------
    >>> safe_json('["</script>"]')
    '["\\u003c/script\\u003e"]'
    """
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text
