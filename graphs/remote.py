"""Files at a URL, through fsspec: the methods of `Path` that runs use, with errors of our own.

Imported only when a URL is named (`graphs.places`). An object appears whole, when it is uploaded,
or not at all.
"""

import io
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, ClassVar, Self, cast

import fsspec
from upath import UPath
from upath.extensions import ProxyUPath
from upath.implementations.cloud import CloudPath

from graphs.errors import RunError, StratagraphError
from graphs.files import temporary_name

ANSWER_SECONDS = 15.0


class RemotePath(ProxyUPath):
    """A path on another file system.

    Whatever a file system raises becomes a `RunError` with the URL, except that a file that is
    not there is a `FileNotFoundError` when it is opened, as with `Path`.
    """

    __slots__ = ()
    is_remote: ClassVar[bool] = True

    @classmethod
    def at(cls, url: str, options: Mapping[str, Any]) -> Self:
        """Return the path of a URL; nothing is asked of its file system yet.

        Parameters
        ----------
        url : str
            With its scheme.
        options : mapping
            What fsspec is told about the file system, such as ``endpoint_url``.
        """
        path = UPath(url, **options)
        if isinstance(path, CloudPath):
            # other machines write here too: a listing that is kept would hide their files
            path = UPath(url, **{"use_listings_cache": False, **options})
        return cls._from_upath(path)

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        """Whether there is such a file or folder."""
        with explained(self, "read"):
            return super().exists(follow_symlinks=follow_symlinks)

    def is_dir(self) -> bool:
        """Whether anything lies below."""
        with explained(self, "read"):
            return super().is_dir()

    def iterdir(self) -> Iterator[Self]:
        """Iterate over what lies directly below."""
        with explained(self, "listed"):
            return iter(list(super().iterdir()))

    def glob(
        self, pattern: str, *, case_sensitive: bool | None = None, recurse_symlinks: bool = False
    ) -> Iterator[Self]:
        """Iterate over what matches a pattern."""
        with explained(self, "listed"):
            found = super().glob(
                pattern, case_sensitive=case_sensitive, recurse_symlinks=recurse_symlinks
            )
            return iter(list(found))

    def open(self, mode: str = "rb", *_: Any, **__: Any) -> IO[Any]:  # type: ignore[override]
        """Open for reading, by byte ranges. Files are written by `upload` alone.

        Raises
        ------
        FileNotFoundError
            When it is not there.
        """
        if mode != "rb":
            raise NotImplementedError(f"{self} is opened 'rb', not {mode!r}; upload() writes it")
        return cast("IO[Any]", _RangeFile(self))

    def read_text(
        self, encoding: str | None = "utf-8", errors: str | None = None, newline: str | None = None
    ) -> str:
        """Read a small file at once."""
        with explained(self, "read"):
            return super().read_text(encoding=encoding, errors=errors, newline=newline)

    def unlink(self, missing_ok: bool = False) -> None:  # noqa: FBT001, FBT002 (as in pathlib)
        """Remove a file."""
        with explained(self, "removed"):
            try:
                self.fs.rm_file(self.path)
            except FileNotFoundError:
                if not missing_ok:
                    raise

    def rmdir(self, recursive: bool = False) -> None:  # noqa: FBT001, FBT002 (as in UPath)
        """Remove an empty folder; in object stores folders go with their last object."""
        if recursive:
            self.remove_tree()
        elif not self._is_object():
            with explained(self, "removed"):
                self.fs.rmdir(self.path)

    def remove_tree(self) -> None:
        """Remove all that lies below."""
        with explained(self, "removed"), suppress(FileNotFoundError):
            self.fs.rm(self.path, recursive=True)

    def sizes(self) -> dict[str, int]:
        """Return the size in bytes of every file below, by its path from here."""
        with explained(self, "listed"):
            found = self.fs.find(self.path, detail=True)
            start = len(self.path.rstrip("/")) + 1
            return {name[start:]: int(entry["size"]) for name, entry in found.items()}

    def upload(self, local: Path) -> None:
        """Put a local file here, in one step.

        Object stores show an object when all of it is there. Elsewhere it is put under another
        name and renamed.
        """
        with explained(self, "written"):
            if self._is_object():
                self.fs.put_file(str(local), self.path)
                return
            folder = self.parent
            self.fs.makedirs(folder.path, exist_ok=True)
            hidden = (folder / temporary_name(self.name)).path
            self.fs.put_file(str(local), hidden)
            self.fs.mv(hidden, self.path)

    def require_answer(self) -> None:
        """Check that the file system answers.

        Raises
        ------
        RunError
            When it does not, or refuses.
        """
        _in_time(self, lambda: self.fs.exists(self.path))

    def require_writable(self) -> None:
        """Write and remove a small file, so that a wrong URL is an error before any work begins.

        Raises
        ------
        RunError
            When the file system does not answer or takes no files here.
        """
        probe = self / f".stratagraph-{os.getpid()}.probe"

        def write_and_remove() -> None:
            if not self._is_object():
                self.fs.makedirs(self.path, exist_ok=True)
            self.fs.pipe_file(probe.path, b"")
            self.fs.rm_file(probe.path)

        _in_time(self, write_and_remove)

    def _is_object(self) -> bool:
        return isinstance(self.__wrapped__, CloudPath)


