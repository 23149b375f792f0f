"""How a network is trained on after layers have gone."""

import math
from dataclasses import dataclass, replace

from cyclopts import Group, Parameter
from torch import nn

from graphs.errors import RunError
from pipeline.training import Recipe, Teacher
from pipeline.training.distillation import TEMPERATURE


@Parameter(name="*", group=Group("Tuning", sort_key=3))
@dataclass(frozen=True, kw_only=True)
class Tuning(Recipe):
    """How the smaller network is trained on.

    Attributes
    ----------
    epochs
        Passes over the training images; with --iterative after every step.
    batch_size
        Images a step.
    lr
        Learning rate of the first two thirds of the epochs; the last has a tenth of it.
    momentum
        Of stochastic gradient descent.
    weight_decay
        L2 penalty on all parameters; that of the paper's training from scratch is ten times as
        much and would shrink trained weights.
    milestones
        Epochs, counted from 0, from which the learning rate is `gamma` times smaller (default:
        after two thirds).
    gamma
        Factor at each milestone.
    augmentation
        `crop-flip`, `none`, or `auto`: the first for colour images, the second for grey ones.
    precision
        `mixed` multiplies in 16 bits (bfloat16 on a CPU), `auto` does so on a GPU only.
    seed
        Of shuffling, augmentation, dropout, and what surgery initialises afresh.
    """

    epochs: int = 3
    batch_size: int = 128
    lr: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 5e-4
    milestones: tuple[int, ...] = ()
    gamma: float = 0.1
    augmentation: str = "auto"
    precision: str = "auto"
    seed: int = 0

    def decided(self) -> "Tuning":
        """Place the step of the learning rate where none was given.

        Examples
        --------
        >>> Tuning().decided().milestones, Tuning(epochs=30, milestones=(7,)).decided().milestones
        ((2,), (7,))
        """
        return (
            self if self.milestones else replace(self, milestones=(math.ceil(self.epochs * 2 / 3),))
        )


@Parameter(name="*", group=Group("Learning from the original", sort_key=4))
@dataclass(frozen=True, kw_only=True)
class Distillation:
    """Whether the smaller network also learns from the answers of the original.

    Attributes
    ----------
    distill
        Share of the original's answers in the loss, above 0 and up to 1; without it the labels
        alone count.
    temperature
        What logits are divided by: the higher, the more the unlikely classes count.
    """

    distill: float | None = None
    temperature: float = TEMPERATURE


def teacher_of(model: nn.Module, distillation: Distillation) -> Teacher | None:
    """Return the original as a teacher, where one is wanted.

    Raises
    ------
    RunError
        When a value is not possible.
    """
    if distillation.distill is None:
        if distillation.temperature != TEMPERATURE:
            raise RunError(
                f"--temperature {distillation.temperature:g} does nothing without --distill",
                "give --distill 0.5, or leave it out",
            )
        return None
    return Teacher(model=model, weight=distillation.distill, temperature=distillation.temperature)
