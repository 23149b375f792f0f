"""What is known about one layer of a network."""

from dataclasses import dataclass
from math import prod
from typing import Literal

Pool = Literal["none", "avg", "cls", "mean"]


@dataclass(frozen=True, kw_only=True)
class LayerInfo:
    """One module that ran, as seen at its output.

    Attributes
    ----------
    index : int
        Position in execution order, among the layers it was listed with.
    name : str
        Path of the module in the network: ``layer1.0``.
    type : str
        Name of its class.
    shape : tuple of int
        Shape of the output of one sample; empty where the output is no tensor.
    calls : int
        How often it ran in one forward pass. Of several outputs the last one counts.
    parameters : int
        Parameters of the module and of all that it holds.
    channel_axis : {1, -1}
        Where the channels of a 4-D output are, the batch being axis 0.
    problem : str or None
        Why the output cannot be used, where it cannot.
    """

    index: int
    name: str
    type: str
    shape: tuple[int, ...]
    calls: int = 1
    parameters: int = 0
    channel_axis: Literal[1, -1] = 1
    problem: str | None = None

    @property
    def values(self) -> int:
        """Values per sample, without pooling."""
        return prod(self.shape)

    def stored_values(self, pool: Pool) -> int:
        """Values per sample that are kept after pooling.

        Examples
        --------
        >>> LayerInfo(index=0, name="a", type="ReLU", shape=(16, 8, 8)).stored_values("avg")
        16
        """
        if pool == "avg" and len(self.shape) == 3:
            return self.shape[0 if self.channel_axis == 1 else -1]
        if pool in ("cls", "mean") and len(self.shape) == 2:
            return self.shape[-1]
        return self.values
