"""What to remove until a budget is met: the layers of the lowest score first."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from graphs.errors import PlanError
from pipeline.pruning.parts import Part

_NOISE = 1e-9  # 1 - 0.7 is 0.3

Quantity = Literal["macs", "params", "latency", "layers"]


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What may be left.

    Attributes
    ----------
    quantity : {"macs", "params", "latency", "layers"}
        What is counted; ``layers`` counts those that go.
    value : float
        Share of the original, or number of layers to remove.
    """

    quantity: Quantity
    value: float

    @property
    def option(self) -> str:
        """The option of the command line."""
        return "--remove" if self.quantity == "layers" else f"--{self.quantity}"

    def __post_init__(self) -> None:
        option = self.option
        if self.quantity == "layers":
            if self.value < 1:
                raise PlanError(f"{option} {self.value:g} removes no layer", "give at least 1")
        elif not 0 < self.value < 1:
            raise PlanError(
                f"{option} {self.value:g} is no share of the network",
                f"give a number between 0 and 1: {option} 0.5 leaves half",
            )


def order_of_removal(
    parts: Sequence[Part], scores: ArrayLike, stages: Sequence[Sequence[Part]]
) -> list[Part]:
    """Order the layers that can go, the lowest score first; every stage keeps one layer.

    Parameters
    ----------
    parts : sequence of Part
        All layers.
    scores : array of float, shape (L,)
        Higher is more worth keeping. A layer without a score stays. Of equals the deeper one goes
        first.
    stages : sequence of sequences of Part
        From `find_stages`.

    Returns
    -------
    list of Part
    """
    values = np.asarray(scores, dtype=np.float64)
    free = [part for part in parts if not part.problem and np.isfinite(values[part.index])]
    left = [{part.index for part in stage} for stage in stages]
    order = []
    for part in sorted(free, key=lambda part: (values[part.index], -part.index)):
        home = next((stage for stage in left if part.index in stage), None)
        if home is not None and len(home) == 1:
            continue
        if home is not None:
            home.remove(part.index)
        order.append(part)
    return order


def meet_budget(
    order: Sequence[Part], budget: Budget, *, left: Callable[[Sequence[Part]], float]
) -> list[Part]:
    """Take as few of the layers, in order, as meet the budget.

    Parameters
    ----------
    order : sequence of Part
        From `order_of_removal`.
    budget : Budget
        What may be left.
    left : callable
        Removed layers in; the share of the quantity that is left without them out.

    Raises
    ------
    PlanError
        When the budget cannot be met; says what can.
    """
    if not order:
        raise PlanError(
            f"{budget.option} {budget.value:g} cannot be met: no layer can go",
            "take another criterion or network",
        )
    if budget.quantity == "layers":
        if budget.value > len(order):
            raise PlanError(
                f"--remove {budget.value:g} cannot be met: {len(order)} layers can go",
                f"give {len(order)} or fewer; one stays in every stage",
            )
        return list(order[: int(budget.value)])
    closest = left(order)
    if closest > budget.value + _NOISE:
        raise PlanError(
            f"--{budget.quantity} {budget.value:g} cannot be met: without the {len(order)} layers "
            f"that can go {closest:.3f} is left",
            f"give {math.ceil((closest - _NOISE) * 100) / 100:g} or more",
        )
    low, high = 0, len(order)  # with `low` layers gone too much is left, with `high` it is met
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (
            (low, middle) if left(order[:middle]) <= budget.value + _NOISE else (middle, high)
        )
    return list(order[:high])
