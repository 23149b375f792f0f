"""Stage 3: k-NN edges in; metric tables, figures and graph files out."""

from pathlib import Path
from typing import Any

import pandas as pd

from graphs.confidence import DRAWS, PERMUTATIONS
from graphs.files import digest_json, remove_tree
from graphs.measures import MetricTables, collect
from graphs.rewiring import check_rewirings
from graphs.runs import Run, holds
from graphs.tables import read_frame, write_table
from pipeline.cluster import Cluster
from pipeline.console import command_line, fill, log, plural, show_table, text_width
from pipeline.devices import run_folder
from pipeline.figures import draw_figures, find_published
from pipeline.graph_sets import TABLES, GraphSet
from pipeline.measuring import export_on_cluster, measure_here, measure_on_cluster
from pipeline.options import Machine, Outputs, Work
from pipeline.parallel import open_cluster
from pipeline.progress import progress_bar, skip_stage, stage
from pipeline.summary import curve_rows, curve_table, paragraphs


@stage("communities")
def measure_graphs(
    out: Path,
    *,
    outputs: Outputs | None = None,
    machine: Machine | None = None,
    work: Work | None = None,
) -> Path:
    """Stage 3: measure the graphs; write tables, figures and files for Gephi.

    Modularity of the true classes with its terms, Leiden communities and their agreement with the
    classes, and what each node's links look like. Layers that are measured already are left
    alone.

    Parameters
    ----------
    out
        The run folder, or a URL such as `s3://bucket/run`.
    outputs
        What is written beside the tables.
    machine
        The executor. Memory and device are for the other stages.
    work
        Whether to do finished work again, and to show progress.

    Returns
    -------
    Path
        The run folder.

    Raises
    ------
    RunError
        When stage 2 is not finished.
    GraphError
        When a graph has no weight, or the samples are of one class.
    CorruptFileError
        When a table is missing, truncated or damaged.
    """
    outputs, machine, work = outputs or Outputs(), machine or Machine(), work or Work()
    check_rewirings(outputs.rewirings)
    out = run_folder(out)
    run = Run(out)
    source, links = run.stage("activations"), run.stage("edges")
    behind = find_published(outputs.published, source["parameters"]) if outputs.published else None
    run.sweep()
    sets = [
        GraphSet(run, item, source, links, rewirings=outputs.rewirings) for item in source["sets"]
    ]
    parameters = {
        "seed": source["parameters"]["seed"],
        "permutations": PERMUTATIONS,
        "draws": DRAWS,
        "rewirings": outputs.rewirings,
        "gzip": outputs.gzip,
        "published": str(outputs.published) if outputs.published else None,
    }
    digest = digest_json([item.digests for item in sets])
    entry = {"parameters": parameters, "digest": digest}
    if work.force:
        remove_tree(run.parts)
    elif _finished(run, entry):
        remove_tree(run.parts)  # left behind when killed right at the end
        log.info("stage 3: all of it is there, nothing to do")
        skip_stage()
        return _tell(run)
    run.reopen("communities")
    with open_cluster(machine, out) as cluster:
        files = _measure(sets, cluster, outputs, work=work)
    tables = _write_tables(run, sets, digest)
    figures = draw_figures(run.figures, tables, source["parameters"], published=behind)
    entry |= {"exports": files, "figures": figures}
    run.finish("communities", entry, command=command_line())
    remove_tree(run.parts)
    return _tell(run)


def _write_tables(run: Run, sets: list[GraphSet], digest: str) -> MetricTables:
    """Put the tables of all node sets together and write them."""
    tables = collect([item.tables() for item in sets])
    metadata = {"digest": digest}
    for name, schema in TABLES.items():
        write_table(getattr(tables, name), run.table(name), schema, metadata=metadata)
    samples = pd.concat([item.samples() for item in sets], ignore_index=True)
    write_table(samples, run.table("samples"), "samples", metadata=metadata)
    return tables


def _measure(
    sets: list[GraphSet], cluster: Cluster | None, outputs: Outputs, *, work: Work
) -> list[str]:
    """Measure all layers and write the graph files; return the names of these."""
    total = sum(len(item.layers) for item in sets)
    log.info("stage 3: %s of %d nodes to measure", plural(total, "graph"), sets[0].n_nodes)
    with progress_bar("measuring", total, show=work.progress, unit="graphs") as advance:
        for _ in measure_on_cluster(cluster, sets) if cluster else measure_here(sets):
            advance(1)
    with progress_bar("exporting", len(sets), show=work.progress, unit="repeats") as advance:
        if cluster:
            return export_on_cluster(cluster, sets, gzip=outputs.gzip, advance=advance)
        files = []
        for item in sets:
            files += item.export(gzip=outputs.gzip)
            advance(1)
    return files


def _finished(run: Run, entry: dict[str, Any]) -> bool:
    """Whether the stage is done for these inputs and its files are still there."""
    recorded = run.recorded("communities")
    return (
        recorded.get("digest") == entry["digest"]
        and recorded["parameters"] == entry["parameters"]
        and all(holds(run.table(name), TABLES[name], entry["digest"]) for name in TABLES)
        and holds(run.table("samples"), "samples", entry["digest"])
        and all((run.exports / name).exists() for name in recorded["exports"])
        and all((run.figures / name).exists() for name in recorded["figures"])
    )


def _tell(run: Run) -> Path:
    """Show the curve and what it says."""
    layers = read_frame(run.table("layers"), "layers")
    told = paragraphs(
        layers,
        read_frame(run.table("class_pairs"), "class_pairs"),
        read_frame(run.table("samples"), "samples"),
    )
    text = "\n\n".join([curve_table(layers, width=text_width()), *map(fill, told)])
    show_table("layers", f"\n{text}\n", rows=curve_rows(layers), reading="\n".join(told))
    clipped = layers.loc[layers["clipped"] > 0]
    if len(clipped):
        log.warning(
            "%d links with a negative similarity count as 0 (layers %s)",
            clipped["clipped"].sum(), ", ".join(clipped["layer"].unique()),
        )  # fmt: skip
    return run.root


if __name__ == "__main__":
    from pipeline.cli import run_command

    run_command("communities")