class _RangeFile(io.RawIOBase):
    """A remote file that is read by byte ranges: each read asks for just its bytes."""

    def __init__(self, path: RemotePath) -> None:
        self._path, self._at = path, 0
        with explained(path, "read", missing_is_error=False):
            self._size = int(path.fs.size(path.path))

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = base + offset
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        wanted = self._size if size is None or size < 0 else self._at + size
        stop = min(wanted, self._size)
        if stop <= self._at:
            return b""
        with explained(self._path, "read"):
            data: bytes = self._path.fs.cat_file(self._path.path, start=self._at, end=stop)
        self._at += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def require_scheme(scheme: str, url: str) -> None:
    """Check that fsspec knows a scheme and that its package is installed.

    Raises
    ------
    RunError
        When not; nothing is asked of the network.
    """
    try:
        fsspec.get_filesystem_class(scheme)
    except ValueError:
        raise RunError(
            f"{url}: no file system is known for {scheme}://",
            "use s3:// or another scheme that fsspec knows, or a local folder",
        ) from None
    except ImportError as error:
        raise RunError(
            f"{url}: the package for {scheme}:// is not installed ({_reason(error)})",
            "install it; pip install -e '.[remote]' brings the one for s3://",
        ) from error


def _in_time(path: RemotePath, ask: Callable[[], object]) -> None:
    """Do something at a file system, but give up waiting after `ANSWER_SECONDS`.

    Clients of object stores try again for minutes where nothing answers.
    """
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with explained(path, "reached"):
                ask()
        except BaseException as error:  # noqa: BLE001 (raised below, in the thread that waits)
            failures.append(error)

    # a daemon: nobody waits for one that never comes back
    thread = threading.Thread(target=work, name="stratagraph-ask", daemon=True)
    thread.start()
    thread.join(ANSWER_SECONDS)
    if failures:
        # clients are kept: who mends the environment in a notebook and asks again gets a new one
        fsspec.get_filesystem_class(path.protocol).clear_instance_cache()
        raise failures[0]
    if thread.is_alive():
        raise RunError(
            f"{path} does not answer within {ANSWER_SECONDS:g} s",
            "check the address (for s3:// AWS_ENDPOINT_URL) and the network",
        )


@contextmanager
def explained(path: RemotePath, verb: str, *, missing_is_error: bool = True) -> Iterator[None]:
    """Turn what a file system raises into a `RunError` that names the URL.

    Raises
    ------
    RunError
        In place of any error that is not ours.
    FileNotFoundError
        As it is, unless `missing_is_error`.
    """
    try:
        yield
    except StratagraphError:
        raise
    except Exception as error:
        # each file system raises errors of its own, of no common class
        if isinstance(error, FileNotFoundError) and not missing_is_error:
            raise
        raise RunError(f"{path} cannot be {verb} ({_reason(error)})", _remedy(error)) from error


def _reason(error: Exception) -> str:
    told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    lines = told.strip().splitlines()
    return lines[0].rstrip(" .") if lines else type(error).__name__


def _remedy(error: Exception) -> str:
    if isinstance(error, ImportError):
        return "install what it names"
    if isinstance(error, FileNotFoundError):
        return "create the bucket or folder, or choose another --out"
    if isinstance(error, PermissionError) or "Credentials" in type(error).__name__:
        return "check the credentials and what they allow"
    return "check the address, the network and the credentials; the same command goes on from here"
