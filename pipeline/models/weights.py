"""Weights from files: read safely, unwrap, rename, compare, load."""

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from graphs.errors import WeightsError
from pipeline.console import listed, plural

NESTING_KEYS = (
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
    "module",
    "weights",
    "params",
    "model_ema",
    "state_dict_ema",
    "ema",
)
"""Where checkpoints keep the state dict, first choice first."""

SYNONYMS = (("fc", "linear", "classifier", "head"), ("shortcut", "downsample"))
"""Components of parameter names that mean the same layer in different code bases."""

# Left in checkpoints by the profiler thop; no network has such parameters.
_PROFILER_KEYS = ("total_ops", "total_params")

_SHOWN = 4
_KERNEL_AXES = 4  # filters, channels, height, width


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read tensors by name from a file that `torch.save` wrote, executing nothing in it.

    Parameters
    ----------
    path : Path
        A state dict, plain or nested under one of `NESTING_KEYS`.

    Raises
    ------
    WeightsError
        When the file is missing, damaged, not torch's, or holds Python objects instead of tensors.
    """
    return _unwrap(read_content(path), path)


def read_content(path: Path) -> Any:
    """Read whatever a file of `torch.save` holds, executing nothing in it.

    Raises
    ------
    WeightsError
        When the file is missing, damaged, not torch's, or holds Python objects.
    """
    if path.is_dir():
        raise WeightsError(f"weights file {path} is a folder", "give the file in it")
    if not path.is_file():
        raise WeightsError(f"weights file {path} does not exist", "check the path")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL (\S+)", str(error))
        if not found:
            raise _not_torch(path) from error
        raise WeightsError(
            f"{path} holds Python objects ({found[1]}), which would run code when loaded",
            "save the tensors alone: torch.save(model.state_dict(), file)",
        ) from error
    except (RuntimeError, EOFError, ValueError, OSError, LookupError, TypeError) as error:
        raise _not_torch(path) from error


def _not_torch(path: Path) -> WeightsError:
    return WeightsError(
        f"{path} is not a whole file of torch.save",
        "check the path, or download or save the weights again",
    )


def _unwrap(content: object, path: Path) -> dict[str, Tensor]:
    seen: list[str] = []
    while isinstance(content, Mapping):
        tensors = {str(k): v for k, v in content.items() if isinstance(v, Tensor)}
        if tensors:
            return {k: v for k, v in tensors.items() if k.split(".")[-1] not in _PROFILER_KEYS}
        seen = [str(key) for key in content]
        content = next(
            (content[key] for key in NESTING_KEYS if isinstance(content.get(key), Mapping)), None
        )
    kind = f"the keys {listed(seen, most=_SHOWN)}" if seen else f"a {type(content).__name__}"
    raise WeightsError(
        f"{path} holds {kind}, no tensors by name",
        "save them with torch.save(model.state_dict(), file)",
    )


def load_weights(model: nn.Module, path: Path, *, name: str | None = None) -> None:
    """Load a file into a network; every name and shape must fit.

    Prefixes that all names share (``module.``) and other names of the classifier (``fc``,
    ``linear``, ``classifier``, ``head``) and of shortcuts are translated.

    Parameters
    ----------
    model : Module
        Changed in place.
    path : Path
        A file of `torch.save`.
    name : str, optional
        What the network was asked for as, for messages; without it, its class.

    Raises
    ------
    WeightsError
        When the file cannot be read, or keys are missing, unexpected or of another shape.
    """
    fit_weights(model, read_state_dict(path), path, name=name)


def fit_weights(
    model: nn.Module, state: Mapping[str, Tensor], path: Path, *, name: str | None = None
) -> None:
    """Load tensors by name, as `load_weights` does.

    Parameters
    ----------
    model : Module
        Changed in place.
    state : mapping of str to Tensor
        A state dict.
    path : Path
        Where it was read, for messages.
    name : str, optional
        As in `load_weights`.

    Raises
    ------
    WeightsError
        When keys are missing, unexpected or of another shape.
    """
    own = model.state_dict()
    given = translate_names(state, own)
    # Checkpoints from before PyTorch 0.4.1 lack these counters, which nothing here reads.
    given = {k: v for k, v in own.items() if k.endswith("num_batches_tracked")} | given
    missing = [key for key in own if key not in given]
    unexpected = [key for key in given if key not in own]
    _check_channels(given, own, path)
    wrong = [
        f"{key} {_shape(value)} instead of {_shape(own[key])}"
        for key, value in given.items()
        if key in own and value.shape != own[key].shape
    ]
    parts = [("missing", missing), ("unexpected", unexpected), ("wrong shape", wrong)]
    faults = "; ".join(f"{what}: {listed(keys, most=_SHOWN)}" for what, keys in parts if keys)
    if faults:
        raise WeightsError(
            f"{path} does not fit {name or type(model).__name__}: {faults}",
            "check the model's name, its number of classes and the shape of its input",
        )
    model.load_state_dict(given)


def _check_channels(given: Mapping[str, Tensor], own: Mapping[str, Tensor], path: Path) -> None:
    """Say plainly that weights are for images with another number of channels.

    Only where all else fits: the number is that of the values in which one kernel differs.
    """
    wrong = [key for key in own if key in given and given[key].shape != own[key].shape]
    if len(wrong) != 1 or given.keys() != own.keys():
        return
    have, need = own[wrong[0]].shape, given[wrong[0]].shape
    if len(have) != len(need) or len(have) != _KERNEL_AXES or have[2:] != need[2:]:
        return
    if have[0] == need[0] and {have[1], need[1]} == {1, 3}:
        raise WeightsError(
            f"{path} is of a network for images with {plural(need[1], 'channel')}, this one takes "
            f"{have[1]}",
            "give images that the weights were trained for, or other weights",
        )


def translate_names(given: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename parameters of a checkpoint to the names that the network uses.

    Parameters
    ----------
    given, own : mapping of str to Tensor
        State dicts of the checkpoint and of the network.

    Examples
    --------
    >>> zero = torch.zeros(1)
    >>> list(translate_names({"module.fc.bias": zero}, {"linear.bias": zero}))
    ['linear.bias']
    """
    candidates = [{key: key for key in given}]
    while len({name.split(".")[0] for name in candidates[-1].values()}) == 1:
        shorter = {key: name.partition(".")[2] for key, name in candidates[-1].items()}
        if not all(shorter.values()):
            break
        candidates.append(shorter)
    renamed = [_rename(names, own) for names in candidates]
    best = max(renamed, key=lambda names: sum(name in own for name in names.values()))
    return {name: given[key] for key, name in best.items()}


def _rename(names: Mapping[str, str], own: Mapping[str, Tensor]) -> dict[str, str]:
    """Replace each synonym by the one word of its group that the network uses."""
    result = dict(names)
    for group in SYNONYMS:
        used = [word for word in group if any(word in key.split(".") for key in own)]
        if len(used) != 1:
            continue
        taken = set(result.values())
        for key, name in result.items():
            parts = [used[0] if part in group else part for part in name.split(".")]
            renamed = ".".join(parts)
            if name not in own and renamed in own and renamed not in taken:
                result[key] = renamed
    return result


def _shape(tensor: Tensor) -> str:
    return "x".join(str(size) for size in tensor.shape) or "scalar"
