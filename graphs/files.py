"""Files that are either whole or not there, and digests of their contents."""

import errno
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from graphs.errors import ResourceError, RunError, StratagraphError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path; move it over `path` when the block ends well.

    The temporary file lies in the same folder, is flushed to disk and renamed in one step, so
    that `path` never holds half a file. After an exception nothing is left behind.

    Raises
    ------
    ResourceError
        When the disk is full.
    RunError
        When the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise explain_os_error(error, path) from error
        raise


# what `replacing` calls its files, of the kinds that are written here
TEMPORARY = re.compile(
    r"\..+\.(parquet|json|graphml|gexf|svg|png|pt|csv)(\.gz)?\.(?P<process>\d{1,7})\.tmp"
)


def sweep(folder: Path) -> None:
    """Remove what killed writers left in a folder and below it."""
    for path in folder.rglob(".*.tmp"):
        found = TEMPORARY.fullmatch(path.name)
        if found and not _alive(int(found["process"])):
            path.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    """Whether a process still runs."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def explain_os_error(error: OSError, path: Path) -> StratagraphError:
    """Say in one sentence why `path` could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error):
        return ResourceError(
            f"the disk is full: {path} could not be written",
            "free some space or choose another --out; what is finished is kept",
        )
    reason = error.strerror or str(error)
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return ResourceError(
            f"{path} cannot be opened: {reason}", "name fewer --layers, or raise `ulimit -n`"
        )
    return RunError(f"{path} cannot be written: {reason}", "choose another --out folder")


def write_json(path: Path, value: object) -> None:
    """Write `value` as JSON, in one step, keys in the given order."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8")


def digest_json(value: object) -> str:
    """Return 16 hexadecimal digits that stand for a JSON value.

    Examples
    --------
    >>> digest_json({"k": 3, "metric": "cosine"}) == digest_json({"metric": "cosine", "k": 3})
    True
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def digest_file(path: Path) -> str:
    """Return the SHA-256 of a file's contents as hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    RunError
        When the file is not a JSON object.
    """
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read: {error}", "delete it and run again") from error
    if not isinstance(value, dict):
        raise RunError(f"{path} holds no JSON object", "delete it and run again")
    return value
