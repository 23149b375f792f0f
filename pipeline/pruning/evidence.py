"""What a criterion may look at to judge the layers of a network: one node set, and the network."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from graphs.errors import DataError, PlanError, ResourceError
from graphs.modularity import modularity
from graphs.neighbors import KnnGraph, Metric, knn
from pipeline.data import ImageData
from pipeline.devices import format_bytes, parse_bytes, resolve_device
from pipeline.forward import LARGEST_BATCH
from pipeline.graph_sets import GraphSet
from pipeline.hooks import capture
from pipeline.options import Machine
from pipeline.pruning.parts import Part, find_parts
from pipeline.pruning.passes import Passes
from pipeline.studies.stored import layer_rows
from pipeline.tracing import like_parameters, run_model

MEMORY = "4GiB"  # where nobody says how much


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """One node set as a trained network sees it: what criteria work from.

    Attributes
    ----------
    model : Module
        The network, never changed.
    parts : tuple of Part
        Its layers, of which there are L.
    graph : callable
        Position of a layer in, its KnnGraph out.
    features : callable
        Position of a layer in, its features out: ndarray of shape (n, D), read when asked for.
    decode : callable
        Nodes in, their images out.
    n_nodes : int
        Number of samples, n.
    known_labels : ndarray of int64, shape (n,), or None
        Where there are none, `labels` is an error.
    device : torch.device
        Where the network runs.
    memory : int
        Bytes that activations may take at a time.
    seed : int
        Of everything random.
    repeat : int
        Which node set of its run.
    draw : int
        Which of several random draws: for criteria that are drawn.
    known_curve : ndarray of float64, shape (L,), or None
        Q of every layer, where it was measured before.
    absent : PlanError or None
        Where there are no samples: what is said to who asks for them.
    """

    model: nn.Module
    parts: tuple[Part, ...]
    graph: Callable[[int], KnnGraph]
    features: Callable[[int], NDArray[np.floating]]
    decode: Callable[[NDArray[np.int64]], Tensor]
    n_nodes: int
    known_labels: NDArray[np.int64] | None
    device: torch.device
    memory: int
    seed: int = 0
    repeat: int = 0
    draw: int = 0
    known_curve: NDArray[np.float64] | None = None
    absent: PlanError | None = None

    @classmethod
    def of_curve(
        cls,
        model: nn.Module,
        parts: Sequence[Part],
        curve: NDArray[np.float64] | None,
        *,
        seed: int = 0,
        repeat: int = 0,
    ) -> "Evidence":
        """Take a network and perhaps its curve: whatever else is asked for is an error."""
        absent = (
            PlanError("this criterion needs a curve", "give a run, or --curve FILE")
            if curve is None
            else PlanError("this criterion needs samples and their features", "give a run")
        )

        def nothing(_asked: object) -> Any:
            raise absent

        return cls(
            model=model,
            parts=tuple(parts),
            graph=nothing,
            features=nothing,
            decode=nothing,
            n_nodes=1,
            known_labels=None,
            device=torch.device("cpu"),
            memory=parse_bytes(MEMORY),
            seed=seed,
            repeat=repeat,
            known_curve=curve,
            absent=absent,
        )

    @classmethod
    def of_set(
        cls,
        item: GraphSet,
        data: ImageData,
        model: nn.Module,
        *,
        parts: Sequence[Part],
        machine: Machine | None = None,
    ) -> "Evidence":
        """Take a node set of a finished run, its images and its network.

        Raises
        ------
        PlanError
            When the run's layers are not the parts of the network.
        """
        names = [layer["name"] for layer in item.layers]
        if names != [part.name for part in parts]:
            raise PlanError(
                f"the run has {len(names)} layers from {names[0]} to {names[-1]}, the network can "
                f"be cut into {len(parts)} from {parts[0].name} to {parts[-1].name}",
                "make the run with --layers blocks",
            )
        chosen = machine or Machine()
        samples = item.nodes["sample"].to_numpy(np.int64)
        return cls(
            model=model,
            parts=tuple(parts),
            graph=item.neighbours,
            features=lambda position: _read_layer(item, position, chosen),
            decode=lambda nodes: data.images(samples[nodes]),
            n_nodes=item.n_nodes,
            known_labels=item.nodes["label"].to_numpy(np.int64),
            device=resolve_device(chosen.device),
            memory=parse_bytes(chosen.memory),
            seed=item.seed,
            repeat=item.folder.repeat,
        )

    @classmethod
    def of_arrays(
        cls,
        model: nn.Module,
        images: Tensor,
        labels: ArrayLike | None,
        *,
        k: int = 3,
        metric: Metric = "cosine",
        seed: int = 0,
        repeat: int = 0,
        device: torch.device | None = None,
    ) -> "Evidence":
        """Take images in memory; features of all layers are kept there too, on the CPU.

        Parameters
        ----------
        model : Module
            Left as it was.
        images : Tensor, shape (n, C, H, W)
            As the network takes them.
        labels : array of int, shape (n,), optional
            Class of each image.
        k, metric
            See `graphs.neighbors.knn`.
        seed, repeat : int
            See the attributes.
        device : torch.device, optional
            Where criteria run the network; by default the CPU.

        Raises
        ------
        DataError
            When there are not as many labels as images.
        ModelError
            When the network cannot run on them.
        ResourceError
            When the features do not fit into the memory.
        """
        known = None if labels is None else np.asarray(labels, dtype=np.int64)
        if known is not None and known.shape != (len(images),):
            raise DataError(
                f"{len(images)} images have labels of shape {known.shape}", "give one an image"
            )
        parts = find_parts(model, images.shape[1:])
        needed = 4 * len(images) * sum(math.prod(part.shape) for part in parts)
        if needed > parse_bytes(MEMORY):
            raise ResourceError(
                f"{len(images)} samples x {len(parts)} layers are {format_bytes(needed)} of "
                f"features, memory is {MEMORY}",
                "take fewer samples",
            )
        values = _features(model, images, [part.name for part in parts])
        return cls(
            model=model,
            parts=parts,
            graph=lambda position: knn(values[position], k, metric=metric, device="cpu"),
            features=lambda position: values[position],
            decode=lambda nodes: images[torch.from_numpy(nodes)],
            n_nodes=len(images),
            known_labels=known,
            device=device or torch.device("cpu"),
            memory=parse_bytes(MEMORY),
            seed=seed,
            repeat=repeat,
        )

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class of every node, shape (n,).

        Raises
        ------
        DataError
            When the samples have none.
        """
        if self.absent is not None:
            raise self.absent
        if self.known_labels is None:
            raise DataError("the samples have no labels", "take a criterion that needs none")
        return self.known_labels

    @cached_property
    def curve(self) -> NDArray[np.float64]:
        """Q of the classes in every layer, shape (L,)."""
        if self.known_curve is not None:
            return self.known_curve
        graphs = map(self.graph, range(len(self.parts)))
        return np.array([modularity(g.indices, g.weights, self.labels).value for g in graphs])

    def images(self, nodes: NDArray[np.int64] | None = None) -> Tensor:
        """Images of the given nodes, or of all, in that order: shape (m, C, H, W)."""
        return self.decode(np.arange(self.n_nodes) if nodes is None else nodes)

    @cached_property
    def passes(self) -> Passes:
        """Forward passes over these images, each done once for all criteria that read it."""
        return Passes.prepare(
            self.model,
            self.parts,
            self.images,
            n_nodes=self.n_nodes,
            device=self.device,
            memory=self.memory,
            seed=self.seed,
        )

    def forget(self) -> None:
        """Let go of what `passes` holds: a copy of the network, images, results."""
        self.__dict__.pop("passes", None)

    def per_part(self, judge: Callable[[Part], Any]) -> NDArray[np.float64]:
        """Collect one number for each layer, in order of depth."""
        return np.array([judge(part) for part in self.parts], dtype=np.float64)


def _features(model: nn.Module, images: Tensor, names: Sequence[str]) -> list[NDArray[np.floating]]:
    """Run a network over images, batch by batch; features of each layer, shape (n, D)."""
    parts: dict[str, list[NDArray[np.floating]]] = {name: [] for name in names}
    with capture(model, names) as captured:
        for batch in torch.split(images, LARGEST_BATCH):
            run_model(model, like_parameters(model, batch))
            for name, values in parts.items():
                values.append(captured.outputs[name].numpy())
    return [np.concatenate(values) for values in parts.values()]


def _read_layer(item: GraphSet, position: int, machine: Machine) -> NDArray[np.floating]:
    rows = layer_rows(item, position, machine)
    needed = 4 * rows.shape[0] * rows.shape[1]
    if needed > parse_bytes(machine.memory):
        raise ResourceError(
            f"layer {item.layers[position]['name']} has {format_bytes(needed)} of features, memory "
            f"is {machine.memory}",
            "raise --memory, or make the run with fewer samples or --pool avg",
        )
    return rows[:]
