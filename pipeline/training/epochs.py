"""One epoch of training."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphs.errors import ModelError, ResourceError
from pipeline.data import ImageData
from pipeline.training.batches import Batches, augment_crop_flip
from pipeline.training.distillation import Teacher
from pipeline.training.evaluation import fit_model, measure_accuracy
from pipeline.training.recipe import Recipe
from pipeline.training.results import EpochRecord


@dataclass(frozen=True, kw_only=True, eq=False)
class Training:
    """What all epochs share.

    Attributes
    ----------
    model : Module
        Trained in place.
    optimizer : SGD
        Of its parameters.
    mixed : bool
        Whether products are in 16 bits.
    scaler : GradScaler
        Of the loss, for float16; switched off elsewhere: bfloat16 has the range of float32.
    train_batches, test_batches : Batches
        The two sets.
    recipe : Recipe
        With ``augmentation`` decided.
    memory_format : torch.memory_format
        Of the model and the images that it is given.
    black : Tensor, shape (1, C, 1, 1)
        A black pixel, normalised.
    teacher : Teacher or None
        On the device, in eval mode.
    """

    model: nn.Module
    optimizer: torch.optim.SGD
    mixed: bool
    scaler: torch.amp.GradScaler
    train_batches: Batches
    test_batches: Batches
    recipe: Recipe
    memory_format: torch.memory_format
    black: Tensor
    teacher: Teacher | None = None


def set_up(
    model: nn.Module,
    train_data: ImageData,
    test_data: ImageData,
    *,
    recipe: Recipe,
    device: torch.device,
    memory_format: torch.memory_format,
    teacher: Teacher | None = None,
) -> Training:
    """Prepare the epochs: optimizer, scaler, batches, teacher."""
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=recipe.lr,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
    )
    if teacher is not None:
        fit_model(teacher.model, train_data, device=device)
        teacher.model.eval()
    mixed = recipe.precision == "mixed" or (recipe.precision == "auto" and device.type == "cuda")
    black = train_data.normalization(torch.zeros(1, train_data.input_shape[0], 1, 1))
    return Training(
        model=model,
        optimizer=optimizer,
        mixed=mixed,
        scaler=torch.amp.GradScaler(device.type, enabled=mixed and device.type == "cuda"),
        train_batches=Batches.of(train_data, device),
        test_batches=Batches.of(test_data, device),
        recipe=recipe,
        memory_format=memory_format,
        black=black,
        teacher=teacher,
    )


def run_epoch(
    training: Training, epoch: int, *, advance: Callable[[int], None] = lambda _: None
) -> EpochRecord:
    """Train for one epoch and test.

    Everything random in it is seeded by the recipe's seed and the epoch's number. `advance` is told
    how many images were learnt from.

    Raises
    ------
    ModelError
        When the loss is not finite.
    ResourceError
        When the GPU's memory is too small.
    """
    start = time.perf_counter()
    recipe, device = training.recipe, training.train_batches.device
    for group in training.optimizer.param_groups:
        group["lr"] = recipe.lr_at(epoch)
    torch.manual_seed(recipe.seed_of(epoch))
    try:
        loss, accuracy = _train_once(training, advance)
    except torch.cuda.OutOfMemoryError as error:
        raise ResourceError(
            f"the memory of {device} is too small for batches of {recipe.batch_size}",
            "lower --batch-size",
        ) from error
    if not torch.isfinite(torch.tensor(loss)):
        raise ModelError(
            f"the loss is {loss} in epoch {epoch + 1} (lr {recipe.lr_at(epoch):g})",
            "lower --lr, or look for values that are not finite in the images",
        )
    test = measure_accuracy(
        training.model,
        training.test_batches,
        batch_size=recipe.batch_size,
        memory_format=training.memory_format,
    )
    return EpochRecord(
        epoch=epoch + 1,
        lr=recipe.lr_at(epoch),
        train_loss=loss,
        train_accuracy=accuracy,
        test_accuracy=test,
        seconds=time.perf_counter() - start,
    )


def _train_once(training: Training, advance: Callable[[int], None]) -> tuple[float, float]:
    model, optimizer, scaler = training.model, training.optimizer, training.scaler
    batches, device = training.train_batches, training.train_batches.device
    half = torch.float16 if scaler.is_enabled() else torch.bfloat16
    # Its own stream, so that dropout does not move the augmentation.
    generator = torch.Generator().manual_seed(torch.initial_seed())
    count = len(batches.labels)
    order = torch.randperm(count, generator=generator)
    # Sums stay on the device: reading them after each batch would stop a GPU.
    total = torch.zeros((), dtype=torch.float64, device=device)
    correct = torch.zeros((), dtype=torch.int64, device=device)
    model.train()
    for images, labels in batches.iterate(order, training.recipe.batch_size):
        inputs = images
        if training.recipe.augmentation == "crop-flip":
            inputs = augment_crop_flip(images, training.black, generator=generator)
        with torch.autocast(device.type, dtype=half, enabled=training.mixed):
            inputs = inputs.contiguous(memory_format=training.memory_format)
            logits = model(inputs).float()  # the loss of 16-bit logits is too coarse
            if training.teacher is None:
                loss = F.cross_entropy(logits, labels)
            else:
                loss = training.teacher.loss(logits, labels, inputs)
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()  # type: ignore[no-untyped-call]  # torch has no types here
        scaler.step(optimizer)
        scaler.update()
        total += loss.detach().double() * len(labels)
        correct += (logits.detach().argmax(dim=1) == labels).sum()
        advance(len(labels))
    return float(total) / count, int(correct) / count
