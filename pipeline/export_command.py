"""`stratagraph export`: the graph files of a finished run, written again."""

from pathlib import Path

from graphs.export import export_dynamic
from graphs.export.gexf import Representation
from graphs.runs import Run
from graphs.snapshots import DynamicGraph, Snapshot
from graphs.tables import read_frame
from pipeline.devices import output_folder, require_writable
from pipeline.edge_files import read_edges
from pipeline.options import Flag


def export_graphs(
    out: Path,
    *,
    to: Path | None = None,
    gzip: Flag = False,
    representation: Representation = "interval",
) -> Path:
    """Write the graphs of a run for Gephi again.

    For every repeat: a GraphML file a layer, their union, and one dynamic GEXF file.

    Parameters
    ----------
    out
        The run folder, or its URL; its three stages are finished.
    to
        Folder or URL for the files; by default `exports` in the run folder.
    gzip
        Compress them. Gephi opens them, Gephi Lite does not.
    representation
        How the dynamic file tells time: `interval` (Gephi and NetworkX) or `timestamp` (smaller,
        Gephi only).

    Returns
    -------
    Path
        The folder with the files.

    Raises
    ------
    RunError
        When the run is not finished.
    """
    run = Run(out)
    source, seed = run.stage("activations"), run.stage("communities")["parameters"]["seed"]
    run.stage("edges")
    folder = output_folder(to) if to else run.exports
    require_writable(folder, option="--to" if to else "--out")
    layers = read_frame(run.table("layers"), "layers")
    metrics = read_frame(run.table("nodes"), "node_metrics")
    for item in source["sets"]:
        place = run.repeat(item["variant"], item["repeat"])
        nodes = read_frame(place.nodes, "nodes")
        lists = [read_edges(place.edges(layer["index"]), len(nodes)) for layer in item["layers"]]
        graph = DynamicGraph(
            name=place.name,
            nodes=nodes,
            snapshots=tuple(
                Snapshot.from_knn(knn, layer_index=layer["index"], layer=layer["name"])
                for knn, layer in zip(lists, item["layers"], strict=True)
            ),
        )
        here = "variant == @place.variant and repeat == @place.repeat"
        export_dynamic(
            graph,
            folder,
            communities=metrics.query(here)["matched"].to_numpy().reshape(len(lists), -1),
            modularity=layers.query(here)["modularity"].tolist(),
            class_names=dict(enumerate(source["label_names"])),
            k=lists[0].k,
            metric=lists[0].metric,
            representation=representation,
            gzip=gzip,
            seed=seed,
        )
    return folder
