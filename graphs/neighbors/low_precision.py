"""Approximate similarities from a product in low precision, with a proven bound on their error.

Let x_i be unit rows, u a unit vector, a_i = x_i . u and r_i = x_i - a_i u. As u . r_i = 0,

    x_i . x_j = a_i a_j + r_i . r_j.

Let b_i be r_i rounded to a short type, e_i = |r_i - b_i|, and p_ij the computed b_i . b_j. Then

    |r_i . r_j - b_i . b_j| = |(r_i - b_i) . r_j + b_i . (r_j - b_j)| <= e_i |r_j| + |b_i| e_j

by Cauchy and Schwarz. Products of two bfloat16 numbers are exact in float32, so summing D of them
in float32, in whatever order, errs by at most gamma_D |b_i| |b_j|, gamma_D = D v / (1 - D v) with
v = 2^-24 (Higham, *Accuracy and Stability of Numerical Algorithms*, 2002, eq. 3.5; on a GPU, whose
tensor cores truncate, 2^-22 is taken), and writing the sum as bfloat16, of 8 significant bits, by
2^-8 of it: 1 + 2^-8 is written as 1. So with
E = max e_j and B = max |b_j| every approximation of row i is within

    tau_i = e_i (B + E) + |b_i| E + (gamma_D + 2^-8 (1 + gamma_D)) |b_i| B + 2^-19

of the true similarity (without the 2^-8 where sums are written as float32). 2^-19 covers float32
roundings of a_i, u, x_i and of the sum with a_i a_j, each below 2^-22, and of the exact
similarity (`to_similarity`). The bound holds for any u; near the mean of the rows it makes the
residuals, and so the bound, small.
"""

import threading
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from graphs.neighbors.select import row_products
from graphs.neighbors.threads import in_threads, thread_count
from graphs.neighbors.torch_settings import full_float32, one_thread

