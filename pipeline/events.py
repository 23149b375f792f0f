"""What a command does, for other programs: one JSON object a line on standard error (`--json`).

=========== ==================================================================================
event       further fields
=========== ==================================================================================
started     stage
progress    stage, task, done, total, unit, rate (units a second); remaining (seconds; null where
            nothing is done yet); bytes, total_bytes where activations move; detail in a training
finished    stage, seconds
skipped     stage, seconds: all of it was there
note        text
warning     text
summary     what the command's last table shows; its fields stand beside its name, `table`
error       status, kind, problem, remedy, text; traceback with `--debug`
interrupted status, text
result      value: what the command prints to standard output; null where it prints no result
=========== ==================================================================================

Every event also has `elapsed`, the seconds since the command began. Fields are added, never
renamed.
"""

import json
import math
import sys
import time
from typing import Any

_began: float | None = None


def switch_events(*, on: bool) -> None:
    """Turn JSON events on, time counted from now, or off."""
    global _began
    _began = time.perf_counter() if on else None


def sending_events() -> bool:
    """Whether events are sent: then nothing else is for standard error."""
    return _began is not None


def send_event(event: str, **fields: Any) -> None:
    """Write one event, if they are on. Numbers that are not finite become null."""
    if _began is not None:
        sys.stderr.write(event_line(event, **fields))
        sys.stderr.flush()


def event_line(event: str, **fields: Any) -> str:
    r"""Return one event as a line.

    Examples
    --------
    >>> event_line("note", text="k=3")
    '{"event": "note", "text": "k=3", "elapsed": 0.0}\n'
    """
    elapsed = 0.0 if _began is None else round(time.perf_counter() - _began, 3)
    content = _plain({"event": event, **fields, "elapsed": elapsed})
    return json.dumps(content, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """Give what JSON knows: NumPy's numbers as Python's, paths as text."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if hasattr(value, "item"):  # a NumPy scalar
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int | bool | None) else str(value)
