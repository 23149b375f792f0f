"""Checkpoints that are whole or not there, and loadable with weights_only=True."""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from graphs.errors import RunError
from graphs.files import replacing

FORMAT = "stratagraph.checkpoint/1"
LAST = "last.pt"


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
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def save_weights(
    path: Path,
    state: Mapping[str, Tensor],
    *,
    about: Mapping[str, Any],
    epoch: int,
    accuracy: float | None,
) -> None:
    """Save weights in the form that ``--weights`` takes, with how they came about."""
    save(path, {**about, "state_dict": state, "epoch": epoch, "test_accuracy": accuracy})


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
