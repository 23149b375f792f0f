"""Checkpoints that are whole or not there, and loadable with weights_only=True."""

import errno
import hashlib
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from graphs.errors import ResourceError, RunError

FORMAT = "stratagraph.checkpoint/1"
LAST = "last.pt"


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, flush it to the disk, then give it its name.

    Raises
    ------
    ResourceError
        When the disk is full.
    RunError
        When the folder cannot be written to.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        try:
            temporary.unlink(missing_ok=True)
        except OSError as leftover:
            # The first error says more; it keeps a note of the second.
            error.add_note(f"{temporary} stays: {leftover}")
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        kind = ResourceError if full else RunError
        raise kind(
            f"{path} cannot be written ({error.strerror})",
            "free some space or choose another --out",
        ) from error


def save(path: Path, content: Mapping[str, Any]) -> None:
    """Save tensors and plain values; the file is whole or not there.

    Raises
    ------
    RunError
        When it cannot be written.
    """
    # Through memory: a full disk is then an OSError and not torch's own message.
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)
    write_atomically(path, buffer.getvalue())


def load(path: Path, *, device: torch.device) -> dict[str, Any]:
    """Load a checkpoint of this format.

    Raises
    ------
    RunError
        When it is damaged or of another format.
    """
    try:
        content = torch.load(path, map_location=device, weights_only=True)
    # What torch raises on a damaged file depends on the damaged byte: nearly anything.
    except Exception as error:
        raise RunError(
            f"{path} is damaged ({(str(error).splitlines() or ['empty'])[0]})",
            "remove it or begin anew with --force",
        ) from error
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT:
        raise RunError(
            f"{path} is of format {found!r}, {FORMAT!r} is expected",
            "choose another --out or begin anew with --force",
        )
    return dict(content)


def require_same(path: Path, *, saved: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to go on with the training of something else.

    Parameters
    ----------
    path : Path
        The checkpoint, for messages.
    saved, now : mapping
        Recipe, digests of model and data.

    Raises
    ------
    RunError
        When they differ; the differences are listed.
    """
    differences = [
        f"{key} was {_short(saved.get(key))}, now {_short(now.get(key))}"
        for key in sorted(saved.keys() | now.keys())
        if saved.get(key) != now.get(key)
    ]
    if differences:
        raise RunError(
            f"{path} belongs to another training: {'; '.join(differences)}",
            "choose another --out or begin anew with --force",
        )


def copy_state(model: nn.Module) -> dict[str, Tensor]:
    """Copy the state of a network to the CPU, in the plain memory format."""
    return {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in model.state_dict().items()
    }


def digest_state(model: nn.Module) -> str:
    """SHA-256 of names, types, shapes and values of a network's state."""
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        tensor = value.detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        # As bytes: NumPy has no bfloat16.
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _short(value: object) -> str:
    text = str(value)
    # Digests are told apart by their first digits.
    return text[:12] if len(text) == hashlib.sha256().digest_size * 2 else text
