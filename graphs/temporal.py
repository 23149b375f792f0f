"""How communities go from one layer to the next: flow, and births, merges, splits and deaths."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphs.communities import pair_partitions
from graphs.errors import GraphError
from graphs.matching import MATCHED, Overlap

EventKind = Literal["birth", "merge", "split", "death"]

# a node alone is no community: it is not born and does not die
SMALLEST = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Flow:
    """How many nodes go from which community of a layer to which of the next one.

    Attributes
    ----------
    previous, current : ndarray of int64, shape (p,)
        The two communities of every pair that shares nodes, sorted by the first, then the second.
    count : ndarray of int64, shape (p,)
        Nodes in both.
    jaccard : ndarray of float64, shape (p,)
        Nodes in both / nodes in either.
    """

    previous: NDArray[np.int64]
    current: NDArray[np.int64]
    count: NDArray[np.int64]
    jaccard: NDArray[np.float64]


class Event(NamedTuple):
    """What happened to one community between two layers.

    Attributes
    ----------
    kind : {"birth", "merge", "split", "death"}
        What happened.
    community : int
        Which one: of the later layer for a birth or merge, of the earlier one for a split or
        death.
    size : int
        Its nodes.
    others : tuple of int
        Communities of the other layer: those that it is matched to, or, for a birth or death, the
        one that it shares most nodes with. Most shared nodes first, ties by number.
    jaccard : float
        The largest Jaccard overlap with one of them.
    """

    kind: EventKind
    community: int
    size: int
    others: tuple[int, ...]
    jaccard: float


def community_flow(previous: ArrayLike, current: ArrayLike) -> Flow:
    """Count the nodes that go from each community of a layer to each of the next one.

    Parameters
    ----------
    previous, current : array of int, shape (n,)
        Community of every node in the two layers, numbered from 0; gaps do no harm.

    Returns
    -------
    Flow
        Only the pairs that occur: what an alluvial diagram draws.

    Raises
    ------
    GraphError
        When the two do not cover the same number of nodes.

    Examples
    --------
    >>> flow = community_flow([0, 0, 0, 1], [2, 2, 0, 0])
    >>> flow.previous.tolist(), flow.current.tolist(), flow.count.tolist()
    ([0, 0, 1], [0, 2, 0], [1, 2, 1])
    >>> flow.jaccard.tolist() == [1 / 4, 2 / 3, 1 / 2]
    True
    """
    first, second = (part.astype(np.int64) for part in pair_partitions(previous, current))
    overlap = Overlap.of(first, second)
    sizes = np.bincount(first)[overlap.first] + np.bincount(second)[overlap.second]
    return Flow(
        previous=overlap.first,
        current=overlap.second,
        count=overlap.count,
        jaccard=overlap.count / (sizes - overlap.count),
    )


def community_events(
    previous: ArrayLike, current: ArrayLike, *, threshold: float = MATCHED
) -> list[Event]:
    """Find what happened to communities between two layers.

    Two communities are matched where their Jaccard overlap reaches the threshold. A community of
    the later layer that is matched to none is born, one matched to several is their merge; a
    community of the earlier layer that is matched to none dies, one matched to several splits.

    Parameters
    ----------
    previous, current : array of int, shape (n,)
        Community of every node in the two layers, numbered from 0. Communities of one node are
        left out.
    threshold : float
        Jaccard overlap from which two communities are matched, above 0 and up to 1.

    Returns
    -------
    list of Event
        Births, merges, splits, deaths; each kind in the order of community numbers.

    Raises
    ------
    GraphError
        For a threshold out of range, and when the two do not cover the same number of nodes.

    Notes
    -----
    Greene, Doyle & Cunningham 2010, "Tracking the evolution of communities in dynamic social
    networks", section 3, with their threshold 0.3. A small community that a large one takes in
    counts as a death, as it hardly changes the large one; ``others`` says where it went.

    Examples
    --------
    >>> community_events([0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 0, 0])
    [Event(kind='merge', community=0, size=6, others=(0, 1), jaccard=0.5)]
    >>> community_events([0, 0, 0, 0], [3, 3, 1, 1])
    [Event(kind='split', community=0, size=4, others=(1, 3), jaccard=0.5)]
    """
    if not 0 < threshold <= 1:
        raise GraphError(f"threshold={threshold} is no Jaccard overlap", "use 0.3")
    flow = community_flow(previous, current)
    later = _events(flow.current, flow.previous, flow, kinds=("birth", "merge"), least=threshold)
    earlier = _events(flow.previous, flow.current, flow, kinds=("death", "split"), least=threshold)
    order: tuple[EventKind, ...] = ("birth", "merge", "split", "death")
    return sorted([*later, *earlier], key=lambda event: (order.index(event.kind), event.community))


def _events(
    own: NDArray[np.int64],
    other: NDArray[np.int64],
    flow: Flow,
    *,
    kinds: tuple[EventKind, EventKind],
    least: float,
) -> list[Event]:
    """Events of the communities of one of the two layers: of none matched, of several."""
    order = np.lexsort((other, -flow.count, own))
    events = []
    for rows in np.split(order, np.flatnonzero(np.diff(own[order])) + 1):
        size = int(flow.count[rows].sum())
        matched = rows[flow.jaccard[rows] >= least]
        if size < SMALLEST or len(matched) == 1:
            continue
        told = matched if len(matched) else rows[:1]  # of births and deaths, where most nodes are
        events.append(
            Event(
                kind=kinds[1] if len(matched) else kinds[0],
                community=int(own[rows[0]]),
                size=size,
                others=tuple(other[told].tolist()),
                jaccard=float(flow.jaccard[rows].max()),
            )
        )
    return events
