"""Measuring the layers of stage 3, here or on a cluster.

On a cluster a task measures a layer, another matches it to the layer before.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from graphs.measures import LayerMeasures
from pipeline.cluster import Cluster, Ref
from pipeline.graph_sets import GraphSet


def measure_here(sets: Sequence[GraphSet]) -> Iterator[None]:
    """Measure the layers of all node sets on this machine; give None for each layer."""
    for graphs in sets:
        for position in range(len(graphs.layers)):
            graphs.measure(position)
            yield


def measure_on_cluster(cluster: Cluster, sets: Sequence[GraphSet]) -> Iterator[None]:
    """Measure the layers of all node sets that are not measured yet; give None for each layer.

    Raises
    ------
    StratagraphError
        What a task raised, or when its process died too often.
    """
    starts = []
    for graphs in sets:
        chain = _Chain(cluster, graphs)
        for position in range(len(graphs.layers)):
            if graphs.is_measured(position):
                yield None
            else:
                starts.append(chain.link(position))
    for _ in cluster.collect(starts, limit=2 * cluster.workers):
        yield None


class _Chain:
    """The layers of one node set, begun in their order: matching needs the layer before."""

    def __init__(self, cluster: Cluster, graphs: GraphSet) -> None:
        self._cluster, self._graphs = cluster, graphs
        self._shared: Ref | None = None
        self._matched: dict[int, Ref] = {}

    def link(self, position: int) -> Callable[[], list[Ref]]:
        """Return what submits the tasks of one layer."""

        def start() -> list[Ref]:
            self._shared = self._shared or self._cluster.share(self._graphs)
            measures = self._cluster.submit(measure_alone, self._shared, position)
            previous = self._matched.pop(position - 1, None)
            matched = self._cluster.submit(keep, self._shared, position, measures, previous)
            self._matched[position] = matched
            return [measures, matched]

        return start


def measure_alone(graphs: GraphSet, position: int) -> LayerMeasures:
    """Measure one layer (`GraphSet.measure_alone`)."""
    return graphs.measure_alone(position)


def keep(
    graphs: GraphSet,
    position: int,
    measures: LayerMeasures,
    *previous: NDArray[np.int32] | None,
) -> NDArray[np.int32]:
    """Match a measured layer and write its tables (`GraphSet.keep`)."""
    return graphs.keep(position, measures, previous=previous[0])


def export_on_cluster(
    cluster: Cluster, sets: Sequence[GraphSet], *, gzip: bool, advance: Callable[[int], None]
) -> list[str]:
    """Write the graph files of all node sets, a task each; return their names in order.

    Raises
    ------
    StratagraphError
        What a task raised, or when its process died too often.
    """

    def starting(place: int) -> Callable[[], list[Ref]]:
        return lambda: [cluster.submit(export, sets[place], place, gzip)]

    names: dict[int, list[str]] = {}
    starts = [starting(place) for place in range(len(sets))]
    for place, found in cluster.collect(starts, limit=2 * cluster.workers):
        names[place] = found
        advance(1)
    return [name for place in range(len(sets)) for name in names[place]]


def export(graphs: GraphSet, place: int, gzip: bool) -> tuple[int, list[str]]:  # noqa: FBT001 (Ray)
    """Write the graph files of one node set (`GraphSet.export`); return which one it was."""
    return place, graphs.export(gzip=gzip)
