"""The record in a folder of results that says whose it is: ``study.json``, ``prune.json`` ..."""

from pathlib import Path
from typing import Any

from graphs.errors import RunError
from graphs.files import read_json


def read_record(path: Path, *, form: str, what: str) -> dict[str, Any] | None:
    """Read the record of a folder, and refuse a folder of something else.

    Parameters
    ----------
    path : Path
        The record, in the folder that is asked about.
    form : str
        What it has under ``stratagraph``: ``study/1``.
    what : str
        What the folder should be, for messages: ``study``.

    Returns
    -------
    dict or None
        What it says; None where the folder is new or empty.

    Raises
    ------
    RunError
        When the folder holds something else, or its record is damaged.
    """
    root = path.parent
    if root.exists() and not root.is_dir():
        raise RunError(f"{root} is a file, not a folder", "choose another --out")
    if not path.exists():
        if root.is_dir() and any(root.iterdir()):
            raise RunError(f"{root} holds files that are no {what}", "choose another --out")
        return None
    found = read_json(path)
    if found.get("stratagraph") != form:
        raise RunError(f"{path} is not of the form {form}", "choose another --out")
    return found
