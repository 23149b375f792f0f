"""The checkpoints of a training: made here, or found in a folder."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from graphs.errors import RunError, WeightsError
from pipeline.console import log
from pipeline.data import ImageData, load_data
from pipeline.devices import resolve_device
from pipeline.models import load_model
from pipeline.models.weights import load_weights, read_content
from pipeline.options import Images, Machine, Network, Work, channels_for
from pipeline.training import Recipe, checkpoints, evaluate, train

SUFFIXES = (".pt", ".pth", ".th", ".ckpt", ".bin")


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """A checkpoint.

    Attributes
    ----------
    number : int
        Epochs that were finished; 0 is the initialisation.
    weights : Path
        The file.
    test_accuracy : float, optional
        Of the whole test split, where the file says it.
    """

    number: int
    weights: Path
    test_accuracy: float | None = None

    @property
    def name(self) -> str:
        """Name of the variant: ``epoch-007``."""
        return f"epoch-{self.number:03d}"


def find_epochs(place: Path, *, model: nn.Module) -> list[Epoch]:
    """Find the checkpoints of a folder, by the last number in their names.

    Parameters
    ----------
    place : Path
        Holds ``epoch-001.pt``, ``model_12.pth`` and so on; files without a number are passed over.
    model : Module
        What the weights have to fit; its own are overwritten.

    Returns
    -------
    list of Epoch
        In the order of their numbers.

    Raises
    ------
    RunError
        When the folder holds no checkpoint, or two of the same number.
    WeightsError
        When a file cannot be read or does not fit.

    Examples
    --------
    >>> find_epochs(Path("none"), model=nn.Identity())
    Traceback (most recent call last):
    graphs.errors.RunError: none is no folder; give --checkpoints a folder with epoch-001.pt, ...
    """
    if not place.is_dir():
        raise RunError(
            f"{place} is no folder", "give --checkpoints a folder with epoch-001.pt, ..."
        )
    found: dict[int, Path] = {}
    for path in sorted(place.iterdir()):
        numbers = re.findall(r"\d+", path.stem)
        if path.suffix not in SUFFIXES or path.name.startswith(".") or not numbers:
            continue
        number = int(numbers[-1])
        if number in found:
            raise RunError(
                f"{found[number].name} and {path.name} in {place} are both epoch {number}",
                "keep one file an epoch",
            )
        found[number] = path
    if not found:
        raise RunError(
            f"{place} holds no checkpoint with a number in its name",
            f"name them epoch-001.pt, ... ({', '.join(SUFFIXES)})",
        )
    for path in found.values():  # one that does not fit shows before hours of work
        load_weights(model, path)
    epochs = [
        Epoch(number=number, weights=path, test_accuracy=_known_accuracy(path))
        for number, path in sorted(found.items())
    ]
    return _only_shares(epochs)


def train_epochs(
    place: Path,
    *,
    network: Network,
    images: Images,
    recipe: Recipe,
    machine: Machine,
    work: Work,
) -> list[Epoch]:
    """Train with a checkpoint an epoch, or go on with it, from the initialisation as epoch 0.

    Parameters
    ----------
    place : Path
        Folder of the training.
    network, images
        What is trained, on the split `train`; accuracy is that of the split of `images`.
    recipe : Recipe
        Its seed also draws the initial weights.
    machine, work
        Device; whether to begin anew, and to show progress.

    Returns
    -------
    list of Epoch
        From 0 on.

    Raises
    ------
    DataError, ModelError, RunError
        What `pipeline.training.train` raises.
    """
    device = resolve_device(machine.device)
    train_data, test_data = (
        load_data(
            images.dataset,
            path=images.data,
            split=split,
            normalize=images.normalize,
            channels=channels_for(network.model),
            size=images.image_size,
        )
        for split in ("train", images.split)
    )
    model = initial_model(network, train_data, seed=recipe.seed)
    start = checkpoints.copy_state(model)
    accuracy = evaluate(model, test_data, device=device)
    about = {"model": network.model, "classes": len(train_data.label_names)}
    train(
        model,
        train_data,
        test_data,
        out=place,
        recipe=recipe,
        device=device,
        architecture=about | {"input_shape": train_data.input_shape},
        checkpoint_every=1,
        force=work.force,
        progress=work.progress,
    )
    save_start(place, start, accuracy=accuracy)
    paths = [place / f"epoch-{number:03d}.pt" for number in range(recipe.epochs + 1)]
    try:
        return [
            Epoch(number=number, weights=path, test_accuracy=_known_accuracy(path))
            for number, path in enumerate(paths)
        ]
    except WeightsError as error:  # the training itself is done: it does not write them again
        raise WeightsError(error.problem, "--force trains and measures all epochs anew") from error


def initial_model(network: Network, data: ImageData, *, seed: int) -> nn.Module:
    """Build a network with the weights that a training with this seed starts from.

    Parameters
    ----------
    network : Network
        Model, and weights where it is not trained from scratch.
    data : ImageData
        Gives classes and shape.
    seed : int
        Of the random weights.

    Raises
    ------
    ModelError
        When it cannot be built.
    """
    return load_model(
        network.model,
        weights=network.weights,
        classes=len(data.label_names),
        input_shape=data.input_shape,
        seed=seed,
    )


def save_start(
    place: Path, state: dict[str, torch.Tensor], *, accuracy: float | None = None
) -> Path:
    """Save initial weights as the checkpoint of epoch 0."""
    path = place / "epoch-000.pt"
    checkpoints.save(path, {"state_dict": state, "epoch": 0, "test_accuracy": accuracy})
    return path


def thin_out(epochs: Sequence[Epoch], every: int) -> list[Epoch]:
    """Keep every so many epochs, and the first and the last.

    Parameters
    ----------
    epochs : sequence of Epoch
        In order.
    every : int
        Numbers that this divides are kept.

    Raises
    ------
    RunError
        When it is below 1.

    Examples
    --------
    >>> found = [Epoch(number=number, weights=Path()) for number in range(8)]
    >>> [epoch.number for epoch in thin_out(found, 3)]
    [0, 3, 6, 7]
    """
    if every < 1:
        raise RunError(f"--every {every} keeps no epoch", "give at least 1")
    ends = {epochs[0].number, epochs[-1].number}
    return [epoch for epoch in epochs if epoch.number % every == 0 or epoch.number in ends]


def _only_shares(epochs: list[Epoch]) -> list[Epoch]:
    """Forget all accuracies where one is no share: in percent, small ones look like shares."""
    for epoch in epochs:
        found = epoch.test_accuracy
        if found is not None and not 0 <= found <= 1:  # or NaN
            log.warning(
                "%s says test_accuracy %g, which is no share from 0 to 1: "
                "test accuracies of this folder are left out",
                epoch.weights.name, found,
            )  # fmt: skip
            return [replace(each, test_accuracy=None) for each in epochs]
    return epochs


def _known_accuracy(path: Path) -> float | None:
    """Return the accuracy that a checkpoint of ours carries."""
    content = read_content(path)
    found = content.get("test_accuracy") if isinstance(content, dict) else None
    return float(found) if isinstance(found, float) else None
