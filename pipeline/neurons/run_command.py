"""`stratagraph neurons run`: cluster a network's neurons and compare with shuffled weights."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from cyclopts import Group, Parameter
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import nn

from graphs.errors import GraphError
from graphs.export.neurons import NeuronExport, write_neurons_gexf, write_neurons_graphml
from graphs.files import digest_json
from graphs.neighbors.threads import thread_count
from graphs.neuron_graph import Drop, NeuronGraph
from graphs.neuron_rows import (
    cluster_rows,
    composition_rows,
    neuron_rows,
    null_rows,
    partition_row,
)
from graphs.plots_neurons import draw_neurons, draw_nulls
from graphs.spectral import check_clusters, spectral_partition
from graphs.tables import write_table
from graphs.weight_shuffles import NULLS, NullName
from pipeline.console import log, plural
from pipeline.devices import require_writable
from pipeline.figures import save_panels
from pipeline.models import load_model
from pipeline.neurons.reading import read_clusters
from pipeline.neurons.shuffles import shuffle_graph
from pipeline.neurons.weight_graph import Layers, Norm, neuron_graph
from pipeline.options import Network, Work
from pipeline.pruning.saved import is_saved, read_architecture
from pipeline.studies.folder import StudyFolder
from pipeline.training.checkpoints import digest_state

SHAPE = (3, 32, 32)


@Parameter(name="*", group=Group("Graph", sort_key=3))
@dataclass(frozen=True, kw_only=True)
class GraphOptions:
    """How the network becomes a graph.

    Attributes
    ----------
    input_shape
        Channels, height and width of an image, such as `1 28 28`; 3 32 32 where the network does
        not say.
    classes
        Number of classes.
    layers
        `all` layers with input and output, `hidden` ones alone, or `auto`: all, but of networks
        with convolutions these alone.
    norm
        How a kernel becomes one number: `l1` (the sum of absolute values) or `matrix` (the largest
        sum of a column, as in the authors' code).
    normalize
        Scale every hidden neuron to incoming weights of norm 1, which changes nothing that a
        network of ReLUs computes.
    drop
        Leave out neurons without edges (`isolated`), every part that does not reach from the first
        layer to the last (`detached`), or neurons whose weights are next to nothing
        (`negligible`: together less than a thousandth of the median).
    """

    input_shape: tuple[int, int, int] | None = None
    classes: int = 10
    layers: Layers = "auto"
    norm: Norm = "l1"
    normalize: Annotated[bool, Parameter(negative="", show_default=False)] = False
    drop: Drop = "isolated"


def run_neurons(
    out: Path,
    *,
    network: Network,
    graph: GraphOptions | None = None,
    clusters: int = 12,
    null: str = "layer,layer_nonzero,degree",
    shuffles: int = 50,
    seed: int = 0,
    workers: int | None = None,
    work: Work | None = None,
) -> Path:
    """Cluster a network's neurons by their weights, and compare with shuffled weights.

    Spectral clustering of the neurons, its normalised cut, and that of networks with the same
    weights in other places. The same command goes on after an interruption; more shuffles or
    other null models keep what is there.

    Parameters
    ----------
    out
        Folder: `metrics/*.parquet`, `figures/neurons.png` and `nulls.png`, `exports/` for Gephi.
    network
        Model and weights.
    graph
        How it becomes a graph.
    clusters
        How many clusters, K. n-cuts of different K do not compare.
    null
        What is kept of each weight matrix when its values are shuffled, separated by commas:
        `layer` nothing, `layer_nonzero` which are 0, `degree` the number of edges of each neuron.
    shuffles
        Shuffled networks for each null model; 0 for none.
    seed
        Seed of the clustering and of the shuffles.
    workers
        Processes that shuffle; one a processor by default. They change nothing but the time.
    work
        Whether to begin anew, and to show progress.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ModelError, WeightsError, LayerError
        When the network cannot be used.
    GraphError
        When its weights are not finite, a layer has no neuron left, or the options do not fit.
    RunError
        When the folder holds something else.
    """
    graph, work = graph or GraphOptions(), work or Work()
    nulls = _nulls(null) if shuffles else []
    _check(shuffles, workers, seed)
    require_writable(out)
    model, shape = open_model(network, graph, seed=seed)
    found = _build(model, shape, graph)
    check_clusters(clusters, found.n_nodes)
    subject = digest_json([digest_state(model), asdict(graph), clusters, seed])
    folder = StudyFolder(out, "neurons", subject=subject, force=work.force)
    _tell_size(found)
    labels = spectral_partition(found.adjacency, clusters, seed=seed)
    table = shuffle_graph(
        found,
        nulls=nulls,
        clusters=clusters,
        shuffles=shuffles,
        seed=seed,
        workers=workers or thread_count(),
        parts=folder.root / "variants",
        identity=subject,
        show=work.progress,
    )
    folder.begin()
    title = f"{network.model.split('/')[-1]}, {plural(clusters, 'cluster')}"
    return _report(folder, found, labels, table, title=title, clusters=clusters, seed=seed)


def open_model(
    network: Network, graph: GraphOptions, *, seed: int = 0
) -> tuple[nn.Module, tuple[int, ...]]:
    """Build the network; return it and the shape of an image.

    Raises
    ------
    ModelError, WeightsError
        When it cannot be used.
    """
    own = read_architecture(Path(network.model)).input_shape if is_saved(network.model) else SHAPE
    shape = tuple(graph.input_shape or own)
    model = load_model(
        network.model,
        weights=network.weights,
        classes=None if network.model.startswith("torchvision:") else graph.classes,
        input_shape=shape,
        seed=seed,
    )
    return model, shape


def _build(model: nn.Module, shape: tuple[int, ...], options: GraphOptions) -> NeuronGraph:
    return neuron_graph(
        model,
        shape,
        layers=options.layers,
        norm=options.norm,
        normalize=options.normalize,
        drop=options.drop,
    )


def _tell_size(graph: NeuronGraph) -> None:
    log.info(
        "%s in %s, %s",
        plural(graph.n_nodes, "neuron"), plural(len(graph.widths), "layer"),
        plural(graph.adjacency.nnz // 2, "edge"),
    )  # fmt: skip


def _nulls(text: str) -> list[NullName]:
    """Null models in the given order."""
    known = {str(name): name for name in NULLS}
    words = list(dict.fromkeys(filter(None, (word.strip() for word in text.split(",")))))
    for word in words:
        if word not in known:
            raise GraphError(f"there is no null model {word!r}", f"choose from {', '.join(known)}")
    if not words:
        raise GraphError("--null names no null model", f"choose from {', '.join(known)}")
    return [known[word] for word in words]


def _check(shuffles: int, workers: int | None, seed: int) -> None:
    if shuffles < 0:
        raise GraphError(f"--shuffles {shuffles} is no number of shuffles", "give 0 or more")
    if workers is not None and workers < 1:
        raise GraphError(f"--workers {workers} do no work", "give at least 1")
    if seed < 0:
        raise GraphError(f"--seed {seed} is negative", "give 0 or more")


def _report(
    folder: StudyFolder,
    graph: NeuronGraph,
    labels: NDArray[np.int32],
    shuffles: pd.DataFrame,
    *,
    title: str,
    clusters: int,
    seed: int,
) -> Path:
    """Write tables, figures and graph files, and say what came out."""
    partition = _write_partition(folder, graph, labels, clusters=clusters)
    ncut = float(partition["ncut"].iloc[0])
    files = _draw_graph(folder, graph, labels, title=f"{title}  ·  n-cut {ncut:.2f}")
    nulls = None
    if len(shuffles):
        nulls = null_rows(ncut, shuffles)
        write_table(shuffles, folder.table("neuron_shuffles"), "neuron_shuffles")
        write_table(nulls, folder.table("neuron_nulls"), "neuron_nulls")
        files += _draw_nulls(folder, ncut, shuffles, nulls, title=title)
    else:
        _remove_nulls(folder)
    _export(folder, graph, labels, network=title.split(",")[0])
    parameters = {
        "clusters": clusters,
        "seed": seed,
        "nulls": [] if nulls is None else nulls["null"].tolist(),
        "shuffles": 0 if nulls is None else int(nulls["shuffles"].iloc[0]),
        "layers": list(graph.layer_names),
        "widths": list(graph.widths),
    }
    return folder.finish(parameters, reading=read_clusters(partition, nulls), files=files)


def _write_partition(
    folder: StudyFolder, graph: NeuronGraph, labels: NDArray[np.int32], *, clusters: int
) -> pd.DataFrame:
    """Write the tables of the clusters; return that of the whole."""
    write_table(neuron_rows(graph, labels), folder.table("neurons"), "neurons")
    rows = cluster_rows(graph, labels)
    write_table(rows, folder.table("neuron_clusters"), "neuron_clusters")
    rows = composition_rows(graph, labels)
    write_table(rows, folder.table("neuron_layers"), "neuron_layers")
    partition = partition_row(graph, labels, clusters=clusters)
    write_table(partition, folder.table("neuron_partition"), "neuron_partition")
    return partition


def _remove_nulls(folder: StudyFolder) -> None:
    """Remove what an earlier run, which had shuffles, said of them."""
    for stale in ("neuron_shuffles", "neuron_nulls"):
        folder.table(stale).unlink(missing_ok=True)
    for path in folder.figures.glob("nulls.*"):
        path.unlink()


def _export(
    folder: StudyFolder, graph: NeuronGraph, labels: NDArray[np.int32], *, network: str
) -> None:
    export = NeuronExport(graph=graph, labels=labels, network=network)
    write_neurons_graphml(export, folder.root / "exports" / "neurons.graphml")
    write_neurons_gexf(export, folder.root / "exports" / "neurons.gexf")
    if export.left_out:
        log.info(
            "the files for Gephi have the %s strongest edges of %s",
            f"{len(export.edges[1]):,}", f"{graph.adjacency.nnz // 2:,}",
        )  # fmt: skip


def _draw_graph(
    folder: StudyFolder, graph: NeuronGraph, labels: NDArray[np.int32], *, title: str
) -> list[str]:
    def draw(figure: Figure) -> None:
        draw_neurons(graph, labels, figure, title=title)

    width = float(np.clip(3 + 1.2 * len(graph.widths), 7, 16))
    return save_panels(folder.figures / "neurons", draw, size=(width, 7.0))


def _draw_nulls(
    folder: StudyFolder, ncut: float, shuffles: pd.DataFrame, nulls: pd.DataFrame, *, title: str
) -> list[str]:
    def draw(figure: Figure) -> None:
        draw_nulls(shuffles, nulls, figure, ncut=ncut)
        figure.suptitle(title, x=0.01, ha="left")

    return save_panels(folder.figures / "nulls", draw, size=(6.5, 1.0 + 1.7 * len(nulls)))
