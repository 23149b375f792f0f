"""Stage 3: k-NN edges in; metric tables, figures and graph files out."""

import textwrap
from pathlib import Path
from typing import Any

import pandas as pd

from graphs.errors import CorruptFileError
from graphs.export import export_dynamic
from graphs.files import digest_json, read_json, remove_tree, write_json
from graphs.measures import LayerMeasures, MetricTables, collect, measure_layer
from graphs.neighbors import KnnGraph
from graphs.runs import MetricTable, RepeatFolder, Run, holds
from graphs.schema import TableName
from graphs.snapshots import DynamicGraph, Snapshot
from graphs.tables import read_frame, read_metadata, write_table
from pipeline.console import command_line, log, plural, progress_bar
from pipeline.devices import run_folder
from pipeline.edge_files import edges_digest, read_edges
from pipeline.figures import draw_figures, find_published
from pipeline.options import Outputs, Work
from pipeline.summary import curve_table, reading

WIDTH = 79
# file name: schema; the layers table comes last: where it is, the others are
TABLES: dict[MetricTable, TableName] = {
    "nodes": "node_metrics",
    "communities": "communities",
    "classes": "classes",
    "layers": "layers",
}


def measure_graphs(out: Path, *, outputs: Outputs | None = None, work: Work | None = None) -> Path:
    """Stage 3: measure the graphs; write tables, figures and files for Gephi.

    Modularity of the true classes with its terms, Leiden communities and their agreement with the
    classes, and what each node's links look like. Layers that are measured already are left
    alone.

    Parameters
    ----------
    out
        The run folder.
    outputs
        What is written beside the tables.
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
    outputs, work = outputs or Outputs(), work or Work()
    out = run_folder(out)
    run = Run(out)
    source, links = run.stage("activations"), run.stage("edges")
    behind = find_published(outputs.published, source["parameters"]) if outputs.published else None
    run.sweep()
    sets = [_GraphSet(run, item, source, links) for item in source["sets"]]
    parameters = {
        "seed": source["parameters"]["seed"],
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
        return _tell(run)
    run.reopen("communities")
    total = sum(len(item.layers) for item in sets)
    log.info("stage 3: %s of %d nodes to measure", plural(total, "graph"), sets[0].n_nodes)
    with progress_bar("measuring", total, show=work.progress, unit="graphs") as advance:
        for item in sets:
            for position in range(len(item.layers)):
                item.measure(position)
                advance(1)
    with progress_bar("exporting", len(sets), show=work.progress, unit="repeats") as advance:
        files = []
        for item in sets:
            files += item.export(gzip=outputs.gzip)
            advance(1)
    tables = collect([item.tables() for item in sets])
    for name, schema in TABLES.items():
        path = run.table(name)
        write_table(getattr(tables, name), path, schema, metadata={"digest": digest})
    figures = draw_figures(run.figures, tables, source["parameters"], published=behind)
    entry |= {"exports": files, "figures": figures}
    run.finish("communities", entry, command=command_line())
    remove_tree(run.parts)
    return _tell(run)


class _GraphSet:
    """The graphs of one node set, and the measures of each that are kept until all are done."""

    def __init__(
        self, run: Run, item: dict[str, Any], source: dict[str, Any], links: dict[str, Any]
    ) -> None:
        self.run, self.links, self.layers = run, links, item["layers"]
        self.folder: RepeatFolder = run.repeat(item["variant"], item["repeat"])
        self.nodes = read_frame(self.folder.nodes, "nodes")
        self.n_nodes = len(self.nodes)
        self.seed = int(source["parameters"]["seed"])
        self.class_names = dict(enumerate(source["label_names"]))
        self.parts = run.parts / self.folder.name
        self.digests = []
        chain = item["digest"]
        for layer in self.layers:
            # communities are matched to the layer before: a layer's tables depend on all of those
            chain = digest_json([chain, edges_digest(layer, links["parameters"]), self.seed])
            self.digests.append(chain)

    def measure(self, position: int) -> None:
        """Measure one layer, unless its tables are there."""
        if holds(self._part(position, "layers"), "layers", self.digests[position]):
            return
        knn = self._neighbours(position)
        previous = self._read(position - 1, "nodes")["matched"] if position else None
        measures = measure_layer(
            self._snapshot(position, knn),
            knn,
            self.nodes,
            variant=self.folder.variant,
            repeat=self.folder.repeat,
            previous_communities=previous,
            seed=self.seed,
        )
        for name, schema in TABLES.items():
            path = self._part(position, name)
            digest = {"digest": self.digests[position]}
            write_table(getattr(measures, name), path, schema, metadata=digest)

    def export(self, *, gzip: bool) -> list[str]:
        """Write the graph files, unless they are there; return their names."""
        marker, digest = self.parts / "exports.json", digest_json([self.digests[-1], gzip])
        if marker.exists() and (found := read_json(marker))["digest"] == digest:
            names = list(found["files"])
            if all((self.run.exports / name).exists() for name in names):
                return names
        marker.unlink(missing_ok=True)  # before the files it speaks of change
        knn = [self._neighbours(position) for position in range(len(self.layers))]
        graph = DynamicGraph(
            name=self.folder.name,
            nodes=self.nodes,
            snapshots=tuple(self._snapshot(at, graph) for at, graph in enumerate(knn)),
        )
        tables = self.tables()
        for old in self.run.graph_files(self.folder.name):
            old.unlink()
        files = export_dynamic(
            graph,
            self.run.exports,
            communities=tables.nodes["matched"].to_numpy().reshape(len(knn), -1),
            modularity=tables.layers["modularity"].tolist(),
            class_names=self.class_names,
            k=knn[0].k,
            metric=knn[0].metric,
            gzip=gzip,
            seed=self.seed,
        )
        names = [path.name for path in files]
        write_json(marker, {"digest": digest, "files": names})
        return names

    def tables(self) -> MetricTables:
        """Return the measured tables of all layers."""
        return collect(
            LayerMeasures(**{name: self._read(position, name) for name in TABLES})
            for position in range(len(self.layers))
        )

    def _part(self, position: int, name: str) -> Path:
        return self.parts / f"layer={position:03d}" / f"{name}.parquet"

    def _read(self, position: int, name: MetricTable) -> pd.DataFrame:
        return read_frame(self._part(position, name), TABLES[name])

    def _neighbours(self, position: int) -> KnnGraph:
        layer = self.layers[position]
        path = self.folder.edges(layer["index"])
        expected = edges_digest(layer, self.links["parameters"])
        if read_metadata(path, "edges").get("digest") != expected:
            raise CorruptFileError(
                f"{path} is not from this run's stage 2", "run stage 2 (edges) again"
            )
        return read_edges(path, self.n_nodes)

    def _snapshot(self, position: int, knn: KnnGraph) -> Snapshot:
        layer = self.layers[position]
        return Snapshot.from_knn(knn, layer_index=layer["index"], layer=layer["name"])


def _finished(run: Run, entry: dict[str, Any]) -> bool:
    """Whether the stage is done for these inputs and its files are still there."""
    recorded = run.recorded("communities")
    return (
        recorded.get("digest") == entry["digest"]
        and recorded["parameters"] == entry["parameters"]
        and all(holds(run.table(name), TABLES[name], entry["digest"]) for name in TABLES)
        and all((run.exports / name).exists() for name in recorded["exports"])
        and all((run.figures / name).exists() for name in recorded["figures"])
    )


def _tell(run: Run) -> Path:
    """Show the curve and what it says."""
    layers = read_frame(run.table("layers"), "layers")
    log.info("\n%s\n\n%s\n", curve_table(layers), textwrap.fill(reading(layers), WIDTH))
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
