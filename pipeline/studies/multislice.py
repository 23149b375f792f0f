"""`stratagraph study multislice`: communities of all layers at once, followed through depth."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from graphs.files import digest_json
from graphs.multislice import check_coupling, multislice_communities, require_leidenalg
from graphs.multislice_rows import (
    community_blocks,
    compare_layers,
    node_table,
    own_communities,
)
from graphs.plots_flow import flow_legend, plot_flow
from graphs.runs import holds
from graphs.snapshots import DynamicGraph
from graphs.tables import read_frame, write_table
from graphs.temporal_rows import flow_rows
from pipeline.console import plural
from pipeline.figures import save_panels
from pipeline.graph_sets import GraphSet
from pipeline.options import Work
from pipeline.progress import progress_bar
from pipeline.studies.folder import StudyFolder
from pipeline.studies.stored import open_sets, run_name, source_title, subject_of

COUPLING = 0.2
TABLES = ("multislice", "multislice_nodes")


def study_multislice(
    run: Path, *, out: Path, coupling: float = COUPLING, work: Work | None = None
) -> Path:
    """Find communities of all layers at once, and follow the samples through them.

    Every sample is coupled to itself in the next layer, so that a community goes through layers
    and keeps its number. Compared with the communities of each layer on its own. Reads what the
    run holds; no network is run.

    Parameters
    ----------
    run
        A run folder, with stages 1 and 2 finished.
    out
        Folder of the study: `metrics/multislice.parquet` (layers), `multislice_nodes.parquet`,
        `figures/multislice.png`.
    coupling
        Weight of the coupling, omega: with 0 every layer is on its own, the larger it is the
        less changes from layer to layer. A link between samples weighs up to 1.
    work
        Whether to do finished work again, and to show progress.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ResourceError
        When leidenalg (extra `multislice`) is not installed.
    RunError
        When the run is not finished.
    GraphError
        When the coupling is no weight.
    """
    work = work or Work()
    require_leidenalg()
    check_coupling(coupling)
    sets = open_sets(run)
    folder = StudyFolder(out, "multislice", subject=subject_of(sets[0].run), force=work.force)
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in TABLES}
    with progress_bar("repeats", len(sets), show=work.progress, unit="repeats") as advance:
        for item in sets:
            found = _measure(folder, item, coupling=coupling)
            for name in TABLES:
                tables[name].append(found[name])
            advance(1)
    whole = {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}
    folder.begin()
    write_table(whole["multislice"], folder.table("multislice"), "multislice")
    write_table(whole["multislice_nodes"], folder.table("multislice_nodes"), "multislice_nodes")
    title = f"{source_title(sets[0])}  ·  {plural(sets[0].n_nodes, 'sample')}"
    if len(sets) > 1:
        title += f"  ·  repeat {sets[0].folder.repeat}"
    files = _draw(folder, sets[0], whole["multislice_nodes"], title=title, coupling=coupling)
    parameters = {"run": run_name(sets[0]), "coupling": coupling, "seed": sets[0].seed}
    return folder.finish(parameters, reading=read_layers(whole["multislice"]), files=files)


def _measure(folder: StudyFolder, item: GraphSet, *, coupling: float) -> dict[str, pd.DataFrame]:
    """Find the communities of one repeat, unless its tables are there."""
    place = folder.root / "variants" / f"repeat-{item.folder.repeat:03d}"
    digest = digest_json([item.digests[-1], coupling])
    paths = {name: place / f"{name}.parquet" for name in TABLES}
    if not all(holds(paths[name], name, digest) for name in TABLES):  # type: ignore[arg-type]
        graph = item.graph()
        together = multislice_communities(graph.snapshots, coupling=coupling, seed=item.seed)
        own = own_communities(graph, seed=item.seed)
        repeat = np.int32(item.folder.repeat)
        layers = compare_layers(graph, together, own).assign(repeat=repeat, coupling=coupling)
        nodes = node_table(graph, together).assign(repeat=repeat)
        folder.begin()
        write_table(layers, paths["multislice"], "multislice", metadata={"digest": digest})
        write_table(
            nodes, paths["multislice_nodes"], "multislice_nodes", metadata={"digest": digest}
        )
    return {
        "multislice": read_frame(paths["multislice"], "multislice"),
        "multislice_nodes": read_frame(paths["multislice_nodes"], "multislice_nodes"),
    }


def _draw(
    folder: StudyFolder, item: GraphSet, nodes: pd.DataFrame, *, title: str, coupling: float
) -> list[str]:
    """Draw the flow through both kinds of communities, one above the other."""
    graph = item.graph()
    here = nodes[nodes["repeat"] == item.folder.repeat]
    together = here["community"].to_numpy(np.int32).reshape(len(graph.snapshots), -1)
    named = graph.nodes.drop_duplicates("label").sort_values("label")
    classes = dict(zip(named["label"].tolist(), named["label_name"].tolist(), strict=True))
    kinds = {
        "each layer on its own": own_communities(graph, seed=item.seed),
        f"all layers at once, ω = {coupling:g}": together,
    }

    def draw(figure: Figure) -> None:
        for ax, (name, parts) in zip(figure.subplots(len(kinds), 1), kinds.items(), strict=True):
            blocks = community_blocks(graph, parts)
            plot_flow(_flows(graph, parts), blocks, ax, classes=classes, title=name)
        flow_legend(classes, figure)
        figure.suptitle(title, x=0.01, ha="left")

    width = min(16.0, 4.0 + 0.9 * len(graph.snapshots))
    return save_panels(folder.figures / "multislice", draw, size=(width, 8.0))


def _flows(graph: DynamicGraph, parts: np.ndarray) -> pd.DataFrame:
    rows = node_table(graph, parts).assign(variant=graph.name, repeat=0)
    return flow_rows(rows.assign(matched=rows["community"]))


def read_layers(layers: pd.DataFrame) -> str:
    """Say how the communities of all layers compare with those of each layer on its own.

    Examples
    --------
    >>> columns = {"layer_index": [0, 1], "layer": ["a", "b"], "repeat": 0, "coupling": 1.0}
    >>> columns |= {"ami": [0.1, 0.9], "ami_leiden": [0.2, 0.8], "n_communities": [9, 10]}
    >>> columns |= {"kept": [float("nan"), 0.75], "kept_leiden": [float("nan"), 0.5]}
    >>> read_layers(pd.DataFrame(columns))[:69]
    'From layer to layer, 75 % of the samples stay in their community when'
    """
    means = layers.groupby(["layer_index", "layer"], sort=True).mean(numeric_only=True)
    names = means.index.get_level_values("layer")
    first, last = means.iloc[0], means.iloc[-1]
    agreement = (
        f"agreement with the classes (AMI) goes from {first['ami']:.2f} ({names[0]}) to "
        f"{last['ami']:.2f} ({names[-1]}); on their own from {first['ami_leiden']:.2f} to "
        f"{last['ami_leiden']:.2f}."
    )
    if len(means) == 1:
        return f"One layer: its a{agreement[1:]}"
    kept, own = (100 * means[name].mean() for name in ("kept", "kept_leiden"))
    steps = means["kept"].iloc[1:]
    change = names[1:][int(np.argmin(steps))]
    # where everything stays there is no such layer
    most = f"; most change at {change} ({100 * steps.min():.0f} % stay)" if steps.min() < 1 else ""
    return (
        f"From layer to layer, {kept:.0f} % of the samples stay in their community when all layers "
        f"are looked at together (ω = {layers['coupling'].iloc[0]:g}), {own:.0f} % when each is on "
        f"its own{most}. Together, their {agreement}"
    )
