"""Linking one layer: what stage 2 does with each of its units, wherever it runs."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from numpy.typing import ArrayLike

from graphs.errors import ActivationError, CorruptFileError, ResourceError
from graphs.neighbors import Device, KnnGraph, knn
from graphs.neighbors.rows import Rows
from graphs.projection_effect import projection_q_shift
from graphs.runs import RepeatFolder, holds
from graphs.shards import LayerRows
from graphs.tables import read_frame, read_metadata
from pipeline.devices import SMALLEST_BUDGET, memory_budget
from pipeline.edge_files import write_edges, write_proof
from pipeline.options import Machine, Neighbours

SIDE_BY_SIDE = 2
COPIES = 3  # of a layer that is linked: as read, as unit rows, as what is multiplied


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
    seed : int
        The run's.
    """

    folder: RepeatFolder
    layer: dict[str, Any]
    samples: int
    digest: str
    neighbours: Neighbours
    machine: Machine
    seed: int = 0

    @property
    def size(self) -> int:
        """Bytes of the layer's activations as float32."""
        return 4 * self.samples * int(self.layer["values"])

    @property
    def name(self) -> str:
        """What messages call the layer: ``layer 3 (layer1.2)``."""
        return f"layer {self.layer['index']} ({self.layer['name']})"

    def finished(self) -> bool:
        """Whether its edges are there, made from these inputs."""
        return holds(self.folder.edges(self.layer["index"]), "edges", self.digest)


class Linked(NamedTuple):
    """A layer that is linked.

    Attributes
    ----------
    size : int
        Bytes of its activations.
    notes : list of str
        What the user should hear of.
    """

    size: int
    notes: list[str]


def link_locally(tasks: Sequence[LayerTask], *, memory: int) -> Iterator[Linked]:
    """Link layers on this machine, two side by side where both fit into the memory.

    While one is searched, the other is read and prepared.

    Parameters
    ----------
    tasks : sequence of LayerTask
        The layers.
    memory : int
        Bytes.

    Yields
    ------
    Linked
        As `link_layer`.
    """
    small = [task for task in tasks if memory_of(task, memory) < memory]
    yield from (link_layer(task) for task in tasks if task not in small)
    half = f"{memory // 2}B"
    machines = {task.machine: replace(task.machine, memory=half) for task in small}
    shared = [replace(task, machine=machines[task.machine]) for task in small]
    pool = ThreadPoolExecutor(SIDE_BY_SIDE)
    try:
        yield from pool.map(link_layer, shared)
    finally:
        pool.shutdown(cancel_futures=True)


def memory_of(task: LayerTask, memory: int) -> int:
    """Return what of a budget a layer is given: half of it, where two fit in side by side."""
    half = memory // 2
    return half if COPIES * task.size <= half and half >= SMALLEST_BUDGET else memory


def link_layer(task: LayerTask) -> Linked:
    """Link the samples of one layer and write its edges.

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
    try:
        return find_neighbours(
            open_rows(task),
            task.neighbours,
            labels=lambda: read_frame(task.folder.nodes, "nodes")["label"].to_numpy(),
            device=task.machine.device,
            memory=memory_budget(task.machine.memory),
            seed=task.seed,
        )
    except (ActivationError, ResourceError) as error:
        raise type(error)(f"{task.name}: {error.problem}", error.remedy) from error


def find_neighbours(
    rows: Rows,
    options: Neighbours,
    *,
    labels: Callable[[], ArrayLike],
    device: Device,
    memory: int | None,
    seed: int,
) -> KnnGraph:
    """Find the neighbours of all rows, and what a projection does to the Q of the classes.

    Parameters
    ----------
    rows : Rows
        Features of one layer, shape (n, D).
    options : Neighbours
        The options of stage 2.
    labels : callable
        Gives the class of every row; called only where rows are projected.
    device, memory, seed
        As in `graphs.neighbors.knn`.
    """
    graph = knn(
        rows,
        options.k,
        metric=options.metric,
        engine=options.engine,
        device=device,
        memory=memory,
        recall=options.recall,
        project=options.project,
        seed=seed,
    )
    if not graph.project:
        return graph
    shift = projection_q_shift(
        rows,
        labels(),
        options.k,
        dim=graph.project,
        metric=options.metric,
        seed=seed,
        memory=memory,
    )
    return replace(graph, project_q_shift=shift)


def describe_search(task: LayerTask, graph: KnnGraph) -> list[str]:
    """Say how approximate the neighbours of a layer are, if they are."""
    said = []
    width = int(task.layer["values"])
    if graph.project:
        shift = graph.project_q_shift
        effect = "not measurable here" if shift is None else f"changes by {shift:+.3f}"
        said.append(f"{width} values a sample projected to {graph.project}: Q {effect}")
    elif task.neighbours.project is not None:
        said.append(f"{width} values a sample, not projected")
    if graph.setting:
        error = f" ± {graph.recall_error:.3f}" if graph.recall_error else ""
        said.append(f"engine {graph.engine}, {graph.setting}, recall {graph.recall:.3f}{error}")
    return [f"{task.name}: {'; '.join(said)}"] if said else []


def finish_layer(task: LayerTask, graph: KnnGraph) -> Linked:
    """Check what was found in one layer, write it, and return what the user should hear of."""
    if graph.zero_rows == graph.n_nodes:
        raise ActivationError(
            f"{task.name}: all {graph.n_nodes} activation rows are zero, they have no direction",
            "leave the layer out with --layers, or check the weights",
        )
    path = task.folder.edges(task.layer["index"])
    write_proof(graph, path, digest=task.digest)  # first: where the edges are, it is there
    write_edges(graph, path, layer=task.layer, digest=task.digest)
    notes = describe_search(task, graph)
    if graph.zero_rows:
        notes.append(
            f"{task.name}: {graph.zero_rows} of {graph.n_nodes} rows are zero; their similarity "
            "to everything is 0"
        )
    return Linked(task.size, notes)


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
