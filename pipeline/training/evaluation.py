"""Accuracy, and whether a network fits a data set at all."""

import torch
from torch import Tensor, nn

from graphs.errors import DataError, ModelError
from pipeline.data import ImageData
from pipeline.placement import answer, place
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

    Returns
    -------
    torch.memory_format
        What the network now has and its images should have.

    Raises
    ------
    ModelError
        When it cannot run, gives something else than logits, or has fewer than there are classes.
    """
    images = data.images([0])
    memory_format = place(model, device, images)
    _check_logits(answer(model, device, images, memory_format=memory_format), model, data)
    return memory_format


def require_splits(train_data: ImageData, test_data: ImageData) -> None:
    """Refuse training and test images that do not go together.

    Raises
    ------
    DataError
        When they have other shapes, or are the same.
    """
    if train_data.input_shape != test_data.input_shape:
        raise DataError(
            f"training images have shape {train_data.input_shape}, test images "
            f"{test_data.input_shape}",
            "prepare both alike",
        )
    if train_data.source.digest() == test_data.source.digest():
        raise DataError(
            "training and test images are the same: the accuracy would mean nothing",
            "choose a data set with two splits (arrays: x_train, y_train, x_test and y_test in the "
            ".npz file)",
        )


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
