"""Networks in a file: what they were cut from, and their weights."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from graphs.errors import ModelError, PlanError, WeightsError
from graphs.files import digest_file, digest_json
from pipeline.console import log
from pipeline.models.weights import fit_weights, read_content
from pipeline.pruning.parts import find_parts
from pipeline.pruning.surgery import remove_parts
from pipeline.training import checkpoints

FORMAT = "stratagraph.network/1"
SUFFIX = ".pt"
FILE = ".py:"  # in the name of a user's own network


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """How to build a network again.

    Attributes
    ----------
    model : str
        What it was cut from: a name of the zoo, ``torchvision:NAME`` or ``file.py:factory``.
    classes : int
        Outputs.
    input_shape : tuple of int
        Channels, height, width.
    surgery : str
        How it was cut: ``identity`` or ``depth``; of several times, the last.
    removed : tuple of tuple of str
        Layers that are gone, one tuple each time it was cut, by the names that they had then.
    model_file : str or None
        Digest of the user's own file.
    """

    model: str
    classes: int
    input_shape: tuple[int, ...]
    surgery: str
    removed: tuple[tuple[str, ...], ...]
    model_file: str | None = None


def is_saved(name: str) -> bool:
    """Whether the name of a network is that of a file with its architecture.

    Examples
    --------
    >>> is_saved("out/model.pt"), is_saved("resnet20"), is_saved("net.py:net")
    (True, False, False)
    """
    return name.endswith(SUFFIX)


def describe_cut(
    model: str,
    *,
    classes: int,
    input_shape: Sequence[int],
    surgery: str,
    removed: Sequence[str],
) -> Architecture:
    """Describe what comes of a network when layers are removed from it.

    Parameters
    ----------
    model : str
        The network, as `pipeline.models.load_model` knows it; a file of `save_network` too.
    classes, input_shape
        Of the network; what a file says of itself comes first.
    surgery : str
        ``identity`` or ``depth``.
    removed : sequence of str
        Names of the layers.

    Raises
    ------
    ModelError
        When the file cannot be read.

    Examples
    --------
    >>> cut = {"surgery": "identity", "removed": ["layer1.0"]}
    >>> describe_cut("resnet20", classes=10, input_shape=(3, 32, 32), **cut).removed
    (('layer1.0',),)
    """
    generation = tuple(removed)
    if is_saved(model):
        before = read_architecture(Path(model))
        return replace(before, surgery=surgery, removed=(*before.removed, generation))
    return Architecture(
        model=model,
        classes=classes,
        input_shape=tuple(input_shape),
        surgery=surgery,
        removed=(generation,),
        model_file=_digest_script(model),
    )


def save_network(path: Path, model: nn.Module, architecture: Architecture) -> None:
    """Save a network so that ``--model PATH`` builds it again.

    A user's own file that lies beside `path`, or below, is found again wherever both are moved;
    any other is looked for at the path that was given, from the working directory.

    Parameters
    ----------
    path : Path
        Whole or not there.
    model : Module
        The network, with its weights.
    architecture : Architecture
        From `describe_cut`.

    Raises
    ------
    RunError
        When the file cannot be written.
    """
    about = asdict(replace(architecture, model=_beside(architecture.model, path.parent)))
    content = {"format": FORMAT, "architecture": about}
    checkpoints.save(path, content | {"state_dict": checkpoints.copy_state(model)})


def read_architecture(path: Path) -> Architecture:
    """Read what a file says of its network.

    Raises
    ------
    ModelError
        When it is missing, damaged, or holds weights alone.
    """
    return _parse(_read(path), path)


def restore_network(path: Path, base: nn.Module) -> nn.Module:
    """Cut a network as a file says and load its weights.

    Parameters
    ----------
    path : Path
        A file of `save_network`.
    base : Module
        What `Architecture.model` names.

    Raises
    ------
    ModelError
        When the file cannot be read, or the network is no longer what was cut.
    """
    content = _read(path)
    about = _parse(content, path)
    if about.model_file not in (None, _digest_script(about.model)):
        log.warning("%s has changed since %s was cut from it", about.model, path)
    model = base.eval()
    try:
        for names in about.removed:
            parts = find_parts(model, about.input_shape)
            model = remove_parts(model, parts, names, input_shape=about.input_shape).model
        fit_weights(model, content["state_dict"], path)
    except (PlanError, WeightsError) as error:
        raise ModelError(
            f"{path} was not cut from {about.model} as it is now: {error.problem}",
            "cut it again from the plan",
        ) from error
    return model


def digest_model(name: str) -> str | None:
    """Return a digest of the files that a network is made from; None where there are none.

    Raises
    ------
    ModelError
        When a saved network cannot be read.
    """
    if not is_saved(name):
        return _digest_script(name)
    path = Path(name).expanduser()
    script = _digest_script(read_architecture(path).model)
    own = digest_file(path)
    return digest_json([own, script]) if script else own


def _read(path: Path) -> Mapping[str, Any]:
    path = path.expanduser()
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise ModelError(f"model file {path} {what}", "give the model.pt that `prune` wrote")
    try:
        content = read_content(path)
    except WeightsError as error:
        raise ModelError(error.problem, error.remedy) from error
    found = str(content.get("format", "")) if isinstance(content, Mapping) else ""
    if found == FORMAT:
        return dict(content)
    if found.startswith(FORMAT.rpartition("/")[0]):
        raise ModelError(
            f"{path} is of format {found!r}, this version reads {FORMAT!r}",
            "use the version of stratagraph that wrote it",
        )
    raise ModelError(
        f"{path} does not say what network it is of",
        f"name the network, and give the file as weights: --model NAME --weights {path}",
    )


def _parse(content: Mapping[str, Any], path: Path) -> Architecture:
    try:
        about = dict(content["architecture"])
        found = Architecture(
            model=str(about["model"]),
            classes=int(about["classes"]),
            input_shape=tuple(int(size) for size in about["input_shape"]),
            surgery=str(about["surgery"]),
            removed=tuple(tuple(map(str, names)) for names in about["removed"]),
            model_file=about["model_file"],
        )
        dict(content["state_dict"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"the description of the network in {path} is incomplete ({error})",
            "cut it again from the plan",
        ) from error
    return replace(found, model=_found(found.model, path.expanduser().parent))


def _digest_script(model: str) -> str | None:
    script, is_file, _ = model.rpartition(FILE)
    path = Path(f"{script}.py").expanduser()
    return digest_file(path) if is_file and path.is_file() else None


def _beside(model: str, folder: Path) -> str:
    """Write a user's file relative to the folder, where it lies in it."""
    script, is_file, factory = model.rpartition(FILE)
    path = Path(f"{script}.py").expanduser()
    if is_file and path.resolve().is_relative_to(folder.resolve()):
        return f"{path.resolve().relative_to(folder.resolve()).as_posix()}:{factory}"
    return model


def _found(model: str, folder: Path) -> str:
    """Return where a user's file is: beside the network, else as it was given."""
    script, is_file, factory = model.rpartition(FILE)
    path = folder / f"{script}.py"
    return f"{path}:{factory}" if is_file and path.is_file() else model
