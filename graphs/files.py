"""Files that are either whole or not there, and digests of their contents."""

import errno
import hashlib
import json
import os
import platform
import re
import shutil
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphs.errors import ResourceError, RunError, StratagraphError
from graphs.places import remote

if TYPE_CHECKING:
    from graphs.remote import RemotePath

# folders, beside those of other programs, in which files for a URL are put together
STAGING = "stratagraph-"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path; move it over `path` when the block ends well.

    The temporary file lies in the same folder, is flushed to disk and renamed in one step, so
    that `path` never holds half a file. After an exception nothing is left behind. A file at a URL
    is put together on this machine, in the folder for temporary files, and uploaded in one step.

    Raises
    ------
    ResourceError
        When the disk is full.
    RunError
        When the folder cannot be written.
    """
    if there := remote(path):
        with _uploading(there) as local:
            yield local
        return
    temporary = path.with_name(temporary_name(path.name))
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


@contextmanager
def _uploading(path: "RemotePath") -> Iterator[Path]:
    """Give a temporary local path; upload it to `path` when the block ends well."""
    try:
        with tempfile.TemporaryDirectory(prefix=f"{STAGING}{os.getpid()}-") as folder:
            temporary = Path(folder) / path.name
            yield temporary
            path.upload(temporary)
    except OSError as error:
        raise explain_os_error(error, path) from error


# what `temporary_name` gives, of the kinds of files that are written here
TEMPORARY = re.compile(
    r"\..+\.(parquet|npz|json|graphml|gexf|svg|png|pt|pt2|onnx|csv|html)(\.gz)?"
    r"\.(?P<machine>[0-9a-f]{8})-(?P<process>\d{1,7})\.tmp"
)
DAY = 86_400


def temporary_name(name: str) -> str:
    """Return what a file is called while this process writes it.

    Machines that share a disk number their processes alike, so the name says which one it is.
    """
    return f".{name}.{_machine()}-{os.getpid()}.tmp"


def _machine() -> str:
    return f"{zlib.crc32(platform.node().encode()):08x}"


def remove_tree(folder: Path) -> None:
    """Remove a folder with all that is in it; one that is not there is no error.

    Raises
    ------
    RunError
        When it cannot be removed.
    """
    if there := remote(folder):
        there.remove_tree()
        return
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise explain_os_error(error, folder) from error


def sweep(folder: Path) -> None:
    """Remove what killed writers left in a folder and below it.

    Of another machine nobody knows here whether a writer lives: its files go after a day.

    At a URL nothing is left: what was not uploaded lies in the folder for temporary files.
    """
    if remote(folder):
        _sweep_staging()
        return
    for path in folder.rglob(".*.tmp"):
        found = TEMPORARY.fullmatch(path.name)
        if found and not _at_work(path, found):
            path.unlink(missing_ok=True)


def _sweep_staging() -> None:
    for path in Path(tempfile.gettempdir()).glob(f"{STAGING}*"):
        process = path.name.removeprefix(STAGING).partition("-")[0]
        if process.isdecimal() and not _alive(int(process)):
            shutil.rmtree(path, ignore_errors=True)


def _at_work(path: Path, name: re.Match[str]) -> bool:
    """Whether somebody may still be writing a temporary file."""
    if name["machine"] == _machine():
        return _alive(int(name["process"]))
    try:
        return time.time() - path.stat().st_mtime < DAY
    except FileNotFoundError:  # renamed since it was listed
        return True


def _alive(process: int) -> bool:
    """Whether a process still runs."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def explain_os_error(error: OSError, path: "Path | RemotePath") -> StratagraphError:
    """Say in one sentence why `path` could not be written."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error)
    if full and remote(path):
        return ResourceError(
            f"the disk of {tempfile.gettempdir()} is full: {path} is put together there",
            "free some space or name another folder as TMPDIR; what is finished is kept",
        )
    if full:
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
