"""The steps of the engine `certified`, and how they are cut to fit into a budget."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from graphs.errors import ResourceError
from graphs.neighbors.candidates import Candidates, tile_side
from graphs.neighbors.knn_graph import CERTIFIED, RECOMPUTED, REPAIRED, Metric
from graphs.neighbors.low_precision import Product, Residuals
from graphs.neighbors.measuring import measure_pairs
from graphs.neighbors.reading import UnitBlocks
from graphs.neighbors.repair import Repair
from graphs.neighbors.rows import Rows

BLOCK_BYTES = 64 << 20
TILE_BYTES = 24 << 20
TILE_ROWS = 512
# of a candidate: two rows and a similarity, and what sorting and measuring pairs takes beside them
ENTRY_BYTES = 96


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How the work is cut so that it stays within a budget.

    Attributes
    ----------
    whole : bool
        Whether all unit rows stay in memory, so that nothing is read twice.
    low_rows : int
        Rows whose residuals stay in memory at a time.
    exact_rows : int
        Unit rows that stay in memory while pairs are measured.
    block_rows : int
        Rows read at a time.
    tile_bytes : int
        One tile of approximate similarities.
    kept : int or None
        Candidates kept at a time, over all rows; None for as many as are good for speed.
    """

    whole: bool
    low_rows: int
    exact_rows: int
    block_rows: int
    tile_bytes: int
    kept: int | None = None


