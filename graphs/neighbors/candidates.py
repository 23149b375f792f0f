"""What may be a neighbour: every approximate similarity within reach of its row's k-th best.

Let A be the k-th best approximation of a row among those seen, each within tau of the truth. The
row's true k-th best similarity is at least A - tau, so a row approximated below A - 2 tau is no
neighbour. That line, the *floor*, rises while tiles are seen; what lies above it is kept.

A is found cheaply: a tile is cut into groups of columns, and the k-th best of the groups' maxima is
a lower bound for the k-th best of all, hardly ever below it by much.

Tiles are multiplied by several threads, each alone on its tile: a product that threads share makes
them wait for each other. What lies above the floors is taken from the tiles in their order, so that
the same is kept in every run.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from graphs.neighbors.low_precision import Product, Residuals
from graphs.neighbors.threads import thread_count
from graphs.neighbors.torch_settings import one_thread

# Rows and columns of a tile of bfloat16 products: half of it where there are few tiles for threads.
TILE_ROWS = 1024
MANY = 8
# where products are in float32 or on a GPU
WIDE_COLUMNS = 4096
EVEN = 32  # a product takes numbers of rows that are multiples of this best
GROUPS = 8  # groups of a tile's columns, at least, for each of the k best that are looked for
MULTIPLIERS = 4  # threads with tiles of their own, at most: more would wait for who takes from them
# Where a product's number of candidates for every row does not fit, fewer do, but never fewer than
# so many beyond k.
LEAST = 16
# how often a row may be crowded on the way: its floor may rise above what crowds it
PATIENCE = 4
# entries kept before those that have fallen below their floors are let go
KEPT_A_ROW = 64


@dataclass(frozen=True, eq=False)
class _Tile:
    """Which rows are compared, and with which: the first of each, and their residuals."""

    first: int
    left: Residuals
    other: int
    right: Residuals

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.left), len(self.right)


@dataclass(frozen=True, eq=False)
class _Computed:
    """A tile of approximate similarities, with the maxima of groups of its columns and rows."""

    tile: _Tile
    room: torch.Tensor
    values: torch.Tensor
    of_rows: torch.Tensor
    of_columns: torch.Tensor | None


class Candidates:
    """Pairs of rows within reach, collected tile by tile.

    Parameters
    ----------
    tolerance : Tensor of float32, shape (n,)
        tau of each row; those of a tile must be there when the tile is computed.
    k : int
        Neighbours a row.
    product : Product
        Where approximate similarities come from.
    tile_bytes : int
        What one tile of similarities may take; a few times that is used.
    kept : int, optional
        Pairs that may be kept before those out of reach are let go; twice that for a moment. More
        only where k + 16 for every row are more.
    """

    def __init__(
        self,
        tolerance: torch.Tensor,
        *,
        k: int,
        product: Product,
        tile_bytes: int,
        kept: int | None = None,
    ) -> None:
        n = len(tolerance)
        self._k, self._product, self._tolerance = k, product, tolerance
        self._best = torch.full((n, k), -torch.inf, device=product.device)
        self._open = torch.ones(n, dtype=torch.bool, device=product.device)
        self._entries: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
        self._count = 0
        self._crowds = torch.zeros(n, dtype=torch.int8, device=product.device)
        # the best that a crowded row has let go
        self._lost = torch.full((n,), -torch.inf, device=product.device)
        self._kept = max(1 << 16, (KEPT_A_ROW + 8 * k) * n if kept is None else kept)
        self._crowd = product.crowded + 8 * k
        if kept is not None:
            self._crowd = min(self._crowd, max(k + LEAST, self._kept // n))
        self._threads = 1 if product.device.type == "cuda" else min(MULTIPLIERS, thread_count())
        # one more is being taken from
        numbers = max(16, tile_bytes // (4 * (self._threads + 1)))
        self._rows = min(tile_side(n), max(4, int(numbers**0.5)))
        self._columns = self._rows
        if product.kind is torch.float32 or product.device.type == "cuda":
            self._columns = max(4, min(WIDE_COLUMNS, numbers // self._rows))
        self._free: deque[torch.Tensor] = deque()

    def close(self, rows: torch.Tensor) -> None:
        """Collect nothing for some rows, given as a mask of shape (n,)."""
        self._open &= ~rows

    def within(self, first: int, block: Residuals) -> None:
        """Take in all pairs of rows of one block, whose first row is `first`: upper triangle."""

        def tiles() -> Iterator[_Tile]:
            for low in range(0, len(block), self._rows):
                high = min(low + self._rows, len(block))
                yield _Tile(first + low, block[low:high], first + low, block[low:high])
                yield from self._strip(first + low, block[low:high], first + high, block[high:])

        self._take(tiles())

    def across(self, first: int, left: Residuals, other: int, right: Residuals) -> None:
        """Take in all pairs of a row of `left` and a row of `right`, another block."""
        self._take(
            tile
            for low in range(0, len(left), self._rows)
            for tile in self._strip(first + low, left[low : low + self._rows], other, right)
        )

    def collect(self) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
        """Return rows, candidates and approximations, sorted by row, best approximation first."""
        self._compact()
        # what a crowded row has let go does not matter where its floor rose above it
        floor = self._floor(slice(0, len(self._lost)))
        self.close((self._lost >= floor) & self._lost.isfinite())
        kept = self._open[self._entries[0][0]]
        rows, columns, values = (part[kept].cpu().numpy() for part in self._entries[0])
        order = np.lexsort((-values, rows))
        return rows[order], columns[order], values[order]

    @property
    def crowded(self) -> NDArray[np.bool_]:
        """Rows that were closed, shape (n,)."""
        closed: NDArray[np.bool_] = (~self._open).cpu().numpy()
        return closed

    @property
    def reached(self) -> NDArray[np.float32]:
        """Similarity that the k-th best of each row is known to reach, shape (n,)."""
        known: NDArray[np.float32] = (self._best[:, -1] - self._tolerance).cpu().numpy()
        return known

    def _strip(self, first: int, left: Residuals, other: int, right: Residuals) -> Iterator[_Tile]:
        for low in range(0, len(right), self._columns):
            yield _Tile(first, left, other + low, right[low : low + self._columns])

    def _take(self, tiles: Iterable[_Tile]) -> None:
        """Compute tiles and keep what is within reach."""
        if self._threads == 1:
            for tile in tiles:
                self._keep(self._compute(tile, self._room()))
            return
        coming: deque[Future[_Computed]] = deque()
        with one_thread, ThreadPoolExecutor(self._threads, initializer=_share_threads) as pool:
            for tile in tiles:
                if len(coming) > self._threads:
                    self._keep(coming.popleft().result())
                coming.append(pool.submit(self._compute, tile, self._room()))
            for computed in coming:
                self._keep(computed.result())

    def _room(self) -> torch.Tensor:
        """Return room for a tile: fresh memory would cost more than what is done with it."""
        if self._free:
            return self._free.popleft()
        return torch.empty(self._rows * self._columns, device=self._product.device)

    def _compute(self, tile: _Tile, room: torch.Tensor) -> _Computed:
        rows, columns = tile.shape
        values = room[: rows * columns].view(rows, columns)
        self._product(tile.left, tile.right, values, side=self._rows)
        if tile.first == tile.other:
            values.fill_diagonal_(-torch.inf)
            return _Computed(tile, room, values, group_maxima(values, self._k, dim=1), None)
        of_rows, of_columns = (group_maxima(values, self._k, dim=dim) for dim in (1, 0))
        return _Computed(tile, room, values, of_rows, of_columns.T)

    def _keep(self, computed: _Computed) -> None:
        """Keep what is within reach of a tile's rows and of its columns."""
        first, other, values = computed.tile.first, computed.tile.other, computed.values
        wide = values.shape[1]
        rows, columns = slice(first, first + len(values)), slice(other, other + wide)
        self._raise(rows, computed.of_rows)
        if computed.of_columns is None:
            mine = self._floor(rows)
            theirs = torch.full_like(mine, torch.inf)
        else:
            self._raise(columns, computed.of_columns)
            mine, theirs = self._floor(rows), self._floor(columns)
        place = _places(values, mine, theirs)
        found = values.view(-1)[place]
        left = place.div(wide, rounding_mode="floor")
        right = place - left * wide
        self._add(left + first, right + other, found, found >= mine[left])
        self._add(right + other, left + first, found, found >= theirs[right])
        self._free.append(computed.room)
        if self._count > self._kept:
            self._compact()

    def _add(
        self, rows: torch.Tensor, others: torch.Tensor, values: torch.Tensor, some: torch.Tensor
    ) -> None:
        self._entries.append((rows[some].int(), others[some].int(), values[some]))
        self._count += len(self._entries[-1][0])

    def _raise(self, rows: slice, maxima: torch.Tensor) -> None:
        best = self._best[rows]
        rising = (maxima.amax(dim=1) > best[:, -1]).nonzero()[:, 0]
        if len(rising):
            both = torch.cat((best[rising], maxima[rising]), dim=1)
            best[rising] = both.topk(self._k, dim=1).values

    def _floor(self, rows: slice) -> torch.Tensor:
        floor = self._best[rows, -1] - 2 * self._tolerance[rows]
        # a row with fewer than k others reaches for everything, but not for itself, which is -inf
        floor.clamp_(min=torch.finfo(floor.dtype).min)
        return floor.masked_fill_(~self._open[rows], torch.inf)

    def _compact(self) -> None:
        """Let go of what has fallen below its floor, and of all that a crowded row has.

        A row that is crowded again and again is closed.
        """
        rows, columns, values = (torch.cat(parts) for parts in zip(*self._entries, strict=True))
        self._entries = []
        everyone = slice(0, len(self._open))
        kept = values >= self._floor(everyone)[rows]
        rows, columns, values = rows[kept], columns[kept], values[kept]
        crowded = torch.bincount(rows, minlength=len(self._open)) > self._crowd
        if crowded.any():
            let_go = crowded[rows]
            self._lost.scatter_reduce_(0, rows[let_go].long(), values[let_go], "amax")
            rows, columns, values = rows[~let_go], columns[~let_go], values[~let_go]
            self._crowds += crowded
            self.close(self._crowds >= PATIENCE)
        self._entries = [(rows, columns, values)]
        self._count = len(rows)
        self._kept = max(self._kept, 2 * self._count)


