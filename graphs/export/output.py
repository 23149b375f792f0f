"""Graph files on disk: whole, the same bytes every time, and checked before they get their name."""

import gzip
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

from graphs.errors import ExportError
from graphs.export.rules import violations
from graphs.files import replacing

GZIP_LEVEL = 6
SHOWN = 3
CHUNK = 8192


def write_checked(path: Path, lines: Iterable[str], *, suffix: str) -> Path:
    """Write text as UTF-8, gzipped where the name ends in ``.gz``; check it; give it its name.

    Parameters
    ----------
    path : Path
        File to write. Its folder is made.
    lines : iterable of str
        The file, piece by piece.
    suffix : str
        ``.graphml`` or ``.gexf``: what the name must end in, before ``.gz``.

    Raises
    ------
    ExportError
        When the name has another suffix, or the file breaks a rule of `check_gephi`. Then no file
        of that name is left or changed.
    RunError, ResourceError
        When the file cannot be written.
    """
    stem = path.name.removesuffix(".gz")
    if not stem.endswith(suffix):
        raise ExportError(
            f"{path.name} does not end in {suffix} or {suffix}.gz",
            "readers choose their format by the suffix: rename the file",
        )
    with replacing(path) as temporary:
        with temporary.open("wb") as raw:
            if path.suffix == ".gz":
                _write_gzip(raw, lines)
            else:
                _write(raw, lines)
        found = violations(temporary, name=path.name)
        if found:
            more = f" (and {len(found) - SHOWN} more)" if len(found) > SHOWN else ""
            raise ExportError(
                f"{path.name} would be misread by graph programs: "
                + "; ".join(found[:SHOWN])
                + more,
                "no file was written; mend what is named",
            )
    return path


def _write_gzip(raw: BinaryIO, lines: Iterable[str]) -> None:
    # No time and no name in the header: the same graph gives the same bytes.
    with gzip.GzipFile("", "wb", GZIP_LEVEL, raw, mtime=0) as packed:
        _write(cast("BinaryIO", packed), lines)


def _write(stream: BinaryIO, lines: Iterable[str]) -> None:
    waiting = iter(lines)
    while piece := "".join(islice(waiting, CHUNK)):
        stream.write(piece.encode())
