"""Stage 1 on a cluster: workers that hold the network and the images and write parts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from graphs.errors import DataError
from graphs.files import digest_json
from pipeline.cluster import Cluster
from pipeline.devices import memory_budget, resolve_device
from pipeline.dumping import NodeSet, dump_part, finish_node_set
from pipeline.forward import LARGEST_BATCH, Forward
from pipeline.identity import describe
from pipeline.opening import open_images, open_network
from pipeline.options import Features, Images, Machine, Network

# `pipeline.forward.batch_size` gives a batch a sixteenth of the memory
SHARES = 16


@dataclass(frozen=True)
class Recipe:
    """What a worker makes its network and images from.

    Attributes
    ----------
    network, images, features, machine
        The options of stage 1.
    identity : str
        Digest of what they must come to (`pipeline.identity.describe`).
    threads : int
        Threads that the network runs on.
    """

    network: Network
    images: Images
    features: Features
    machine: Machine
    identity: str
    threads: int


class PartWorker:
    """Writes parts of node sets.

    Nothing is opened before the first part, so that what goes wrong there is an error like any
    other; and it is opened again where the process was begun anew.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._forward: Forward | None = None

    def ready(self) -> None:
        """Open the network and the images."""
        self._open()

    def work(self, node_set: NodeSet, nodes: range) -> int:
        """Compute and write one part; return how many images it was."""
        dump_part(node_set, nodes, self._open(), advance=lambda _: None)
        return len(nodes)

    def _open(self) -> Forward:
        self._forward = self._forward or _open(self._recipe)
        return self._forward


def _open(recipe: Recipe) -> Forward:
    """Open network and images, and check that they are those of the run.

    Raises
    ------
    DataError
        When the files that this machine sees are others.
    """
    torch.set_num_threads(recipe.threads)
    data = open_images(recipe.network, recipe.images)
    model, layers = open_network(recipe.network, recipe.images, recipe.features, data=data)
    found = describe(recipe.network, recipe.images, recipe.features, data=data, model=model)
    if digest_json(found) != recipe.identity:
        raise DataError(
            "a node of the cluster sees another network or other images under the same names",
            "give all nodes the same files, and the same installation",
        )
    return Forward.prepare(
        model,
        data,
        layers,
        memory=memory_budget(recipe.machine.memory),
        device=resolve_device(recipe.machine.device),
        pool=recipe.features.pool,
        dtype=recipe.features.dtype,
    )


def dump_on_cluster(
    cluster: Cluster,
    todo: Sequence[tuple[NodeSet, Sequence[range]]],
    recipe: Recipe,
    *,
    advance: Callable[[int], None],
) -> None:
    """Have the workers of a cluster write the missing parts of node sets, then write node tables.

    Parameters
    ----------
    cluster : Cluster
        Where to.
    todo : sequence of (NodeSet, parts)
        Which parts are missing.
    recipe : Recipe
        What the workers open.
    advance : callable
        Told how many images are done.

    Raises
    ------
    StratagraphError
        What a worker raised, or when its process died too often.
    """
    jobs = [
        (shared, nodes)
        for node_set, parts in todo
        for shared in [cluster.share(node_set)]
        for nodes in parts
    ]
    values = max(
        sum(layer.stored_values(recipe.features.pool) for layer in node_set.layers)
        for node_set, _ in todo
    )
    memory = min(memory_budget(recipe.machine.memory), SHARES * LARGEST_BATCH * 4 * values)
    for images in cluster.spread(PartWorker, jobs, arguments=(recipe,), memory=memory):
        advance(images)
    for node_set, _ in todo:
        finish_node_set(node_set)