def _share_threads() -> None:
    """Have torch take, in the calling thread, its share of the threads."""
    torch.set_num_threads(max(1, thread_count() // MULTIPLIERS))


def tile_side(n: int) -> int:
    """Return how many rows a tile has, so that n of them fill whole tiles as far as may be.

    Examples
    --------
    >>> tile_side(10_000), tile_side(2000), tile_side(1600)
    (1024, 512, 416)
    """
    side = TILE_ROWS if n >= MANY * TILE_ROWS else TILE_ROWS // 2
    tiles = -(-n // side)
    return -(-n // (tiles * EVEN)) * EVEN


def _places(tile: torch.Tensor, of_rows: torch.Tensor, of_columns: torch.Tensor) -> torch.Tensor:
    """Return where a tile reaches the floor of its row or of its column, as flat positions."""
    if tile.device.type == "cpu":  # NumPy compares and counts three times as fast as torch
        values = tile.numpy()
        within = values >= of_rows.numpy()[:, None]
        within |= values >= of_columns.numpy()
        return torch.from_numpy(np.flatnonzero(within))
    return ((tile >= of_rows[:, None]) | (tile >= of_columns)).view(-1).nonzero()[:, 0]


def group_maxima(tile: torch.Tensor, k: int, *, dim: int) -> torch.Tensor:
    """Return the maxima of groups of rows (dim 0) or of columns (dim 1) of a tile.

    Parameters
    ----------
    tile : Tensor of float32, shape (r, c)
        Numbers.
    k : int
        How many groups are needed; there are many more where there is room, so that the k best
        are rarely in one.
    dim : int
        What is cut into groups.

    Returns
    -------
    Tensor of float32, shape (groups, c) or (r, groups)

    Examples
    --------
    >>> group_maxima(torch.tensor([[1.0, 5.0, 2.0]]), 1, dim=1)
    tensor([[1., 5., 2.]])
    """
    # folded again and again: halves lie one after the other in memory, small groups do not
    while tile.shape[dim] >= 2 * GROUPS * k:
        length, half = tile.shape[dim], tile.shape[dim] // 2
        folded = torch.maximum(tile.narrow(dim, 0, half), tile.narrow(dim, half, half))
        if length % 2:
            folded = torch.cat((folded, tile.narrow(dim, length - 1, 1)), dim=dim)
        tile = folded
    return tile
