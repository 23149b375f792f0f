"""The three stages in memory, for notebooks and scripts."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import nn

from graphs.errors import DataError, ModelError, ResourceError
from graphs.measures import MetricTables, collect, measure_dynamic_graph
from graphs.neighbors import Device, KnnGraph, Metric
from graphs.neighbors.knn import Engine, check_k, check_search
from graphs.samples import sample_table
from graphs.snapshots import DynamicGraph
from pipeline.analysis import Analysis
from pipeline.console import log
from pipeline.data import ImageData, draw_samples, from_arrays
from pipeline.data.sampling import Sampling
from pipeline.devices import format_bytes, parse_bytes, resolve_device
from pipeline.dumping import check_values, node_frame
from pipeline.forward import Forward
from pipeline.hooks import resolve_layers
from pipeline.layer_info import LayerInfo, Pool
from pipeline.linking import find_neighbours
from pipeline.models import load_model
from pipeline.options import Neighbours
from pipeline.stage1_activations import VARIANT, check_classes
from pipeline.tracing import evaluating


def analyze(
    model: nn.Module | str,
    data: ImageData | tuple[Any, Any],
    *,
    k: int = 3,
    samples: int = 500,
    repeats: int = 5,
    layers: str | Sequence[str] = "blocks",
    pool: Pool = "none",
    metric: Metric = "cosine",
    engine: Engine = "auto",
    recall: float | None = None,
    project: int | None = None,
    sampling: Sampling = "random",
    seed: int = 0,
    device: Device = "auto",
    memory: int | str = "4GiB",
) -> Analysis:
    """Measure how a network separates classes, layer by layer, without writing files.

    Parameters
    ----------
    model : Module or str
        A network that takes these images, or a name for `pipeline.models.load_model`.
    data : ImageData or (images, labels)
        From `pipeline.data.load_data`, or arrays: uint8 (n, H, W, C), or float (n, C, H, W) that
        are normalised already.
    k, metric, engine, recall, project
        See `graphs.neighbors.knn`.
    samples, repeats, sampling, seed
        See `pipeline.data.draw_samples`.
    layers, pool
        See `pipeline.hooks.resolve_layers` and `capture`.
    device : {"auto", "cpu", "cuda"}
        Where the network and the search run.
    memory : int or str
        Most that one repeat's activations may take.

    Returns
    -------
    Analysis
        Tables, graphs, and methods to plot and export them.

    Raises
    ------
    StratagraphError
        When an input cannot be used; the message says what to change.

    Notes
    -----
    The method of Lu et al., "Understanding the Dynamics of DNNs Using Graph Modularity" (ECCV
    2022). The tables are those that the three stages write for the same options.

    Examples
    --------
    >>> from pipeline.data import load_data
    >>> found = analyze("mlp", load_data("digits"), samples=200, repeats=2, layers="all")
    >>> bool(found.layers["modularity"].between(-0.5, 1).all())
    True
    """
    images = _as_images(data)
    network = _as_network(model, images, seed=seed)
    check_k(k, samples)
    check_search(engine, recall=recall, project=project)
    options = Neighbours(k=k, metric=metric, engine=engine, recall=recall, project=project)
    draw = draw_samples(images.labels, samples, repeats, sampling=sampling, seed=seed)
    if draw.note:
        log.warning("%s", draw.note)
    check_classes(images, draw.indices)
    budget, target = parse_bytes(memory), resolve_device(device)
    with evaluating(network), _at_home(network):
        chosen = resolve_layers(network, layers, images.images([0]))
        _check_memory(chosen, pool, samples, budget)
        forward = Forward.prepare(network, images, chosen, memory=budget, device=target, pool=pool)
        measured = [
            _measure(forward, indices, options, repeat=repeat, device=device, seed=seed)
            for repeat, indices in enumerate(draw.indices)
        ]
    return Analysis(
        **vars(collect([found.tables for found in measured])),
        samples=pd.concat([found.samples for found in measured], ignore_index=True),
        graphs=tuple(found.graph for found in measured),
        knn_graphs=tuple(found.lists for found in measured),
        label_names=images.label_names,
        model=network,
        input_shape=tuple(images.input_shape),
    )


class _Measured(NamedTuple):
    """What there is of one repeat."""

    tables: MetricTables
    samples: pd.DataFrame
    graph: DynamicGraph
    lists: tuple[KnnGraph, ...]


def _measure(
    forward: Forward,
    indices: NDArray[np.int64],
    options: Neighbours,
    *,
    repeat: int,
    device: Device,
    seed: int,
) -> _Measured:
    """Run the network on the samples of a repeat, link them in every layer, and measure that."""
    values, nodes = _gather(forward, indices)
    names = [layer.name for layer in forward.layers]
    lists = tuple(
        # popped: a layer's features are let go as soon as it is linked
        find_neighbours(
            values.pop(name),
            options,
            labels=nodes["label"].to_numpy,
            device=device,
            memory=None,
            seed=seed,
        )
        for name in names
    )
    graph = DynamicGraph.from_knn(lists, nodes, layers=names, name=f"{VARIANT}-r{repeat}")
    class_names = dict(enumerate(forward.data.label_names))
    return _Measured(
        tables=measure_dynamic_graph(graph, lists, repeat=repeat, seed=seed),
        samples=sample_table(lists, nodes, names, class_names=class_names, repeat=repeat),
        graph=graph,
        lists=lists,
    )


def _as_network(model: nn.Module | str, images: ImageData, *, seed: int) -> nn.Module:
    if isinstance(model, str):
        classes = len(images.label_names)
        return load_model(model, classes=classes, input_shape=images.input_shape, seed=seed)
    if not isinstance(model, nn.Module):
        raise ModelError(
            f"model is a {type(model).__name__}, not a torch.nn.Module",
            "give a network or a name",
        )
    return model


def _as_images(data: ImageData | tuple[Any, Any]) -> ImageData:
    if isinstance(data, ImageData):
        return data
    if isinstance(data, tuple) and len(data) == 2:
        return from_arrays(*data)
    raise DataError(
        f"data of type {type(data).__name__} is not (images, labels)",
        "give two arrays, or what pipeline.data.load_data returns",
    )


@contextmanager
def _at_home(model: nn.Module) -> Iterator[None]:
    """Put a network back on its device afterwards."""
    home = next((tensor.device for tensor in model.parameters()), None)
    try:
        yield
    finally:
        if home is not None:
            model.to(home)


def _check_memory(layers: Sequence[LayerInfo], pool: Pool, samples: int, budget: int) -> None:
    needed = 4 * samples * sum(layer.stored_values(pool) for layer in layers)
    if needed > budget:
        raise ResourceError(
            f"{samples} samples x {len(layers)} layers are {format_bytes(needed)} of activations, "
            f"memory is {format_bytes(budget)}",
            "raise memory, lower samples, pool, or use `stratagraph run`, which keeps them on disk",
        )


def _gather(
    forward: Forward, indices: NDArray[np.int64]
) -> tuple[dict[str, NDArray[np.floating]], pd.DataFrame]:
    """Collect a repeat's batches: features of shape (n, D) by layer, and the node table."""
    n, layers = len(indices), forward.layers
    values: dict[str, NDArray[np.floating]] = {
        layer.name: np.empty((n, layer.stored_values(forward.pool)), np.float32) for layer in layers
    }
    frames = []
    for batch in forward.batches(indices, range(n)):
        for layer in layers:
            check_values(
                batch.activations[layer.name], layer, indices[batch.nodes], forward=forward
            )
            values[layer.name][batch.nodes] = batch.activations[layer.name]
        frames.append(node_frame(batch, indices[batch.nodes], forward.data))
    return values, pd.concat(frames, ignore_index=True)
