"""The record in a folder of results that says whose it is: ``study.json``, ``prune.json`` ..."""

from pathlib import Path
from typing import Any

from graphs.errors import RunError
from graphs.files import read_json


def read_record(path: Path, *, form: str, what: str, force: bool = False) -> dict[str, Any] | None:
    """Read the record of a folder, and refuse a folder of something else.

    Parameters
    ----------
    path : Path
        The record, in the folder that is asked about.
    form : str
        What it has under ``stratagraph``: ``study/1``.
    what : str
        What the folder should be, for messages: ``study``.
    force : bool
        Whether what is there is to be replaced: a damaged record does not matter then.

    Returns
    -------
    dict or None
        What it says; None where the folder is new or empty, or the record damaged and replaced.

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
    try:
        found = read_json(path)
    except RunError as error:
        if force:
            return None
        raise RunError(
            f"{path} is damaged: whose results these are cannot be told",
            "--force to begin anew, or choose another --out",
        ) from error
    if found.get("stratagraph") != form:
        raise RunError(f"{path} is not of the form {form}", "choose another --out")
    return found
