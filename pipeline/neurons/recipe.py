"""How the networks of Filan et al. are trained and pruned."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np

from graphs.errors import RunError

Initial = Literal["glorot", "clusterable", "default"]
INITIALS: tuple[str, ...] = get_args(Initial)
MASK_EVERY = 10  # steps from one choice of the surviving weights to the next


@dataclass(frozen=True, kw_only=True)
class NeuronRecipe:
    """Adam, then magnitude pruning while training goes on (Filan et al. 2021, appendix).

    Attributes
    ----------
    epochs
        Passes over the training images before pruning; 0 leaves the network untrained.
    pruning_epochs
        Further passes, during which weights are pruned; 0 prunes nothing.
    batch_size
        Images a step.
    lr
        Learning rate of Adam, with a fresh optimizer when pruning begins.
    dropout
        Share of the outputs that are dropped after each ReLU.
    l1
        Rate of the penalty on sum |w|, over all weights but biases.
    l2
        Rate of the penalty on sum w^2.
    clusterability
        Rate of the penalty on the mean of the `eigenvalues` smallest eigenvalues above the first
        of the normalised Laplacian of the neuron graph: small ones mean a low n-cut.
    eigenvalues
        How many.
    rescale
        Before every step, bring what enters each hidden neuron to norm sqrt(2) and its outgoing
        weights the other way round; otherwise scale alone could lower the eigenvalues.
    initial
        `glorot` (uniform, biases 0), `clusterable` (that, with weights inside of ten random
        modules times 4.6 and the others times 0.6, first layer excepted), or `default`: as the
        network comes.
    sparsity
        Share of the weights of each layer that is pruned in the end.
    first_sparsity
        Share that is pruned at once.
    seed
        Of initial weights, order of the images and dropout.

    Raises
    ------
    RunError
        When a value is not possible.

    Examples
    --------
    >>> recipe = NeuronRecipe()
    >>> [round(recipe.sparsity_at(step, 9380), 4) for step in (0, 4690, 9380)]
    [0.5, 0.85, 0.9]
    """

    epochs: int = 20
    pruning_epochs: int = 20
    batch_size: int = 128
    lr: float = 1e-3
    dropout: float = 0.0
    l1: float = 0.0
    l2: float = 0.0
    clusterability: float = 0.0
    eigenvalues: int = 3
    rescale: bool = False
    initial: Initial = "glorot"
    sparsity: float = 0.9
    first_sparsity: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        lowest = {"epochs": 0, "pruning_epochs": 0, "batch_size": 1, "eigenvalues": 1, "seed": 0}
        for name, least in lowest.items():
            if getattr(self, name) < least:
                raise RunError(
                    f"{name}={getattr(self, name)} is not possible", f"give at least {least}"
                )
        if not 0 < self.lr < math.inf:
            raise RunError(f"lr={self.lr} is not possible", "give a number above 0")
        for name in ("l1", "l2", "clusterability"):
            if not 0 <= getattr(self, name) < math.inf:
                raise RunError(
                    f"{name}={getattr(self, name)} is not possible", "give 0 or a number above it"
                )
        for name in ("dropout", "sparsity", "first_sparsity"):
            if not 0 <= getattr(self, name) < 1:
                raise RunError(
                    f"{name}={getattr(self, name)} is not possible",
                    "give a share from 0 to below 1",
                )
        if self.first_sparsity > self.sparsity:
            raise RunError(
                f"first_sparsity={self.first_sparsity} is above sparsity={self.sparsity}",
                "give a lower one",
            )
        if self.initial not in INITIALS:
            raise RunError(
                f"initial weights {self.initial!r} are unknown", f"choose {', '.join(INITIALS)}"
            )

    def sparsity_at(self, step: int, steps: int) -> float:
        """Share of the weights to prune at a step of `steps`: a cubic that levels off.

        Notes
        -----
        Zhu & Gupta (2017), "To prune, or not to prune", equation 1.
        """
        left = 1 - min(step / steps, 1)
        return self.sparsity + (self.first_sparsity - self.sparsity) * left**3

    def seed_of(self, epoch: int) -> int:
        """Seed of an epoch: every epoch begins with fresh streams, also after a kill."""
        return int(np.random.SeedSequence([self.seed, epoch]).generate_state(1, np.uint64)[0])

    def as_dict(self) -> dict[str, Any]:
        """Return all values, as they are stored beside weights."""
        return asdict(self)
