"""Cut modules out of a layer and see what the network still gets right."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from graphs.errors import GraphError, ModelError
from graphs.lesions import class_range
from pipeline.data import ImageData
from pipeline.neurons.tails import Change, Tails
from pipeline.training.batches import Batches
from pipeline.training.evaluation import fit_model

CHUNK = 2000  # images at a time: their activations stay in the cache of a core
TRUE = -1  # number of the module itself among the sets

Labels = NDArray[np.integer]


@dataclass(frozen=True, kw_only=True)
class Module:
    """The neurons of one cluster in one layer.

    Attributes
    ----------
    layer_index : int
        Place of the layer among those of the graph.
    layer : str
        Name of the layer.
    cluster : int
        Number of the cluster.
    """

    layer_index: int
    layer: str
    cluster: int


class LesionBench:
    """A network and images on which lesions are tried.

    Parameters
    ----------
    model : Module
        A classifier; left as it was.
    data : ImageData
        What accuracy is measured on.
    clusters : mapping of str to ndarray of int, shape (width,)
        Cluster of every neuron of a layer, -1 for those without one. Layers in order of depth; the
        input and the network's last layer are passed over.
    device : torch.device, optional
        By default the CPU.

    Raises
    ------
    GraphError
        When no hidden layer is given, or a layer has another number of neurons than labels.
    ModelError
        When the network does not fit the images.
    """

    def __init__(
        self,
        model: nn.Module,
        data: ImageData,
        clusters: Mapping[str, Labels],
        *,
        device: torch.device | None = None,
    ) -> None:
        place = device or torch.device("cpu")
        self.memory_format = fit_model(model, data, device=place)
        self.batches = Batches.of(data, place)
        self.class_names = data.label_names
        example = data.images([0, min(1, len(data) - 1)]).to(place)
        self.tails = Tails(model, example.contiguous(memory_format=self.memory_format))
        self.clusters = _hidden(self.tails, clusters)
        self.layer_indices = {name: index for index, name in enumerate(clusters)}
        classes = len(data.label_names)
        self.of_class = torch.nn.functional.one_hot(self.batches.labels, classes)
        self.class_sizes = self.of_class.sum(dim=0).cpu().numpy()
        first = next(iter(self.clusters))
        (self.intact,) = self.correct(first, [[]])

    def modules(self) -> list[Module]:
        """All modules, layer by layer."""
        return [
            Module(layer_index=self.layer_indices[layer], layer=layer, cluster=int(cluster))
            for layer, labels in self.clusters.items()
            for cluster in np.unique(labels[labels >= 0])
        ]

    def correct(
        self,
        first: str,
        variants: Sequence[Sequence[Change]],
        *,
        advance: Callable[[int], None] = lambda _: None,
    ) -> NDArray[np.int64]:
        """Count what each variant of the network gets right.

        Returns
        -------
        ndarray of int64, shape (variants, classes)
            Images of each class that are classified rightly.
        """
        counts = np.zeros((len(variants), len(self.class_names)), np.int64)
        order = torch.arange(len(self.batches.labels))
        start = 0
        for images, labels in self.batches.iterate(order, CHUNK):
            part = slice(start, start + len(labels))
            start += len(labels)
            given = images.contiguous(memory_format=self.memory_format)
            outputs = self.tails.outputs(given, first, variants)
            for row, logits in enumerate(outputs):
                right = logits.argmax(dim=1) == labels
                counts[row] += self.of_class[part][right].sum(dim=0).cpu().numpy()
                # in units of one variant over all images
                advance(len(labels))
        return counts

    def accuracy(self, correct: NDArray[np.int64]) -> NDArray[np.float64]:
        """Share of all images, from counts of shape (..., classes)."""
        return np.asarray(correct.sum(axis=-1) / self.class_sizes.sum(), np.float64)

    def class_accuracy(self, correct: NDArray[np.int64]) -> NDArray[np.float64]:
        """Share of the images of each class; 0 for a class without images."""
        return np.asarray(correct / np.maximum(self.class_sizes, 1), np.float64)

    def lesion(self, module: Module, neurons: NDArray[np.bool_] | None = None) -> Change:
        """Silence neurons of a module's layer: by default those of the module."""
        labels = self.clusters[module.layer]
        out = labels == module.cluster if neurons is None else neurons
        parameter = next(self.tails.model.parameters())
        return module.layer, torch.from_numpy(~out).to(parameter)

    def random_sets(
        self, module: Module, count: int, *, seed: Sequence[int]
    ) -> list[NDArray[np.bool_]]:
        """Draw sets of a module's size among the neurons of its layer that are in the graph."""
        labels = self.clusters[module.layer]
        alive = np.flatnonzero(labels >= 0)
        size = int((labels == module.cluster).sum())
        generator = np.random.default_rng([*seed, module.layer_index, module.cluster])
        sets = np.zeros((count, len(labels)), bool)
        for row in sets:
            row[generator.permutation(alive)[:size]] = True
        return list(sets)


