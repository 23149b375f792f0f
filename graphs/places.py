"""Where a run lies: a folder, or a URL. Nothing here needs fsspec before a URL is named."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit
from urllib.request import url2pathname

from graphs.errors import RunError

if TYPE_CHECKING:
    from graphs.remote import RemotePath

# `Path` writes s3://bucket/run as s3:/bucket/run: both are the URL. One letter is a Windows drive.
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.:-]+):(?:/+(.*))?", re.DOTALL)
LOCAL = ("file", "local")
_WILD = re.compile(r"[*?\[\]]")


def resolve_folder(location: str | Path) -> Path:
    """Return the folder that a path or URL names.

    Parameters
    ----------
    location : str or Path
        A path, or a URL whose scheme fsspec knows, such as ``s3://bucket/run``; also a `UPath`,
        with its options. ``file:`` URLs are paths. What was returned once comes back as it is.

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
    if (url := url_of(location)) is None:
        return _local(_written(location))
    scheme, _, rest = url.partition("://")
    if scheme != "memory" and not rest:
        raise RunError(f"{url} names no bucket or host", f"write {scheme}://bucket/folder")
    if _WILD.search(rest):
        raise RunError(
            f"{url} holds a wildcard (* ? [ ]), which file systems at URLs read as a pattern",
            "choose another name for the folder",
        )
    try:
        from graphs.remote import RemotePath, require_scheme  # fsspec only where a URL is named
    except ImportError as error:
        raise RunError(
            f"{url}: folders at a URL need the package {error.name or 'universal-pathlib'}",
            "install it with pip install -e '.[remote]'",
        ) from error
    require_scheme(scheme, url)
    options = getattr(location, "storage_options", {})  # a UPath's
    return cast("Path", RemotePath.at(url, options))


def folder_name(folder: Path) -> str:
    """Return what tables and pages call a folder that `resolve_folder` gave.

    Examples
    --------
    >>> folder_name(Path("runs/first")), folder_name(Path(".")) == Path.cwd().name
    ('first', True)
    """
    return folder.name if remote(folder) else folder.resolve().name


def url_of(location: str | Path) -> str | None:
    """Return the URL that a text or path is, or None for a path of this machine.

    Examples
    --------
    >>> url_of(Path("s3://bucket/run")), url_of("S3://bucket/run/")
    ('s3://bucket/run', 's3://bucket/run')
    >>> [url_of(name) for name in ("runs/first", "C:/run", "file:///tmp/run")]
    [None, None, None]
    """
    found = _URL.fullmatch(_written(location))
    if found is None or found[1].lower() in LOCAL:
        return None
    return f"{found[1].lower()}://{(found[2] or '').strip('/')}"


def remote(path: object) -> "RemotePath | None":
    """Return a path that `resolve_folder` gave where it is at a URL, else None."""
    return cast("RemotePath", path) if getattr(path, "is_remote", False) is True else None


def _local(location: str) -> Path:
    """Return a path, also from a ``file:`` URL: file:///a, file://localhost/a, file:/a."""
    found = _URL.fullmatch(location)
    if found is None:
        return Path(location)
    parts = urlsplit(location)
    if parts.netloc not in ("", "localhost"):
        raise RunError(
            f"{location} names the host {parts.netloc!r}", f"write file:///{parts.netloc}/..."
        )
    return Path(url2pathname(parts.path))


def _written(location: str | Path) -> str:
    return location.as_posix() if isinstance(location, Path) else str(location)
