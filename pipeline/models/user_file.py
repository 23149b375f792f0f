"""Networks from a user's own file, ``path/file.py:factory``."""

import importlib.util
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from types import ModuleType

from torch import nn

from graphs.errors import ModelError
from pipeline.near_names import near_names


def build_from_file(name: str) -> nn.Module:
    """Import the file, call the factory without arguments, return its network.

    Parameters
    ----------
    name : str
        ``path/file.py:factory``. The file may import modules that lie beside it.

    Raises
    ------
    ModelError
        When there is no such file or factory, when the user's code raises (with file and line),
        or when the factory returns no `torch.nn.Module`.
    """
    location, _, factory = name.rpartition(":")
    path = Path(location).expanduser()
    if not path.is_file():
        raise ModelError(f"model file {location} does not exist", "give path/file.py:factory")
    with _beside(path), _one_line(path, name):
        module = _import(path)
        build = getattr(module, factory, None)
        if not callable(build):
            own = [key for key, value in vars(module).items() if _is_own(value, module)]
            near = ", ".join(near_names(factory, own)) or "no function"
            raise ModelError(f"{path} defines no {factory!r}", f"it defines {near}")
        model = build()
    if not isinstance(model, nn.Module):
        raise ModelError(
            f"{name} returned {type(model).__name__}, not a torch.nn.Module",
            "let the factory build and return the network",
        )
    return model


def _import(path: Path) -> ModuleType:
    # A name of its own, so that model.py cannot shadow, or be shadowed by, another module.
    digest = sha256(str(path.resolve()).encode()).hexdigest()[:12]
    name = f"stratagraph_model_{digest}"
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise ModelError(f"{path} is not a Python file", "give path/file.py:factory")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pickling look the module up while it is being executed.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _is_own(value: object, module: ModuleType) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module.__name__


@contextmanager
def _beside(path: Path) -> Iterator[None]:
    """Let the file import its neighbours, after everything that is installed."""
    folder = str(path.resolve().parent)
    sys.path.append(folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


@contextmanager
def _one_line(path: Path, name: str) -> Iterator[None]:
    """Turn whatever the user's code raises into one line with the file and the line."""
    try:
        yield
    except ModelError:
        raise
    except (Exception, SystemExit) as error:  # foreign code raises anything
        line = _line_in(path, error)
        cause = f"{type(error).__name__}: {error}".removesuffix(": ")
        where = f"{path} line {line}" if line else name
        raise ModelError(f"{where}: {cause}", f"mend the file that {name} names") from error


def _line_in(path: Path, error: BaseException) -> int:
    """Line of the user's file that raised, or that called what raised."""
    if isinstance(error, SyntaxError) and error.lineno:
        return error.lineno
    own = str(path.resolve())
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == own]
    return next((line for line in reversed(lines) if line), 0)
