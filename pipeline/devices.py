"""Devices, sizes in bytes, room on disk, folders that can be written to."""

import math
import platform
import re
import shutil
import tempfile
import warnings
from pathlib import Path

import torch

from graphs.errors import ResourceError, RunError
from graphs.places import remote, resolve_folder, url_of

_UNITS = {
    "": 1,
    "b": 1,
    **{f"{letter}b": 1000**power for power, letter in enumerate("kmgt", start=1)},
    **{f"{letter}ib": 1024**power for power, letter in enumerate("kmgt", start=1)},
}
_FOUR_DIGITS = 999.5
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)")
SMALLEST_BUDGET = 1 << 20
CPU_INFO = Path("/proc/cpuinfo")


def resolve_device(name: str = "auto") -> torch.device:
    """Choose where to compute.

    Parameters
    ----------
    name : str
        ``auto`` (the GPU where there is one), ``cpu``, ``cuda`` or ``cuda:N``.

    Raises
    ------
    ResourceError
        When the name is unknown or there is no such GPU.

    Examples
    --------
    >>> resolve_device("cpu")
    device(type='cpu')
    """
    wanted = name.strip().lower()
    match = re.fullmatch(r"cuda(?::(\d+))?", wanted)
    if wanted not in ("auto", "cpu") and match is None:
        raise ResourceError(f"device {name!r} is unknown", "choose auto, cpu or cuda")
    found = 0 if wanted == "cpu" else _count_gpus()
    if match is None:
        return torch.device("cuda" if found else "cpu")
    if not found:
        reason = "torch sees no GPU" if torch.version.cuda else "this torch is built without CUDA"
        raise ResourceError(
            f"device {name!r} was asked for but {reason}", "use --device cpu or --device auto"
        )
    if match[1] is not None and int(match[1]) >= found:
        raise ResourceError(
            f"device {name!r} was asked for but there are {found} GPU(s)",
            f"choose cuda:0 to cuda:{found - 1}",
        )
    return torch.device(wanted)


