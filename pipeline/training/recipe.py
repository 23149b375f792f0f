"""How a network is trained: the paper's recipe and its variations."""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from graphs.errors import RunError

Augmentation = Literal["auto", "none", "crop-flip"]
AUGMENTATIONS: tuple[str, ...] = get_args(Augmentation)
Precision = Literal["auto", "float32", "mixed"]
PRECISIONS: tuple[str, ...] = get_args(Precision)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """SGD with momentum and a stepwise learning rate (Lu et al. 2022, section 4).

    Attributes
    ----------
    epochs : int
        Passes over the training images.
    batch_size : int
        Images a step.
    lr : float
        Learning rate of the first epochs.
    momentum : float
        Of stochastic gradient descent.
    weight_decay : float
        L2 penalty on all parameters.
    milestones : tuple of int
        Epochs, counted from 0, from which the learning rate is `gamma` times smaller.
    gamma : float
        Factor at each milestone.
    augmentation : {"auto", "none", "crop-flip"}
        ``crop-flip``: random crop of the image padded by 4 pixels and random horizontal flip.
        ``auto``: that for colour images, none for grey ones (a flipped digit is another sign).
    precision : {"auto", "float32", "mixed"}
        ``mixed``: products in 16 bits (float16 on CUDA, bfloat16 elsewhere), sums and weights in
        float32. ``auto``: that on CUDA, float32 elsewhere.
    seed : int
        Of shuffling, augmentation and dropout. The initial weights are the caller's.

    Raises
    ------
    RunError
        When a value is not possible.

    Examples
    --------
    >>> recipe = Recipe()
    >>> [round(recipe.lr_at(epoch), 6) for epoch in (0, 49, 50, 100, 149)]
    [0.01, 0.01, 0.001, 0.0001, 0.0001]
    """

    epochs: int = 150
    batch_size: int = 256
    lr: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 0.005
    milestones: tuple[int, ...] = (50, 100)
    gamma: float = 0.1
    augmentation: str = "auto"
    precision: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, lowest in (("epochs", 1), ("batch_size", 1), ("seed", 0)):
            if getattr(self, name) < lowest:
                raise RunError(
                    f"{name}={getattr(self, name)} is not possible", f"give at least {lowest}"
                )
        for name in ("lr", "gamma"):
            if not 0 < getattr(self, name) < math.inf:
                raise RunError(
                    f"{name}={getattr(self, name)} is not possible", "give a number above 0"
                )
        for name in ("momentum", "weight_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise RunError(
                    f"{name}={getattr(self, name)} is not possible", "give a number from 0 to 1"
                )
        for name, known in (("augmentation", AUGMENTATIONS), ("precision", PRECISIONS)):
            if getattr(self, name) not in known:
                raise RunError(
                    f"{name} {getattr(self, name)!r} is unknown", f"choose {', '.join(known)}"
                )

    def lr_at(self, epoch: int) -> float:
        """Learning rate of an epoch, counted from 0.

        A closed form instead of a scheduler: there is no state to restore after a kill.
        """
        return self.lr * self.gamma ** sum(epoch >= milestone for milestone in self.milestones)

    def seed_of(self, epoch: int) -> int:
        """Seed of an epoch: every epoch begins with fresh streams, also after a kill."""
        return int(np.random.SeedSequence([self.seed, epoch]).generate_state(1, np.uint64)[0])

    def for_channels(self, channels: int) -> "Recipe":
        """Decide ``augmentation="auto"`` for images of so many channels."""
        if self.augmentation != "auto":
            return self
        return replace(self, augmentation="none" if channels == 1 else "crop-flip")

    def as_dict(self) -> dict[str, Any]:
        """Return all values, as they are stored beside weights."""
        return asdict(self)
