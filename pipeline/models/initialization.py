"""How untrained networks of the zoo start."""

from torch import nn


def initialize(model: nn.Module) -> None:
    """Draw the convolutions from He's normal distribution; the rest keeps torch's default.

    Parameters
    ----------
    model : Module
        Changed in place.

    Notes
    -----
    He et al. (2015), "Delving Deep into Rectifiers", equation 10 (fan out, gain of ReLU).
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
