"""Linking one layer: what stage 2 does with each of its units, wherever it runs."""

from dataclasses import dataclass
from typing import Any

from graphs.errors import ActivationError, CorruptFileError
from graphs.neighbors import KnnGraph, knn
from graphs.runs import RepeatFolder, holds
from graphs.shards import LayerRows
from graphs.tables import read_metadata
from pipeline.devices import memory_budget
from pipeline.edge_files import write_edges
from pipeline.options import Machine, Neighbours


@dataclass(frozen=True, kw_only=True)
class LayerTask:
    """One layer of one node set that is to be linked. Small: it is sent to other processes.

    Attributes
    ----------
    folder : RepeatFolder
        Where the node set lies.
    layer : dict
        The layer as stage 1 recorded it: index, name, digest, ...
    samples : int
        Nodes, n.
    digest : str
        Digest of what the edges are made from.
    neighbours, machine
        The options of stage 2.
    """

    folder: RepeatFolder
    layer: dict[str, Any]
    samples: int
    digest: str
    neighbours: Neighbours
    machine: Machine

    @property
    def name(self) -> str:
        """What messages call the layer: ``layer 3 (layer1.2)``."""
        return f"layer {self.layer['index']} ({self.layer['name']})"

    def finished(self) -> bool:
        """Whether its edges are there, made from these inputs."""
        return holds(self.folder.edges(self.layer["index"]), "edges", self.digest)


def link_layer(task: LayerTask) -> list[str]:
    """Link the samples of one layer and write its edges.

    Returns
    -------
    list of str
        What the user should hear of.

    Raises
    ------
    CorruptFileError
        When a shard is missing, damaged or of another run.
    ActivationError
        When the layer has no direction at all, or numbers that are not finite. It is named.
    """
    return finish_layer(task, find_links(task))


def find_links(task: LayerTask) -> KnnGraph:
    """Find the neighbours in one layer, from its shards."""
    rows = open_rows(task)
    try:
        return knn(
            rows,
            task.neighbours.k,
            metric=task.neighbours.metric,
            engine=task.neighbours.engine,
            device=task.machine.device,
            memory=memory_budget(task.machine.memory),
        )
    except ActivationError as error:
        raise ActivationError(f"{task.name}: {error.problem}", error.remedy) from error


def finish_layer(task: LayerTask, graph: KnnGraph) -> list[str]:
    """Check what was found in one layer, write it, and return what the user should hear of."""
    if graph.zero_rows == graph.n_nodes:
        raise ActivationError(
            f"{task.name}: all {graph.n_nodes} activation rows are zero, they have no direction",
            "leave the layer out with --layers, or check the weights",
        )
    path = task.folder.edges(task.layer["index"])
    write_edges(graph, path, layer=task.layer, digest=task.digest)
    if not graph.zero_rows:
        return []
    return [
        f"{task.name}: {graph.zero_rows} of {graph.n_nodes} rows are zero; their similarity to "
        "everything is 0"
    ]


def open_rows(task: LayerTask) -> LayerRows:
    """Open the shards of one layer, after checking that they are all there and of this run.

    Raises
    ------
    CorruptFileError
        When one is missing or of another run.
    """
    place = task.folder.layer(task.layer["index"])
    parts = sorted(place.glob("part-*.parquet"))
    if not parts:
        raise CorruptFileError(
            f"{task.name} has no shards in {place}",
            "run stage 1 (activations) again; what is there is kept",
        )
    for part in parts:
        if read_metadata(part, "activations").get("digest") != task.layer["digest"]:
            raise CorruptFileError(
                f"{part} is not from this run's stage 1", "run stage 1 (activations) again"
            )
    rows = LayerRows(parts)
    if len(rows) != task.samples:
        raise CorruptFileError(
            f"{task.name} has {len(rows)} of {task.samples} samples in {place}",
            "run stage 1 (activations) again; what is there is kept",
        )
    return rows