def plan_blocks(n: int, width: int, *, low_bytes: int, memory: int | None) -> Plan:
    """Cut the work on n rows of `width` features.

    A tile and its copies get a sixteenth of the budget each, the four blocks being read a
    sixteenth together, residuals or unit rows up to five eighths, the lists of candidates a third,
    most of it once residuals are gone. The lists grow beyond that where k + 16 for each of n rows
    are more.

    Parameters
    ----------
    n, width : int
        Rows, and features a row.
    low_bytes : int
        Bytes a feature of a residual.
    memory : int or None
        Bytes; None for no limit.

    Examples
    --------
    >>> plan_blocks(50_000, 16_384, low_bytes=2, memory=4 << 30).low_rows
    50000
    """
    if memory is None:
        block = max(1, min(n, BLOCK_BYTES // (4 * width)))
        return Plan(whole=True, low_rows=n, exact_rows=n, block_rows=block, tile_bytes=TILE_BYTES)
    room = memory * 5 // 8
    block = max(1, min(n, BLOCK_BYTES // (4 * width), memory // (64 * 4 * width)))
    return Plan(
        whole=n * width * (4 + low_bytes) <= room,
        low_rows=max(1, min(n, room // (low_bytes * width))),
        exact_rows=max(1, min(n, room // (4 * width))),
        block_rows=block,
        tile_bytes=max(1 << 10, min(TILE_BYTES, memory // 16)),
        kept=memory // (3 * ENTRY_BYTES),
    )


class Certification:
    """The steps, and what they hand on.

    Parameters
    ----------
    rows : Rows
        Features, shape (n, D).
    k : int
        Neighbours a row.
    metric : {"cosine", "pearson"}
        Similarity.
    product : Product
        Where approximate similarities come from.
    plan : Plan
        How the work is cut.
    split : int, optional
        Compare only rows before it with rows from it on.

    Attributes
    ----------
    indices, weights : ndarray, shape (n, k)
        The neighbours, after all steps; -1 and ``-inf`` where there are fewer than k.
    zero : ndarray of bool, shape (n,)
        Rows without a direction.
    effort : ndarray of uint8, shape (n,)
        How each row was settled: `CERTIFIED`, `REPAIRED` or `RECOMPUTED`.
    """

    def __init__(
        self,
        rows: Rows,
        k: int,
        *,
        metric: Metric,
        product: Product,
        plan: Plan,
        split: int | None = None,
    ) -> None:
        self.n, self.width = rows.shape
        self.k, self.rows, self.metric = k, rows, metric
        self.product, self.plan = product, plan
        self.effort = np.full(self.n, CERTIFIED, np.uint8)
        self.split = split

    def halve(self, error: Exception) -> None:
        """After a device ran out of memory: half as much of everything."""
        plan = self.plan
        if plan.low_rows == 1:
            raise ResourceError(
                f"the GPU has no room for rows of {self.width} features",
                "use --device cpu, or --pool",
            ) from error
        torch.cuda.empty_cache()
        self.plan = replace(
            plan,
            low_rows=max(1, plan.low_rows // 2),
            block_rows=max(1, plan.block_rows // 2),
            tile_bytes=max(1 << 10, plan.tile_bytes // 4),
            kept=None if plan.kept is None else plan.kept // 2,
        )

    def approximate(self) -> None:
        """Find what may be a neighbour (step 1)."""
        self.lengths, self.errors = np.zeros(self.n), np.zeros(self.n)
        self.zero = np.zeros(self.n, bool)
        self.unit = np.empty((self.n, self.width), np.float32) if self.plan.whole else None
        self.tolerance = torch.zeros(self.n, device=self.product.device)
        self.found = Candidates(
            self.tolerance,
            k=self.k,
            product=self.product,
            tile_bytes=self.plan.tile_bytes,
            kept=self.plan.kept,
        )
        # whole tiles: what lies behind the last row is multiplied and thrown away
        spare = -self.n % tile_side(self.n) if self.plan.low_rows == self.n else 0
        room = self.product.empty(self.plan.low_rows, spare=spare)
        streamed = self.product.empty(self.plan.block_rows if len(room) < self.n else 0)
        for first in range(0, self.n, self.plan.low_rows):
            last = min(first + self.plan.low_rows, self.n)
            kept = None if self.unit is None else self.unit[first:last]
            for at, unit in self._blocks.read(first, last, out=kept):
                self._prepare(at, unit, room[at - first : at - first + len(unit)])
            self._judge(first, last)
            self._compare(first, room[: last - first])
            for at, unit in self._blocks.read(last, self.n):
                self._prepare(at, unit, streamed[: len(unit)])
                self._judge(at, at + len(unit))
                self._compare(first, room[: last - first], at, streamed[: len(unit)])
        # here, as the lists lie on the device, which may be too small for their sorting
        self.pairs = self.found.collect()
        self.crowded, self.reached = self.found.crowded, self.found.reached
        del self.found

    def _compare(
        self, first: int, block: Residuals, at: int = 0, other: Residuals | None = None
    ) -> None:
        """Take in the pairs within a block, or between two, as far as they lie across the split."""
        if self.split is not None:
            # rows before the split, against those from it on
            far, start = (block, first) if other is None else (other, at)
            near, skip = block[: max(0, self.split - first)], max(0, self.split - start)
            self.found.across(first, near, start + skip, far[skip:])
        elif other is None:
            self.found.within(first, block)
        else:
            self.found.across(first, block, at, other)

    def _prepare(self, at: int, unit: NDArray[np.float32], out: Residuals) -> None:
        part = slice(at, at + len(unit))
        self.lengths[part], self.errors[part] = self.product.prepare(unit, out)
        self.zero[part] = ~unit.any(axis=1)

    def _judge(self, start: int, stop: int) -> None:
        """Work out the tolerance of some rows; rows without a direction need no candidates."""
        part = slice(start, stop)
        known = (self.lengths, self.errors) if stop - start == self.n else None
        tolerance = self.product.tolerance(self.lengths[part], self.errors[part], known)
        self.tolerance[part] = torch.from_numpy(tolerance)
        self.found.close(torch.from_numpy(self.zero).to(self.product.device))

    @property
    def _blocks(self) -> UnitBlocks:
        return UnitBlocks(self.rows, self.plan.block_rows, self.metric)

    def measure(self) -> None:
        """Measure what may be a neighbour exactly (step 2)."""
        rows, others, approximate = self.pairs
        del self.pairs
        starts = np.searchsorted(rows, np.arange(self.n))
        first = np.arange(len(rows)) - starts[rows] < self.k
        similarity = np.full(len(rows), -np.inf, np.float32)
        # the k best approximations first: their exact similarities say what is out of reach
        similarity[first] = self._exact(rows[first], others[first])
        least = np.full(self.n, np.inf, np.float32)
        np.minimum.at(least, rows[first], similarity[first])
        # of a pair, more is known than of a row against any other
        known = [(self.lengths[some], self.errors[some]) for some in (rows, others)]
        second = ~first & (approximate >= least[rows] - self.product.bound(*known))
        similarity[second] = self._exact(rows[second], others[second])
        kept = first | second
        self._choose(rows[kept], others[kept], similarity[kept])

    def _choose(
        self, rows: NDArray[np.int32], others: NDArray[np.int32], similarity: NDArray[np.float32]
    ) -> None:
        """Take the k best of every row."""
        order = np.lexsort((others, -similarity, rows))
        rows = rows[order]
        rank = np.arange(len(rows)) - np.searchsorted(rows, np.arange(self.n))[rows]
        chosen = rank < self.k
        self.indices = np.full((self.n, self.k), -1, np.int32)
        self.weights = np.full((self.n, self.k), -np.inf, np.float32)
        place = (rows[chosen], rank[chosen])
        self.indices[place] = others[order][chosen]
        self.weights[place] = similarity[order][chosen]

    def _exact(self, rows: NDArray[np.int32], others: NDArray[np.int32]) -> NDArray[np.float32]:
        return measure_pairs(
            (rows, others), self._blocks, held_rows=self.plan.exact_rows, whole=self.unit
        )

    def repair(self) -> None:
        """Settle the rows that have too many candidates (step 3)."""
        rows = np.flatnonzero(self.crowded & ~self.zero)
        cut = self.split
        sides = [(rows, range(self.n))]
        if cut is not None:
            sides = [(rows[rows < cut], range(cut, self.n)), (rows[rows >= cut], range(cut))]
        product = self.product.in_float32()
        # a row is held as a unit vector and as a residual
        size = max(1, self.plan.exact_rows // 2)
        for side, among in sides:
            first = 0
            while first < len(side):
                try:
                    self._repair(side[first : first + size], among, product)
                    first += size
                except torch.OutOfMemoryError as error:
                    self.halve(error)
                    size = max(1, size // 2)

    def _repair(self, rows: NDArray[np.intp], among: range, product: Product) -> None:
        unit = self._gather(rows)
        mine, theirs = product.empty(len(rows)), product.empty(self.plan.block_rows)
        own_lengths, own_errors = product.prepare(unit, mine)
        work = Repair(rows, unit, self.reached[rows], k=self.k)
        high = max(1, min(TILE_ROWS, int((self.plan.tile_bytes // 4) ** 0.5)))
        wide = max(1, self.plan.tile_bytes // (4 * high))
        for at, base in self._blocks.read(among.start, among.stop):
            other = theirs[: len(base)]
            lengths, errors = product.prepare(base, other)
            tolerance = product.tolerance(own_lengths, own_errors, (lengths, errors))
            for left in range(0, len(base), wide):
                near, far = base[left : left + wide], other[left : left + wide]
                for top in range(0, len(rows), high):
                    part = slice(top, top + high)
                    tile = torch.empty((len(mine[part]), len(far)), device=product.device)
                    product(mine[part], far, tile)
                    work.add(part, at + left, near, (tile.cpu().numpy(), tolerance[part]))
        self.indices[rows], self.weights[rows] = work.indices, work.weights
        self.effort[rows] = np.where(work.dense, RECOMPUTED, REPAIRED)

    def _gather(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return the unit vectors of some rows, in rising order."""
        if self.unit is not None:
            return self.unit[rows]
        held = np.empty((len(rows), self.width), np.float32)
        for at, unit in self._blocks.read(int(rows[0]), int(rows[-1]) + 1):
            some = slice(*np.searchsorted(rows, (at, at + len(unit))))
            held[some] = unit[rows[some] - at]
        return held

    def settle_zero_rows(self) -> None:
        """Give rows without a direction the first others: all are equally similar to them."""
        own, first = np.flatnonzero(self.zero), np.arange(self.k)
        if self.split is None:
            there = first + (first >= own[:, None])
            room = np.full(len(own), self.n)
        else:
            low = np.where(own < self.split, self.split, 0)
            there = first + low[:, None]
            room = np.where(own < self.split, self.n, self.split)
        inside = there < room[:, None]
        self.indices[own] = np.where(inside, there, -1)
        self.weights[own] = np.where(inside, 0.0, -np.inf)
