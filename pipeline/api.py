"""The three stages in memory, for notebooks and scripts."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import nn

from graphs.cards import card
from graphs.curves import TOLERANCE
from graphs.errors import DataError, GraphError, ModelError, ResourceError
from graphs.export import export_dynamic
from graphs.measures import collect, measure_dynamic_graph
from graphs.neighbors import Device, KnnGraph, Metric
from graphs.neighbors.knn import Engine, check_k, check_search
from graphs.places import resolve_folder
from graphs.plots import plot_classes, plot_curve
from graphs.plots_flow import plot_flow
from graphs.plots_pairs import plot_class_pairs
from graphs.samples import sample_table
from graphs.snapshots import DynamicGraph
from pipeline.console import log, plural
from pipeline.data import ImageData, draw_samples, from_arrays
from pipeline.data.sampling import Sampling
from pipeline.devices import format_bytes, parse_bytes, resolve_device
from pipeline.dumping import check_values, node_frame
from pipeline.figures import inline_svg
from pipeline.forward import Forward
from pipeline.hooks import resolve_layers
from pipeline.layer_info import LayerInfo, Pool
from pipeline.linking import find_neighbours
from pipeline.models import load_model
from pipeline.options import Neighbours
from pipeline.pruning.choosing import choose_by_rule
from pipeline.pruning.plan import Plan, Surgery
from pipeline.pruning.planning import make_plan
from pipeline.pruning.rules import Rule, RuleName
from pipeline.pruning.subject import open_analyzed
from pipeline.stage1_activations import VARIANT, check_classes
from pipeline.summary import curve_rows, curve_table, paragraphs
from pipeline.tracing import evaluating

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class Analysis:
    """What `analyze` found.

    Attributes
    ----------
    layers, classes, class_pairs, communities, nodes, samples, flows, events : DataFrame
        The metric tables, with the columns of the files in ``RUN/metrics``.
    graphs : tuple of DynamicGraph
        One a repeat.
    knn_graphs : tuple of tuple of KnnGraph
        The directed lists behind them: by repeat, by layer.
    label_names : tuple of str
        Name of every class.
    model : Module
        The network.
    input_shape : tuple of int
        Channels, height, width of its images.
    """

    layers: pd.DataFrame
    classes: pd.DataFrame
    class_pairs: pd.DataFrame
    communities: pd.DataFrame
    nodes: pd.DataFrame
    samples: pd.DataFrame
    flows: pd.DataFrame
    events: pd.DataFrame
    graphs: tuple[DynamicGraph, ...]
    knn_graphs: tuple[tuple[KnnGraph, ...], ...]
    label_names: tuple[str, ...]
    model: nn.Module
    input_shape: tuple[int, ...]

    def plot(self, what: Literal["curve", "classes", "class_pairs", "flow"] = "curve") -> "Axes":
        """Draw the modularity curve, its terms by class and layer, or links between classes.

        ``"flow"`` draws how the samples of the first repeat flow through Leiden communities.

        Raises
        ------
        GraphError
            For anything else.
        """
        if what == "curve":
            return plot_curve(self.layers)
        if what == "classes":
            return plot_classes(self.classes)
        if what == "class_pairs":
            return plot_class_pairs(self.class_pairs)
        if what == "flow":
            flows, communities = (
                table[table["repeat"] == 0] for table in (self.flows, self.communities)
            )
            return plot_flow(flows, communities, classes=dict(enumerate(self.label_names)))
        raise GraphError(
            f"there is no figure {what!r}", "choose 'curve', 'classes', 'class_pairs' or 'flow'"
        )

    def plan(
        self,
        rule: RuleName = "increment",
        *,
        threshold: float = TOLERANCE,
        surgery: Surgery = "identity",
        device: Device = "auto",
    ) -> Plan:
        """Plan which layers to remove; `pipeline.pruning.plan.follow_plan` does it.

        Parameters
        ----------
        rule, threshold, surgery
            As in `stratagraph plan`.
        device
            Where the latency is measured.

        Raises
        ------
        PlanError
            When nothing would be removed, or the layers are not the network's blocks.
        """
        by_repeat = self.layers.set_index(["repeat", "layer_index"])["modularity"]
        curves = by_repeat.sort_index().to_numpy(np.float64).reshape(len(self.graphs), -1)
        names = self.layers.drop_duplicates("layer_index")["layer"].tolist()
        subject = open_analyzed(self.model, self.input_shape, names=names, curves=curves)
        choice = choose_by_rule(subject, Rule(name=rule, threshold=threshold))
        return make_plan(subject, choice, surgery=surgery, device=resolve_device(device))

    def export(self, folder: str | Path, *, gzip: bool = False, seed: int = 0) -> list[Path]:
        """Write the graphs of every repeat for Gephi, igraph and NetworkX; return the files."""
        files: list[Path] = []
        for repeat, graph in enumerate(self.graphs):
            layers = self.layers.loc[self.layers["repeat"] == repeat]
            matched = self.nodes.loc[self.nodes["repeat"] == repeat, "matched"]
            files += export_dynamic(
                graph,
                resolve_folder(folder),
                communities=matched.to_numpy().reshape(len(graph.snapshots), -1),
                modularity=layers["modularity"].tolist(),
                class_names=dict(enumerate(self.label_names)),
                k=self.knn_graphs[repeat][0].k,
                metric=self.knn_graphs[repeat][0].metric,
                gzip=gzip,
                seed=seed,
            )
        return files

    def _repr_html_(self) -> str:
        shown = {"modularity": "Q", "spread": "sd", "z": "z", "communities": "communities"}
        rows = curve_rows(self.layers)
        there = [name for name in shown if name in rows[0]]
        picture = inline_svg(lambda ax: plot_curve(self.layers, ax), size=(7.0, 3.6))
        repeats, samples = len(self.graphs), self.graphs[0].n_nodes
        return card(
            f"{plural(len(rows), 'layer')}, {samples:,} samples x {plural(repeats, 'repeat')}, "
            f"{len(self.label_names)} classes",
            [
                [row["layer_index"], row["layer"], *(_figure(name, row[name]) for name in there)]
                for row in rows
            ],
            headers=["", "layer", *(shown[name] for name in there)],
            notes=paragraphs(self.layers, self.class_pairs, self.samples),
            picture=picture,
        )

    def __str__(self) -> str:
        told = paragraphs(self.layers, self.class_pairs, self.samples)
        return "\n\n".join([curve_table(self.layers), *told])


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
    if isinstance(model, str):
        classes = len(images.label_names)
        model = load_model(model, classes=classes, input_shape=images.input_shape, seed=seed)
    if not isinstance(model, nn.Module):
        raise ModelError(
            f"model is a {type(model).__name__}, not a torch.nn.Module",
            "give a network or a name",
        )
    check_k(k, samples)
    check_search(engine, recall=recall, project=project)
    options = Neighbours(k=k, metric=metric, engine=engine, recall=recall, project=project)
    draw = draw_samples(images.labels, samples, repeats, sampling=sampling, seed=seed)
    if draw.note:
        log.warning("%s", draw.note)
    check_classes(images, draw.indices)
    budget, target = parse_bytes(memory), resolve_device(device)
    with evaluating(model), _at_home(model):
        chosen = resolve_layers(model, layers, images.images([0]))
        _check_memory(chosen, pool, samples, budget)
        forward = Forward.prepare(model, images, chosen, memory=budget, device=target, pool=pool)
        tables, per_sample, graphs, lists = [], [], [], []
        for repeat, indices in enumerate(draw.indices):
            values, nodes = _gather(forward, indices)
            found = tuple(
                # popped: a layer's features are let go as soon as it is linked
                find_neighbours(
                    values.pop(layer.name),
                    options,
                    labels=nodes["label"].to_numpy,
                    device=device,
                    memory=None,
                    seed=seed,
                )
                for layer in chosen
            )
            names = [layer.name for layer in chosen]
            graph = DynamicGraph.from_knn(found, nodes, layers=names, name=f"{VARIANT}-r{repeat}")
            tables.append(measure_dynamic_graph(graph, found, repeat=repeat, seed=seed))
            class_names = dict(enumerate(images.label_names))
            per_sample.append(
                sample_table(found, nodes, names, class_names=class_names, repeat=repeat)
            )
            graphs.append(graph)
            lists.append(found)
    all_tables = collect(tables)
    return Analysis(
        layers=all_tables.layers,
        classes=all_tables.classes,
        class_pairs=all_tables.class_pairs,
        communities=all_tables.communities,
        nodes=all_tables.nodes,
        samples=pd.concat(per_sample, ignore_index=True),
        flows=all_tables.flows,
        events=all_tables.events,
        graphs=tuple(graphs),
        knn_graphs=tuple(lists),
        label_names=images.label_names,
        model=model,
        input_shape=tuple(images.input_shape),
    )


def _figure(name: str, value: object) -> object:
    """Round what is no share of one to whole numbers."""
    return round(float(str(value))) if name in ("z", "communities") else value


def _as_images(data: ImageData | tuple[Any, Any]) -> ImageData:
    if isinstance(data, ImageData):
        return data
    if isinstance(data, tuple) and len(data) == 2:
        return from_arrays(*data)
    raise DataError(
        f"data is a {type(data).__name__}, not (images, labels)",
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