def device_title(device: torch.device) -> str:
    """Name a device as people know it, with the number of threads where that matters."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{processor_name()}, {torch.get_num_threads()} threads"


def processor_name() -> str:
    """Name the processor; only Linux says it in full."""
    try:
        lines = CPU_INFO.read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def _count_gpus() -> int:
    with warnings.catch_warnings():
        # torch warns of a driver that is too old; to the caller that is just no GPU.
        warnings.simplefilter("ignore")
        return torch.cuda.device_count() if torch.cuda.is_available() else 0


def parse_bytes(size: int | str) -> int:
    """Read a size.

    Parameters
    ----------
    size : int or str
        Bytes, or a number with a unit: B, kB, MB, GB, TB (powers of 1000), KiB, MiB, GiB, TiB
        (powers of 1024).

    Raises
    ------
    ResourceError
        When it is no size, or not positive.

    Examples
    --------
    >>> parse_bytes("4GiB"), parse_bytes("500 MB"), parse_bytes(1024)
    (4294967296, 500000000, 1024)
    """
    match = _SIZE.fullmatch(str(size).strip().lower())
    if match is None or match[2] not in _UNITS:
        raise ResourceError(f"{size!r} is no size in bytes", "write 4GiB, 500MB or a whole number")
    number = math.floor(float(match[1]) * _UNITS[match[2]]) if match[2] else float(match[1])
    if number < 1 or number != int(number):
        raise ResourceError(f"{size!r} is no positive number of bytes", "write 4GiB, 500MB, ...")
    return int(number)


def memory_budget(text: str) -> int:
    """Convert what --memory says to bytes, and refuse what no work can be done in.

    Parameters
    ----------
    text : str
        Such as ``4GiB``.

    Raises
    ------
    ResourceError
        When it is no size. For less than 1 MiB: rows would be read one by one, and a unit was
        likely forgotten.

    Examples
    --------
    >>> memory_budget("2GiB") == 2 << 30
    True
    """
    try:
        budget = parse_bytes(text)
    except ResourceError as error:
        raise ResourceError(f"--memory {error.problem}", error.remedy) from None
    if budget < SMALLEST_BUDGET:
        raise ResourceError(
            f"--memory {text} is {format_bytes(budget)}, too little to work in",
            "give at least 1MiB; a number needs its unit: 4GiB",
        )
    return budget


def format_bytes(count: float) -> str:
    """Write a size with three digits and a unit of powers of 1024.

    Examples
    --------
    >>> format_bytes(4 * 2**30), format_bytes(1536), format_bytes(12)
    ('4 GiB', '1.5 KiB', '12 B')
    """
    value, units = float(count), ["B", "KiB", "MiB", "GiB", "TiB"]
    # From 999.5 on, three digits would not hold the rounded value.
    while value >= _FOUR_DIGITS and len(units) > 1:
        value = value / 1024
        del units[0]
    return f"{value:.3g} {units[0]}" if value < _FOUR_DIGITS else f"{value:.0f} {units[0]}"


def require_disk(folder: str | Path, needed_bytes: int, *, at_once: int | None = None) -> None:
    """Refuse to begin what the disk has no room for.

    Parameters
    ----------
    folder : str or Path
        Where the files will lie; it need not exist yet. The room at a URL is not known: there,
        what is put together at a time must fit into the folder for temporary files.
    needed_bytes : int
        What will be written.
    at_once : int, optional
        What of it is written at a time; all of it, if not given.

    Raises
    ------
    ResourceError
        When less is free; the message has both sizes and the folder.
    """
    where, needed = resolve_folder(folder), needed_bytes
    remedy = "free some space, choose another --out"
    if remote(where):
        needed = needed_bytes if at_once is None else at_once
        folder = where = Path(tempfile.gettempdir())
        remedy = "free some space, name another folder as TMPDIR"
    free = shutil.disk_usage(_existing(where)).free
    if free < needed:
        raise ResourceError(
            f"{format_bytes(needed)} are needed in {folder}, {format_bytes(free)} are free",
            f"{remedy}, or write less (fewer --samples or --layers, --pool, --dtype float16)",
        )


def require_writable(folder: str | Path, *, option: str = "--out") -> None:
    """Refuse an output folder that cannot be made or written to; nothing is left behind.

    Parameters
    ----------
    folder : str or Path
        It need not exist yet. A URL only as `graphs.places.resolve_folder` gives it: who has not
        asked for that writes with `pathlib`.
    option : str
        Which option named it.

    Raises
    ------
    RunError
        When it, or the nearest folder above it that exists, takes no files; when a file system at
        a URL does not answer or takes none.
    """
    if there := remote(folder):
        there.require_writable()
        return
    if url := url_of(folder):
        raise RunError(
            f"{url} is a URL, at which only runs can lie", f"choose a local folder as {option}"
        )
    nearest = _existing(Path(folder))
    try:
        # Permission bits do not tell: root, read-only mounts, network shares.
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise RunError(
            f"{folder} cannot be written to ({reason})", f"choose another {option}"
        ) from error


def output_folder(out: str | Path) -> Path:
    """Return where a command that ends may leave files.

    Raises
    ------
    RunError
        When the scheme is unknown, its package is missing, or the place is the memory of this
        process: what lies there is gone when the command ends.
    """
    if not remote(out) and (url_of(out) or "").startswith("memory://"):
        raise RunError(
            f"{url_of(out)} lies in this process and is gone when it ends",
            "choose a folder, or the URL of a store",
        )
    return resolve_folder(out)


def run_folder(out: str | Path) -> Path:
    """Return where a run lies, after asking a file system at a URL whether it takes files.

    Raises
    ------
    RunError
        As `output_folder`; when the file system does not answer.
    """
    where = output_folder(out)
    if there := remote(where):
        there.require_writable()
    return where


def _existing(folder: Path) -> Path:
    found = folder.expanduser().absolute()
    while not found.exists() and found != found.parent:
        found = found.parent
    return found
