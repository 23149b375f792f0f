"""Where a run lies: a folder, or a URL. Nothing here needs fsspec before a URL is named."""

import re
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit
from urllib.request import url2pathname

from graphs.errors import RunError

if TYPE_CHECKING:
    from graphs.remote import RemotePath

# `Path` writes s3://bucket/run as s3:/bucket/run: both are the URL. One letter is a Windows drive.
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.*)", re.DOTALL)
_WILD = re.compile(r"[*?\[\]]")


def resolve_folder(location: str | PathLike[str]) -> Path:
    """Return the folder that a path or URL names.

    Parameters
    ----------
    location : str or path
        A path, or a URL whose scheme fsspec knows, such as ``s3://bucket/run``. ``file:`` URLs are
        paths. Given twice, it comes back as it is.

    Returns
    -------
    Path
        A `pathlib.Path`, or for a URL a `graphs.remote.RemotePath`, which has the methods of
        `Path` that runs use.

    Raises
    ------
    RunError
        When the scheme is unknown, its package is not installed, or the URL names no folder.

    Examples
    --------
    >>> resolve_folder("runs/first").name
    'first'
    >>> resolve_folder("file:///tmp/run").as_posix()
    '/tmp/run'
    """
    if remote(location):
        return cast("Path", location)
    found = _URL.fullmatch(_written(location))
    if found is None:
        return Path(location)
    scheme, rest = found[1].lower(), found[2].rstrip("/")
    if scheme in ("file", "local"):
        return _local(_written(location), rest)
    if scheme != "memory" and not rest.strip("/"):
        raise RunError(f"{location} names no bucket or host", f"write {scheme}://bucket/folder")
    if _WILD.search(rest):
        raise RunError(
            f"{location} holds a wildcard (* ? [ ]), which file systems at URLs read as a pattern",
            "choose another name for the folder",
        )
    try:
        from graphs.remote import RemotePath, require_scheme  # fsspec only where a URL is named
    except ImportError as error:
        raise RunError(
            f"{location}: folders at a URL need the package {error.name or 'universal-pathlib'}",
            "install it with pip install -e '.[remote]'",
        ) from error
    url = f"{scheme}://{rest}"
    require_scheme(scheme, url)
    return cast("Path", RemotePath.at(url))


def is_url(location: str | PathLike[str]) -> bool:
    """Whether a text or path is a URL of another file system than this machine's.

    Examples
    --------
    >>> is_url("s3://bucket/run"), is_url(Path("s3://bucket/run")), is_url("C:/run"), is_url("run")
    (True, True, False, False)
    """
    found = _URL.fullmatch(_written(location))
    return found is not None and found[1].lower() not in ("file", "local")


def remote(path: object) -> "RemotePath | None":
    """Return a path that `resolve_folder` gave where it is at a URL, else None."""
    return cast("RemotePath", path) if getattr(path, "is_remote", False) is True else None


def _local(location: str, rest: str) -> Path:
    """Return the path in a ``file:`` URL: file:///a, file://localhost/a, file:/a."""
    parts = urlsplit(location)
    if parts.netloc not in ("", "localhost"):
        raise RunError(
            f"{location} names the host {parts.netloc!r}", f"write file:///{parts.netloc}/..."
        )
    return Path(url2pathname(parts.path or f"/{rest}"))


def _written(location: object) -> str:
    return location.as_posix() if isinstance(location, Path) else str(location)
