"""The best approximate similarities of every row, kept while tiles of them are computed."""

import torch

from graphs.neighbors.low_precision import Product, Residuals

TILE_ROWS = 1024
TILE_COLUMNS = 4096


class Shortlist:
    """The m best candidates of each of n rows.

    Parameters
    ----------
    n, m : int
        Rows, and candidates kept of each.
    product : Product
        Where approximate similarities come from.
    tile_bytes : int
        What one tile of similarities may take; it is held about three times.

    Attributes
    ----------
    values : Tensor of float32, shape (n, m)
        Approximate similarities, highest first; ``-inf`` where there is none.
    indices : Tensor of int64, shape (n, m)
        Whose they are.
    """

    def __init__(self, n: int, m: int, product: Product, *, tile_bytes: int) -> None:
        self._product = product
        self.values = torch.full((n, m), -torch.inf, device=product.device)
        self.indices = torch.zeros((n, m), dtype=torch.int64, device=product.device)
        entries = max(16, tile_bytes // 4)
        self._rows = max(4, min(TILE_ROWS, int(entries**0.5)))
        self._columns = max(4, min(TILE_COLUMNS, entries // self._rows))

    def within(self, first: int, block: Residuals) -> None:
        """Take in all pairs of rows of one block, whose first row is `first`: upper triangle."""
        for low in range(0, len(block), self._rows):
            high = min(low + self._rows, len(block))
            self._take(first + low, block[low:high], first + low, block[low:high])
            self._strip(first + low, block[low:high], first + high, block[high:])

    def across(self, first: int, left: Residuals, other: int, right: Residuals) -> None:
        """Take in all pairs of a row of `left` and a row of `right`, another block."""
        for low in range(0, len(left), self._rows):
            part = left[low : low + self._rows]
            self._strip(first + low, part, other, right)

    def _strip(self, first: int, left: Residuals, other: int, right: Residuals) -> None:
        for low in range(0, len(right), self._columns):
            self._take(first, left, other + low, right[low : low + self._columns])

    def _take(self, first: int, left: Residuals, other: int, right: Residuals) -> None:
        """Compute one tile and keep what is best of it: for its rows and, transposed, columns."""
        m = self.values.shape[1]
        wide = torch.empty((len(left), m + len(right)), device=self._product.device)
        tile = wide[:, m:]
        self._product(left, right, tile)
        if first == other:
            tile.fill_diagonal_(-torch.inf)
        else:
            high = torch.empty((len(right), m + len(left)), device=self._product.device)
            high[:, m:] = tile.T
            self._keep(other, high, first)
        self._keep(first, wide, other)

    def _keep(self, first: int, wide: torch.Tensor, other: int) -> None:
        """Keep the best of what was kept and a tile, whose columns begin at row `other`."""
        m = self.values.shape[1]
        rows = slice(first, first + len(wide))
        wide[:, :m] = self.values[rows]
        values, places = wide.topk(m, dim=1)
        old = self.indices[rows].gather(1, places.clamp(max=m - 1))
        self.indices[rows] = torch.where(places < m, old, places + (other - m))
        self.values[rows] = values