Precision = Literal["int8", "bfloat16", "float32"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

UNIT = 2.0**-24
# tensor cores cut off where float32 rounds, and do so with what they align to one exponent
TENSOR_CORE = 2.0**-22
SLACK = 2.0**-19
OUTPUT = 2.0**-8  # half the distance of neighbouring bfloat16 numbers at 1
# how far a row of length 1 moves when it is rounded, at most
ROUNDING = {torch.bfloat16: 2.0**-8, torch.float32: 2.0**-21}
# float32 sums are taken over so many terms at a time: their error grows with the longest chain
TERMS = 2048
KINDS: dict[Precision, torch.dtype] = {
    "int8": torch.int8,
    "bfloat16": torch.bfloat16,
    "float32": torch.float32,
}
STORED = {torch.int8: np.int8, torch.bfloat16: np.uint16, torch.float32: np.float32}
PAGE = 4096
LINE = 64  # bytes of a line of the cache
PASS = 1 << 16  # numbers that a thread prepares at a time: they stay in its cache

# |b_i| and e_i, of one row or of many
Known = tuple[NDArray[np.float64] | float, NDArray[np.float64] | float]


@dataclass(frozen=True, eq=False)
class Residuals:
    """Rows without their mean direction, rounded.

    Attributes
    ----------
    room : Tensor of the short type, shape (b or more, D)
        b_i, and whatever lies behind them in memory.
    along : Tensor of float32, shape (b,)
        a_i.
    scale : Tensor of float32, shape (b,), or empty
        What the numbers of a row are to be multiplied by, where they are integers.
    """

    room: torch.Tensor
    along: torch.Tensor
    scale: torch.Tensor = field(default_factory=lambda: torch.empty(0))

    @property
    def values(self) -> torch.Tensor:
        """b_i, shape (b, D)."""
        return self.room[: len(self.along)]

    def __getitem__(self, rows: slice) -> "Residuals":
        start, stop, _ = rows.indices(len(self))
        return Residuals(self.room[start:], self.along[start:stop], self.scale[start:stop])

    def __len__(self) -> int:
        return len(self.along)


class Product:
    """Approximates similarities of unit rows on one device.

    Parameters
    ----------
    direction : ndarray of float64, shape (D,)
        u: of length 1, or zero.
    precision : {"bfloat16", "float32"}
        What residuals are rounded to (`eight_bits` has the third way).
    device : torch.device
        Where products are computed.
    """

    # A row with more candidates than these + 8 k is not settled by this product.
    crowded = 256
    # the float32 roundings of a residual before it is shortened
    _lost = 4 * UNIT

    def __init__(
        self, direction: NDArray[np.float64], *, precision: Precision, device: torch.device
    ) -> None:
        self.precision: Precision = precision
        self.device = device
        self.kind = KINDS[precision]
        self.width = len(direction)  # numbers a row
        self._exact, self._direction = direction, direction.astype(np.float32)
        self._own = threading.local()

    @property
    def _grow(self) -> float:
        """What lengths may miss of themselves: they are sums in float32."""
        return 1 + 2 * self.width * UNIT

    def empty(self, rows: int, *, spare: int = 0) -> Residuals:
        """Return room for the residuals of so many rows, and some behind them.

        It holds zeros: a kernel that reads beyond the end of a row, and multiplies what it finds
        there by zero, must find numbers.
        """
        width = self.width
        shape = (rows + spare, width)
        if self.device.type == "cpu":
            # rows a multiple of a page apart take each other's places in the cache
            gap = LINE // self.kind.itemsize if width * self.kind.itemsize % PAGE == 0 else 0
            # NumPy asks the system for large pages, torch does not: they are there in a fraction
            # of the time
            room = np.zeros((rows + spare, width + gap), STORED[self.kind])
            values = torch.from_numpy(room).view(self.kind)[:, :width]
        else:
            values = torch.zeros(shape, dtype=self.kind, device=self.device)
        return Residuals(values, torch.empty(rows, device=self.device))

    def prepare(
        self, unit: NDArray[np.float32], out: Residuals
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Take the mean direction out of unit rows and round what is left, into `out`.

        Returns
        -------
        tuple of ndarray of float64, shape (b,)
            Lengths |b_i| and errors e_i, each at least what it is.
        """
        rows, width = unit.shape
        lengths, errors = np.empty(rows), np.empty(rows)
        place = out
        if self.device.type != "cpu":
            place = Residuals(torch.empty(out.values.shape, dtype=self.kind), out.along)
        along = np.empty(rows, np.float32)
        step = max(1, PASS // width)
        share = max(step, -(-rows // thread_count()))

        def shorten(start: int) -> None:
            wide = np.empty((step, width))
            residual = np.empty((step, width), np.float32)
            room = np.empty((step, self.width), np.float32)
            for at in range(start, min(start + share, rows), step):
                part = slice(at, min(at + step, start + share, rows))
                some = slice(part.stop - at)
                wide[some] = unit[part]
                along[part] = row_products(wide[some], self._exact)
                np.multiply(along[part, None], self._direction, out=residual[some])
                np.subtract(unit[part], residual[some], out=residual[some])
                lengths[part], errors[part] = self._shorten(residual[some], place[part], room[some])

        with one_thread:
            in_threads(shorten, range(0, rows, share))
        out.along.copy_(torch.from_numpy(along))
        if self.device.type != "cpu":
            out.values.copy_(place.values)
        return lengths * self._grow, errors * self._grow + self._lost

    def _shorten(
        self, residual: NDArray[np.float32], out: Residuals, room: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Round some residuals into `out`; return |b_i| and |r_i - b_i|.

        `room`, float32 of shape (len(out), `width`), and the residuals may be written over.
        """
        out.values.copy_(torch.from_numpy(residual))
        torch.from_numpy(room).copy_(out.values)
        lengths = np.sqrt(row_products(room, room))
        np.subtract(residual, room, out=residual)
        return lengths, np.sqrt(row_products(residual, residual))

    def __call__(
        self, left: Residuals, right: Residuals, out: torch.Tensor, *, side: int = 0
    ) -> None:
        """Write approximate similarities, float32 of shape (len(left), len(right)), to `out`.

        With `side`, up to so many rows of both are multiplied where there are as many, and the rest
        thrown away: torch compiles its product for every new shape, which takes as long as a tile.
        """
        if self.kind is torch.float32:
            out.zero_()
            with full_float32:
                for at in range(0, left.values.shape[1], TERMS):
                    part = slice(at, at + TERMS)
                    out += left.values[:, part] @ right.values[:, part].T
        elif self.device.type == "cuda":
            out.copy_(torch.mm(left.values, right.values.T, out_dtype=torch.float32))
        else:
            near, far = (rows.room[: max(len(rows), side)] for rows in (left, right))
            products = self._room(len(near), len(far), torch.bfloat16)
            torch.mm(near, far.T, out=products)
            out.copy_(products[: len(left), : len(right)])
        # last, and once: sums that are added to a_i a_j, near 1, would be rounded to its digits
        out.addr_(left.along, right.along)

    def _room(self, rows: int, columns: int, kind: torch.dtype) -> torch.Tensor:
        """Return room for a tile of products, which the calling thread uses again and again."""
        room = getattr(self._own, "products", None)
        if room is None or len(room) < rows * columns:
            room = self._own.products = torch.empty(rows * columns, dtype=kind)
        return room[: rows * columns].view(rows, columns)

    def in_float32(self) -> "Product":
        """Return the same with float32 residuals."""
        return Product(self._exact, precision="float32", device=self.device)

    def tolerance(
        self,
        lengths: NDArray[np.float64],
        errors: NDArray[np.float64],
        others: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
    ) -> NDArray[np.float64]:
        """Return tau_i of rows, given their lengths |b_i| and errors e_i.

        Parameters
        ----------
        lengths, errors : ndarray of float64, shape (q,)
            Of the rows.
        others : two ndarrays of float64, optional
            Lengths and errors of those they are compared with; without them, what any row of
            length 1 can have.
        """
        if others is None:
            longest, worst = self._furthest()
        else:
            longest, worst = (float(values.max()) for values in others)
        return self.bound((lengths, errors), (longest, worst))

    def bound(self, own: Known, other: Known) -> NDArray[np.float64]:
        """Return by how much approximations may be wrong, given |b_i|, e_i and |b_j|, e_j."""
        (lengths, errors), (longest, worst) = own, other
        moved = errors * (longest + worst) + lengths * worst
        return np.asarray(moved + self._gamma() * lengths * longest + SLACK)

    def _furthest(self) -> tuple[float, float]:
        """Return |b_j| and e_j of whatever row of length 1, at most, as `prepare` gives them."""
        rounding = ROUNDING[self.kind]
        return (1 + 2 * rounding) * self._grow, rounding * self._grow + self._lost

    def _gamma(self) -> float:
        """Return by what share of |b_i| |b_j| their computed product may be wrong."""
        # the longest chain of float32 sums that a term passes through
        width = self.width
        terms = width if self.kind is torch.bfloat16 else min(width, TERMS) + width // TERMS + 1
        relative = terms * (TENSOR_CORE if self.device.type == "cuda" else UNIT)
        gamma = relative / (1 - relative) if relative < 0.5 else 2.0
        if self.kind is torch.bfloat16 and self.device.type != "cuda":
            gamma += OUTPUT * (1 + gamma)
        return gamma
