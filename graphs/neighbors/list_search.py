"""Searching inverted lists with many queries at once.

FAISS reads its lists query by query. Here the queries are as many as the rows, so it pays to go
list by list: all queries that probe a list meet its rows in one matrix product. Which rows are
worth keeping is known beforehand: those at least as similar as the m-th best of the query's own
list.
"""

import threading

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from graphs.neighbors.threads import in_threads

PART_ROWS = 512  # queries of one product: they stay in the cache with their scores

LOW_31 = 0x7FFFFFFF
_LIMITED = threading.Lock()

Found = tuple[NDArray[np.float32], NDArray[np.int64]]
Kept = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]  # query, row, score
_NOTHING: Kept = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))


class Lists:
    """Unit rows sorted by the list that each belongs to.

    Parameters
    ----------
    unit : ndarray of float32, shape (n, D)
        Unit rows.
    own : ndarray of int, shape (n,)
        List of every row.
    count : int
        How many lists there are.
    """

    def __init__(self, unit: NDArray[np.float32], own: NDArray[np.int64], count: int) -> None:
        self._order = np.argsort(own, kind="stable")
        self._rows = unit[self._order]
        self._sizes = np.bincount(own, minlength=count)
        self._bounds = np.cumsum(self._sizes) - self._sizes

    def search(self, queries: NDArray[np.float32], probes: NDArray[np.int64], m: int) -> Found:
        """Find the m best rows of every query in the lists that it probes.

        Parameters
        ----------
        queries : ndarray of float32, shape (q, D)
            Unit rows.
        probes : ndarray of int, shape (q, p)
            Different lists for every query, the nearest first.
        m : int
            Rows a query.

        Returns
        -------
        tuple of ndarray
            Scores float32 and rows int64, shape (q, m), best first; ``-inf`` and -1 where the
            lists hold fewer.
        """
        floor = np.full(len(queries), -np.inf, np.float32)
        # the limit is the whole process's: two searches that begin and end in turns would keep it
        with _LIMITED, threadpool_limits(1, user_api="blas"):
            # the nearest list first: what it holds says what the others have to beat
            near = self._pass(queries, probes[:, :1], floor, raise_to=m)
            far = self._pass(queries, probes[:, 1:], floor)
        return _best([*near, *far], len(queries), m)

    def _pass(
        self,
        queries: NDArray[np.float32],
        probes: NDArray[np.int64],
        floor: NDArray[np.float32],
        *,
        raise_to: int | None = None,
    ) -> list[Kept]:
        """Keep what reaches each query's floor, raised before to the m-th best of a list."""
        # by list: the queries that probe it
        flat = probes.ravel()
        # NumPy sorts integers of 16 bits by counting
        short = flat.astype(np.uint16) if len(self._sizes) <= 2**16 else flat
        order = np.argsort(short, kind="stable") // max(1, probes.shape[1])
        cuts = np.concatenate(([0], np.cumsum(np.bincount(flat, minlength=len(self._sizes)))))
        tasks = [
            (number, at)
            for number in np.flatnonzero(self._sizes)
            for at in range(cuts[number], cuts[number + 1], PART_ROWS)
        ]
        kept: list[Kept] = [_NOTHING] * len(tasks)

        def compare(place: int) -> None:
            number, at = tasks[place]
            low, size = self._bounds[number], self._sizes[number]
            mine = order[at : min(at + PART_ROWS, cuts[number + 1])]
            scores = queries[mine] @ self._rows[low : low + size].T
            if raise_to is not None and size >= raise_to:
                floor[mine] = np.partition(scores, size - raise_to, axis=1)[:, size - raise_to]
            found = np.flatnonzero(scores >= floor[mine][:, None])
            left, right = np.divmod(found, size)
            kept[place] = (mine[left], self._order[low + right], scores.ravel()[found])

        in_threads(compare, range(len(tasks)))
        return kept


def _best(kept: list[Kept], count: int, m: int) -> Found:
    """Keep the m best rows of every query."""
    query, row, score = (np.concatenate(side) for side in zip(_NOTHING, *kept, strict=True))
    # one integer: the query, and its score so that the best comes first
    bits = score.view(np.int32).astype(np.int64)
    falling = np.where(bits >= 0, LOW_31 - bits, LOW_31 + (bits & LOW_31))
    order = np.argsort((query << 32) + falling)
    query = query[order]
    starts = np.concatenate(([0], np.cumsum(np.bincount(query, minlength=count))))
    rank = np.arange(len(query)) - starts[query]
    taken = rank < m
    place = (query[taken], rank[taken])
    scores = np.full((count, m), -np.inf, np.float32)
    rows = np.full((count, m), -1, np.int64)
    scores[place], rows[place] = score[order[taken]], row[order[taken]]
    return scores, rows