def _hidden(tails: Tails, clusters: Mapping[str, Labels]) -> dict[str, Labels]:
    hidden = {
        name: np.asarray(labels)
        for name, labels in clusters.items()
        if name in tails.modules and name != tails.last
    }
    if not hidden:
        raise GraphError(
            f"none of {', '.join(clusters) or 'no layers'} is a hidden layer of the network",
            "give the clusters of a hidden layer under the name of its module",
        )
    for name, labels in hidden.items():
        weight: Any = tails.modules[name].weight
        width = int(weight.shape[0])
        if labels.shape != (width,):
            raise GraphError(
                f"layer {name} has {width} neurons, its clusters have shape {labels.shape}",
                "give one label a neuron, -1 for none",
            )
        if (labels < 0).all():
            raise GraphError(f"layer {name} has no neuron in a cluster", "leave the layer out")
    return hidden


def lesion_layer(
    bench: LesionBench,
    layer: str,
    *,
    random_sets: int = 100,
    seed: int = 0,
    advance: Callable[[int], None] = lambda _: None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Silence each module of a layer, and random sets of its size.

    A neuron is silenced by setting what it puts out before its activation function to 0, which is
    what setting its incoming weights and bias to 0 does.

    Parameters
    ----------
    bench : LesionBench
        Network and images.
    layer : str
        One of its hidden layers.
    random_sets : int
        Sets of neurons of the same layer for each module, of its size.
    seed : int
        Of the sets; each module has its own stream.
    advance : callable
        Told how many images were classified.

    Returns
    -------
    sets, classes : DataFrame
        The tables ``lesion_sets``, one row a set (number -1: the module), and ``lesion_classes``,
        one row a module and class.

    Raises
    ------
    ModelError
        When `random_sets` is less than 1.
    """
    if random_sets < 1:
        raise ModelError(f"{random_sets} random sets are none to compare with", "give at least 1")
    members = [module for module in bench.modules() if module.layer == layer]
    variants: list[list[Change]] = []
    for module in members:
        drawn = bench.random_sets(module, random_sets, seed=[seed])
        variants += [[bench.lesion(module)], *([bench.lesion(module, out)] for out in drawn)]
    counts = bench.correct(layer, variants, advance=advance)
    each = counts.reshape(len(members), random_sets + 1, -1)
    pairs = list(zip(members, each, strict=True))
    sets = [_set_rows(bench, module, correct) for module, correct in pairs]
    classes = [_class_rows(bench, module, correct) for module, correct in pairs]
    return pd.concat(sets, ignore_index=True), pd.concat(classes, ignore_index=True)


def _where(module: Module) -> dict[str, object]:
    return {
        "layer_index": module.layer_index,
        "layer": module.layer,
        "module": module.cluster,
    }


def _set_rows(bench: LesionBench, module: Module, correct: NDArray[np.int64]) -> pd.DataFrame:
    """Return the rows of the table ``lesion_sets`` of one module: itself, then the random sets."""
    labels, there = bench.clusters[module.layer], bench.class_sizes > 0
    by_class = bench.class_accuracy(correct)[:, there]
    before = bench.class_accuracy(bench.intact)[there]
    return pd.DataFrame(
        {
            **_where(module),
            "set": np.arange(TRUE, len(correct) - 1),
            "size": int((labels == module.cluster).sum()),
            "alive": int((labels >= 0).sum()),
            "width": len(labels),
            "intact": float(bench.accuracy(bench.intact)),
            "accuracy": bench.accuracy(correct),
            "mean_class_accuracy": by_class.mean(axis=1),
            "class_range": class_range(by_class - before),
        }
    )


def _class_rows(bench: LesionBench, module: Module, correct: NDArray[np.int64]) -> pd.DataFrame:
    """Return the rows of the table ``lesion_classes`` of one module."""
    by_class = bench.class_accuracy(correct)
    return pd.DataFrame(
        {
            **_where(module),
            "class": np.arange(len(bench.class_names)),
            "class_name": list(bench.class_names),
            "intact": bench.class_accuracy(bench.intact),
            "accuracy": by_class[0],
            "random_mean": by_class[1:].mean(axis=0),
        }
    )
