"""Accuracy, and whether a network fits a data set at all."""

import torch
from torch import Tensor, nn

from graphs.errors import DataError, ModelError
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
    model.to(place)
    require_fit(model, data, device=place)
    return measure_accuracy(model, Batches.of(data, place), batch_size=batch_size)


def measure_accuracy(model: nn.Module, batches: Batches, *, batch_size: int) -> float:
    """Compute the accuracy over prepared batches, in evaluation mode and full precision."""
    was_training = model.training
    model.eval()
    order = torch.arange(len(batches.labels))
    correct = torch.zeros((), dtype=torch.int64, device=batches.device)
    try:
        with torch.inference_mode():
            for images, labels in batches.iterate(order, batch_size):
                correct += (model(images).argmax(dim=1) == labels).sum()
    finally:
        model.train(was_training)
    return int(correct) / len(order)


def require_fit(model: nn.Module, data: ImageData, *, device: torch.device) -> None:
    """Run the network on one image and compare its outputs with the classes.

    Raises
    ------
    ModelError
        When it cannot run, gives something else than logits, or has too few of them.
    """
    was_training = model.training
    model.eval()
    try:
        images = data.images([0]).to(device)
        with torch.inference_mode():
            logits = model(images)
    except DataError:
        raise
    # A user's network can raise anything.
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(
            f"{type(model).__name__} cannot run on images of shape {data.input_shape} ({reason})",
            "choose a model for such images, or channels=3 for grey ones",
        ) from error
    finally:
        model.train(was_training)
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
