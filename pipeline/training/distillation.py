"""Learning from another network beside the labels."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphs.errors import RunError
from pipeline.training import checkpoints

TEMPERATURE = 4.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Teacher:
    """A network to learn from (Hinton et al. 2015).

    Attributes
    ----------
    model : Module
        Gives logits for the same classes; not trained.
    weight : float
        Its share of the loss: 1 leaves the labels out.
    temperature : float
        What logits are divided by: the higher, the more the unlikely classes count.

    Raises
    ------
    RunError
        When a value is not possible.
    """

    model: nn.Module
    weight: float
    temperature: float = TEMPERATURE

    def __post_init__(self) -> None:
        if not 0 < self.weight <= 1:
            raise RunError(
                f"a distillation weight of {self.weight:g} is not possible",
                "give a number above 0 and up to 1",
            )
        if not 0 < self.temperature < math.inf:
            raise RunError(
                f"a temperature of {self.temperature:g} is not possible", "give a number above 0"
            )

    def identity(self) -> dict[str, Any]:
        """Return what a training with this teacher depends on."""
        digest = checkpoints.digest_state(self.model)
        return {"teacher": digest, "distill": self.weight, "temperature": self.temperature}

    def loss(self, logits: Tensor, labels: Tensor, images: Tensor) -> Tensor:
        """Mean loss of a batch; the teacher answers in eval mode, without gradients."""
        with torch.no_grad():
            answers = self.model(images).float()
        return distillation_loss(
            logits, labels, answers, weight=self.weight, temperature=self.temperature
        )


def distillation_loss(
    logits: Tensor, labels: Tensor, answers: Tensor, *, weight: float, temperature: float
) -> Tensor:
    """Cross-entropy with the labels, and divergence from the softened answers of a teacher.

    (1 - w) CE(labels, softmax(z)) + w T² KL(softmax(v / T) || softmax(z / T)), mean over the
    batch; T² keeps the gradients of both parts of one size.

    Parameters
    ----------
    logits : Tensor, shape (n, classes)
        z, of the network that learns.
    labels : Tensor of int64, shape (n,)
        True classes.
    answers : Tensor, shape (n, classes)
        v, logits of the teacher.
    weight : float
        w, from 0 to 1.
    temperature : float
        T, above 0.

    Notes
    -----
    Hinton, Vinyals & Dean (2015), "Distilling the Knowledge in a Neural Network", section 2.

    Examples
    --------
    >>> z, v = torch.tensor([[0.0, 0.0]]), torch.tensor([[math.log(3.0), 0.0]])
    >>> loss = distillation_loss(z, torch.tensor([0]), v, weight=1.0, temperature=1.0)
    >>> abs(loss.item() - (0.75 * math.log(1.5) + 0.25 * math.log(0.5))) < 1e-6
    True
    """
    hard = F.cross_entropy(logits, labels)
    soft = F.kl_div(
        F.log_softmax(logits / temperature, dim=1),
        F.log_softmax(answers / temperature, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    return (1 - weight) * hard + weight * temperature**2 * soft
