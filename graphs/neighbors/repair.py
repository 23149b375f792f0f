"""Rows that candidates could not settle: measured against every row, exactly."""

import numpy as np
from numpy.typing import NDArray

from graphs.neighbors.select import best, exact_similarities, to_similarity

TILE_BYTES = 16 << 20
DENSE = 8  # a row with more than 1 / DENSE of a tile within reach is measured against all of it


class Repair:
    """The k best of some rows, found block by block among all.

    A float32 product with error at most tau says which rows may still be among the k best:
    those above the k-th best so far less tau. They are measured exactly.

    Parameters
    ----------
    rows : ndarray of int, shape (q,)
        Which rows.
    unit : ndarray of float32, shape (q, D)
        The rows themselves.
    floor : ndarray of float32, shape (q,)
        A similarity that the k-th best is known to reach; ``-inf`` where nothing is known.
    k : int
        Neighbours a row.

    Attributes
    ----------
    indices, weights : ndarray, shape (q, k)
        The best so far, most similar first.
    dense : ndarray of bool, shape (q,)
        Rows that had to be measured against whole tiles.
    """

    def __init__(
        self,
        rows: NDArray[np.intp],
        unit: NDArray[np.float32],
        floor: NDArray[np.float32],
        *,
        k: int,
    ) -> None:
        self.rows, self._unit, self._floor = rows, unit, floor
        # Starts with k places that any real row beats.
        self.indices = np.full((len(rows), k), -1, np.int32)
        self.weights = np.full((len(rows), k), -np.inf, np.float32)
        self.dense = np.zeros(len(rows), bool)

    def add(
        self,
        part: slice,
        at: int,
        base: NDArray[np.float32],
        approximation: tuple[NDArray[np.float32], NDArray[np.float64]],
    ) -> None:
        """Take in a tile: some of the rows against a block of unit rows.

        Parameters
        ----------
        part : slice
            Which of the rows, q of them.
        at : int
            First row of the block.
        base : ndarray of float32, shape (b, D)
            The block.
        approximation : tuple of ndarray
            Approximate similarities, float32 of shape (q, b), which is changed, and what they may
            be wrong by, float64 of shape (q,).
        """
        approximate, tolerance = approximation
        mine = self.rows[part] - at
        inside = np.flatnonzero((mine >= 0) & (mine < len(base)))
        approximate[inside, mine[inside]] = -np.inf
        known = np.maximum(self._floor[part], self.weights[part, -1])
        k = self.weights.shape[1]
        if k < len(base):
            # the k-th best of this block alone is a lower bound, too
            here = -np.partition(-approximate, k - 1, axis=1)[:, k - 1]
            known = np.maximum(known, here - tolerance)
        possible = approximate >= (known - tolerance)[:, None]
        possible[inside, mine[inside]] = False
        counts = possible.sum(axis=1)
        many = counts * DENSE > len(base)
        offset = part.start
        self.dense[part] |= many
        few = np.flatnonzero((counts > 0) & ~many)
        self._add_pairs(at, base, possible[few], few + offset)
        self._add_dense(at, base, np.flatnonzero(many) + offset)

    def _add_pairs(
        self,
        at: int,
        base: NDArray[np.float32],
        possible: NDArray[np.bool_],
        which: NDArray[np.intp],
    ) -> None:
        if not len(which):
            return
        left, right = np.nonzero(possible)
        counts = np.bincount(left, minlength=len(which))
        place = np.arange(len(left)) - np.repeat(np.cumsum(counts) - counts, counts)
        weights = np.full((len(which), int(counts.max())), -np.inf, np.float32)
        indices = np.full(weights.shape, -1, np.int64)
        weights[left, place] = exact_similarities(self._unit, base, (which[left], right))
        indices[left, place] = right + at
        self._merge(which, indices, weights)

    def _add_dense(self, at: int, base: NDArray[np.float32], which: NDArray[np.intp]) -> None:
        side = max(1, TILE_BYTES // (8 * base.shape[1]))
        for low in range(0, len(base) if len(which) else 0, side):
            part = base[low : low + side].astype(np.float64)
            columns = np.arange(at + low, at + low + len(part))
            # a tile of similarities, with what choosing needs beside each
            height = max(1, min(side, TILE_BYTES // (40 * len(part))))
            for top in range(0, len(which), height):
                some = which[top : top + height]
                tile = to_similarity(self._unit[some].astype(np.float64) @ part.T)
                tile[self.rows[some][:, None] == columns] = -np.inf
                self._merge(some, np.broadcast_to(columns, tile.shape), tile)

    def _merge(
        self, which: NDArray[np.intp], indices: NDArray[np.integer], weights: NDArray[np.float32]
    ) -> None:
        indices = np.concatenate((self.indices[which], indices), axis=1)
        weights = np.concatenate((self.weights[which], weights), axis=1)
        self.indices[which], self.weights[which] = best(weights, indices, self.weights.shape[1])
