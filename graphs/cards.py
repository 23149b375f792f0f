"""What a notebook shows of an object: a title, a small table, sentences. All text is escaped."""

import math
from collections.abc import Iterable, Sequence
from html import escape

SHOWN_ROWS = 60
_CELL = "padding:1px 10px 1px 0;text-align:"


def card(
    title: str,
    rows: Iterable[Sequence[object]],
    *,
    headers: Sequence[str] = (),
    notes: Iterable[str] = (),
    picture: str = "",
) -> str:
    """Return the HTML of an object: no style of a page is needed, none is changed.

    Parameters
    ----------
    title : str
        Above the table.
    rows : iterable of sequences
        Cells; numbers (int and float) stand to the right. Rows beyond 60 are counted.
    headers : sequence of str
        Names of the columns; none where the rows speak for themselves.
    notes : iterable of str
        Sentences below.
    picture : str
        HTML between title and table; the only thing that is not escaped.

    Returns
    -------
    str

    Examples
    --------
    >>> "k &lt; 3" in card("k < 3", [["nodes", 500]])
    True
    """
    body = list(rows)
    sides = map(_side, body[0] if body else headers)
    head = (
        "".join(
            f'<th style="{_CELL}{side}">{escape(name)}</th>'
            for name, side in zip(headers, sides, strict=True)
        )
        if headers
        else ""
    )
    lines = [f"<tr>{''.join(map(_cell, row))}</tr>" for row in body[:SHOWN_ROWS]]
    more = [f"... and {len(body) - SHOWN_ROWS} more rows"] if len(body) > SHOWN_ROWS else []
    return (
        f"<div><p><strong>{escape(title)}</strong></p>{picture}"
        f"<table>{f'<thead><tr>{head}</tr></thead>' if head else ''}"
        f"<tbody>{''.join(lines)}</tbody></table>"
        f"{''.join(f'<p>{escape(note)}</p>' for note in (*more, *notes))}</div>"
    )


def _cell(value: object) -> str:
    return f'<td style="{_CELL}{_side(value)}">{escape(_text(value))}</td>'


def _side(value: object) -> str:
    return "right" if isinstance(value, int | float) else "left"


def _text(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:,.{3 if abs(value) < 1 else 1}f}"
    return str(value)
