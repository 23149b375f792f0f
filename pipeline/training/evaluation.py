"""Accuracy, and whether a network fits a data set at all."""

import torch
from torch import Tensor, nn

from graphs.errors import ModelError
from pipeline.data import ImageData
from pipeline.training.batches import Batches


def evaluate(
    model: nn.Module,
    data: ImageData,
    *,
    batch_size: int = 256,
    device: torch.device | None = None,
) -> float:
    """Share of the images that a network classifies rightly.

    Parameters
    ----------
    model : Module
        Gives logits of shape (b, classes). It is moved to the device and left in its mode.
    data : ImageData
        Images and labels.
    batch_size : int
        Images at a time.
    device : torch.device, optional
        By default the CPU.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ModelError
        When the network cannot run on the images or has fewer outputs than classes.
    """
    place = device or torch.device("cpu")
    memory_format = fit_model(model, data, device=place)
    batches = Batches.of(data, place)
    return measure_accuracy(model, batches, batch_size=batch_size, memory_format=memory_format)


def measure_accuracy(
    model: nn.Module, batches: Batches, *, batch_size: int, memory_format: torch.memory_format
) -> float:
    """Compute the accuracy over prepared batches, in evaluation mode and full precision."""
    was_training = model.training
    model.eval()
    order = torch.arange(len(batches.labels))
    correct = torch.zeros((), dtype=torch.int64, device=batches.device)
    try:
        with torch.inference_mode():
            for images, labels in batches.iterate(order, batch_size):
                logits = model(images.contiguous(memory_format=memory_format))
                correct += (logits.argmax(dim=1) == labels).sum()
    finally:
        model.train(was_training)
    return int(correct) / len(order)


def fit_model(model: nn.Module, data: ImageData, *, device: torch.device) -> torch.memory_format:
    """Move a network to its device and check that it fits the images and classes.

    Convolutions are faster with the channels last; a network that reshapes maps with ``view``
    cannot run that way and stays as it is.

    Returns
    -------
    torch.memory_format
        What the network now has and its images should have.

    Raises
    ------
    ModelError
        When it cannot run, gives something else than logits, or has fewer than there are classes.
    """
    if any(isinstance(module, nn.Conv2d) for module in model.modules()):
        _move(model, device, torch.channels_last)
        try:
            _check_logits(_answer(model, data, device, torch.channels_last), model, data)
        except ModelError:
            # The plain format decides whether it is the network or the format that failed.
            pass
        else:
            return torch.channels_last
    _move(model, device, torch.contiguous_format)
    _check_logits(_answer(model, data, device, torch.contiguous_format), model, data)
    return torch.contiguous_format


def _move(model: nn.Module, device: torch.device, memory_format: torch.memory_format) -> None:
    # torch's hints do not know this form of the call.
    model.to(device, memory_format=memory_format)  # type: ignore[call-overload]


def _answer(
    model: nn.Module, data: ImageData, device: torch.device, memory_format: torch.memory_format
) -> object:
    was_training = model.training
    images = data.images([0]).to(device, memory_format=memory_format)
    model.eval()
    try:
        with torch.inference_mode():
            return model(images)
    # A user's network can raise anything.
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(
            f"{type(model).__name__} cannot run on images of shape {data.input_shape} ({reason})",
            "choose a model for such images, or channels=3 for grey ones",
        ) from error
    finally:
        model.train(was_training)


def _check_logits(logits: object, model: nn.Module, data: ImageData) -> None:
    if not isinstance(logits, Tensor) or logits.ndim != 2:
        got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ModelError(
            f"{type(model).__name__} gives {got} for one image, not logits of shape (1, classes)",
            "choose a classifier",
        )
    needed = int(data.labels.max()) + 1
    if logits.shape[1] < needed:
        raise ModelError(
            f"{type(model).__name__} has {logits.shape[1]} outputs, {data.name} has {needed} "
            "classes",
            f"build it for {needed} classes",
        )
