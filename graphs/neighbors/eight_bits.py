"""Approximate similarities from a product of 8-bit integers, with a proven bound.

As in `low_precision`, but for how a residual r_i is rounded. It is turned first: R r_i with R
orthogonal, so that products and lengths stay what they are. R flips signs at random and mixes the
features by Hadamard matrices of 64 rows, once across the row and once along it: afterwards no
number is much larger than the others, as large ones would cost the others their digits. Then
b_i = s_i q_i with integers |q_i| <= 127 and s_i = max |R r_i| / 127.

Sums of products of 8-bit integers are exact in 32 bits for up to 133,000 features, so that nothing
is added for them but three float32 roundings: of the sum, and of its products with s_i and s_j.
What turning itself rounds away adds to e_i: a product with one of the matrices H errs by at most
gamma_64 |H| |x| in every number (Higham 2002, eq. 3.13), and |H| has norm 8. The bound is two to
three times that of bfloat16. The product is far faster than that of float32 where processors have
8-bit instructions (AVX-VNNI) and none for bfloat16; stage 2 says by how much.

The turn is that of Ashkboos et al., *QuaRot* (NeurIPS 2024), who quantise networks after it.
"""

import functools

import numpy as np
import torch
from numpy.typing import NDArray

from graphs.neighbors.low_precision import UNIT, Product, Residuals
from graphs.neighbors.select import row_products
from graphs.neighbors.torch_settings import full_float32

MIXED = 64  # rows of a Hadamard matrix: its root is a power of two, so that H is exact in float32
LEVELS = 127
WIDEST = (2**31 - 1) // LEVELS**2  # features whose sums are sure to fit into 32 bits
SHORTEST = 1e-30  # what is shorter is as good as 0, and would divide by what may be taken for 0
_GAMMA = MIXED * UNIT / (1 - MIXED * UNIT)
TURNING = 2.02 * _GAMMA * MIXED**0.5


class EightBits(Product):
    """Approximates similarities of unit rows on the CPU.

    Parameters
    ----------
    direction : ndarray of float64, shape (D,)
        u: of length 1, or zero. D is at most `WIDEST`.
    """

    crowded = 1024
    # and the float32 roundings of s_i q_i, and of its difference from R r_i
    _lost = 8 * UNIT + TURNING

    def __init__(self, direction: NDArray[np.float64]) -> None:
        super().__init__(direction, precision="int8", device=torch.device("cpu"))
        self.width = -(-len(direction) // MIXED) * MIXED
        self._signs = _signs(len(direction))

    def empty(self, rows: int, *, spare: int = 0) -> Residuals:
        """Return room for the residuals of so many rows, and some behind them."""
        found = super().empty(rows, spare=spare)
        return Residuals(found.room, found.along, torch.empty(rows))

    def prepare(
        self, unit: NDArray[np.float32], out: Residuals
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Turn and round rows without their mean direction, into `out`, as `Product` does."""
        with full_float32:
            return super().prepare(unit, out)

    def _shorten(
        self, residual: NDArray[np.float32], out: Residuals, room: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        turned = self._turn(residual, torch.from_numpy(room))
        largest = turned.abs().amax(dim=1)
        scale = torch.where(largest > SHORTEST, largest / LEVELS, 1.0)
        levels = (turned / scale[:, None]).round_()
        out.values.copy_(levels)
        out.scale.copy_(scale)
        short = levels.mul_(scale[:, None]).numpy()
        lengths = np.sqrt(row_products(short, short))
        np.subtract(turned.numpy(), short, out=short)
        return lengths, np.sqrt(row_products(short, short))

    def _turn(self, residual: NDArray[np.float32], room: torch.Tensor) -> torch.Tensor:
        """Return R r_i, float32 of the shape of `room`, which is written over."""
        rows, width = residual.shape
        torch.mul(torch.from_numpy(residual), self._signs, out=room[:, :width])
        room[:, width:] = 0
        matrix = _hadamard()
        across: torch.Tensor = matrix @ room.view(rows, MIXED, -1)
        return (across.view(-1, MIXED) @ matrix).view(rows, self.width)

    def __call__(
        self, left: Residuals, right: Residuals, out: torch.Tensor, *, side: int = 0
    ) -> None:
        """Write approximate similarities to `out`, as `Product` does."""
        near, far = (rows.room[: max(len(rows), side)] for rows in (left, right))
        products = self._room(len(near), len(far), torch.int32)
        torch._int_mm(near, far.T, out=products)
        torch.mul(products[: len(left), : len(right)], left.scale[:, None], out=out)
        out.mul_(right.scale)
        out.addr_(left.along, right.along)

    def _furthest(self) -> tuple[float, float]:
        worst = 0.5 * self.width**0.5 / LEVELS * self._grow + self._lost
        return 1 + worst, worst

    def _gamma(self) -> float:
        return 4 * UNIT


def sums_are_exact() -> bool:
    """Whether torch multiplies 8-bit integers here, and without saturating.

    Where a processor has no instruction for it, libraries add pairs of products in 16 bits.
    """
    rows = np.random.default_rng(0).choice(np.array([-LEVELS, LEVELS], np.int8), (32, 512))
    rows[:8] = LEVELS
    values = torch.from_numpy(rows)
    try:
        sums = torch._int_mm(values, values.T).numpy()
    except (AttributeError, RuntimeError, NotImplementedError):
        return False
    wide = rows.astype(np.int64)
    return bool((sums == wide @ wide.T).all())


@functools.cache
def _hadamard() -> torch.Tensor:
    """Return the Hadamard matrix of `MIXED` rows (Sylvester's), of orthogonal rows of length 1."""
    matrix = torch.ones(1, 1)
    while len(matrix) < MIXED:
        matrix = torch.kron(torch.tensor([[1.0, 1.0], [1.0, -1.0]]), matrix)
    scaled: torch.Tensor = matrix / MIXED**0.5
    return scaled


@functools.lru_cache(maxsize=4)
def _signs(width: int) -> torch.Tensor:
    """Return signs at random, the same in every run."""
    signs: NDArray[np.float32] = np.random.default_rng(0).choice(
        np.array([-1, 1], np.float32), width
    )
    return torch.from_numpy(signs)
