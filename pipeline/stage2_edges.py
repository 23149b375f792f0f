"""Stage 2: activation shards in, k-NN edges out."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from graphs.errors import ActivationError, CorruptFileError
from graphs.files import digest_json
from graphs.neighbors import KnnGraph, knn
from graphs.neighbors.knn import check_k, resolve_engine
from graphs.runs import RepeatFolder, Run, holds
from graphs.shards import LayerRows
from graphs.tables import read_frame, read_metadata, write_table
from pipeline.console import command_line, log, plural, progress_bar
from pipeline.devices import memory_budget, resolve_device
from pipeline.options import Machine, Neighbours, Work


def build_edges(
    out: Path,
    *,
    neighbours: Neighbours | None = None,
    machine: Machine | None = None,
    work: Work | None = None,
) -> Path:
    """Stage 2: link every sample to its most similar samples, in every layer.

    Reads the activations of a finished stage 1 in blocks that fit into --memory. Layers whose
    edges are there already are left alone.

    Parameters
    ----------
    out
        The run folder.
    neighbours
        k, metric and engine.
    machine
        Memory and device.
    work
        Whether to do finished work again, and to show progress.

    Returns
    -------
    Path
        The run folder.

    Raises
    ------
    RunError
        When stage 1 is not finished.
    GraphError
        When k does not fit the number of samples.
    CorruptFileError
        When a shard is missing, truncated or damaged.
    """
    neighbours = neighbours or Neighbours()
    machine, work = machine or Machine(), work or Work()
    memory_budget(machine.memory)
    resolve_device(machine.device)
    run = Run(out)
    source = run.stage("activations")
    samples = int(source["parameters"]["samples"])
    check_k(neighbours.k, samples)
    options: dict[str, Any] = {
        "k": neighbours.k,
        "metric": neighbours.metric,
        "engine": resolve_engine(neighbours.engine),
    }
    run.sweep()
    units = [
        (run.repeat(item["variant"], item["repeat"]), layer)
        for item in source["sets"]
        for layer in item["layers"]
    ]
    digests = [edges_digest(layer, options) for _, layer in units]
    todo = [
        work.force or not holds(folder.edges(layer["index"]), "edges", digest)
        for (folder, layer), digest in zip(units, digests, strict=True)
    ]
    if any(todo) or options != run.recorded("edges").get("parameters"):
        run.reopen("edges")
    log.info(
        "stage 2: %s, k=%d, %s, engine %s",
        f"{sum(todo)} of {plural(len(units), 'graph')} to link"
        if any(todo)
        else "all of it is there, nothing to do",
        neighbours.k,
        neighbours.metric,
        options["engine"],
    )
    with progress_bar("linking", sum(todo), show=work.progress, unit="layers") as advance:
        for (folder, layer), digest, wanted in zip(units, digests, todo, strict=True):
            if wanted:
                graph = _link(folder, layer, samples, neighbours, machine)
                write_edges(graph, folder.edges(layer["index"]), layer=layer, digest=digest)
                advance(1)
    run.finish("edges", {"parameters": options, "device": machine.device}, command=command_line())
    return out


def edges_digest(layer: dict[str, Any], options: dict[str, Any]) -> str:
    """Return the digest of what one layer's edges are made from."""
    return digest_json({"activations": layer["digest"], **options})


def _link(
    folder: RepeatFolder,
    layer: dict[str, Any],
    samples: int,
    neighbours: Neighbours,
    machine: Machine,
) -> KnnGraph:
    """Find the neighbours in one layer, from its shards."""
    name = f"layer {layer['index']} ({layer['name']})"
    parts = sorted(folder.layer(layer["index"]).glob("part-*.parquet"))
    if not parts:
        raise CorruptFileError(
            f"{name} has no shards in {folder.layer(layer['index'])}",
            "run stage 1 (activations) again; what is there is kept",
        )
    for part in parts:
        if read_metadata(part, "activations").get("digest") != layer["digest"]:
            raise CorruptFileError(
                f"{part} is not from this run's stage 1", "run stage 1 (activations) again"
            )
    rows = LayerRows(parts)
    if len(rows) != samples:
        raise CorruptFileError(
            f"{name} has {len(rows)} of {samples} samples in {parts[0].parent}",
            "run stage 1 (activations) again; what is there is kept",
        )
    try:
        graph = knn(
            rows,
            neighbours.k,
            metric=neighbours.metric,
            engine=neighbours.engine,
            device=machine.device,
            memory=memory_budget(machine.memory),
        )
    except ActivationError as error:
        raise ActivationError(f"{name}: {error.problem}", error.remedy) from error
    if graph.zero_rows == graph.n_nodes:
        raise ActivationError(
            f"{name}: all {graph.n_nodes} activation rows are zero, they have no direction",
            "leave the layer out with --layers, or check the weights",
        )
    if graph.zero_rows:
        log.warning(
            "%s: %d of %d rows are zero; their similarity to everything is 0",
            name,
            graph.zero_rows,
            graph.n_nodes,
        )
    return graph


def write_edges(graph: KnnGraph, path: Path, *, layer: dict[str, Any], digest: str) -> Path:
    """Write one layer's directed list: k rows a source, most similar first."""
    n, k = graph.indices.shape
    frame = pd.DataFrame(
        {
            "source": np.repeat(np.arange(n, dtype=np.int32), k),
            "target": graph.indices.ravel(),
            "rank": np.tile(np.arange(1, k + 1, dtype=np.int16), n),
            "weight": graph.weights.ravel(),
        }
    )
    metadata = {
        "digest": digest,
        "layer_index": str(layer["index"]),
        "layer": layer["name"],
        "k": str(k),
        "metric": graph.metric,
        "engine": graph.engine,
        "exact": str(graph.exact).lower(),
        "zero_rows": str(graph.zero_rows),
    }
    return write_table(frame, path, "edges", metadata=metadata)


def read_edges(path: Path, n_nodes: int) -> KnnGraph:
    """Read one layer's directed list back.

    Raises
    ------
    CorruptFileError
        When the file is damaged or does not hold k rows for each of `n_nodes` sources.
    """
    said = read_metadata(path, "edges")
    frame = read_frame(path, "edges")
    k = int(said["k"])
    source = frame["source"].to_numpy()
    if not np.array_equal(source, np.repeat(np.arange(n_nodes), k)):
        raise CorruptFileError(
            f"{path} does not hold {k} rows for each of {n_nodes} samples",
            "delete it and run stage 2 (edges) again",
        )
    return KnnGraph(
        indices=frame["target"].to_numpy(np.int32).reshape(n_nodes, k),
        weights=frame["weight"].to_numpy(np.float32).reshape(n_nodes, k),
        metric=said["metric"],  # type: ignore[arg-type]  # written from a Metric
        engine=said["engine"],
        exact=said["exact"] == "true",
        zero_rows=int(said["zero_rows"]),
    )


if __name__ == "__main__":
    from pipeline.cli import run_command

    run_command("edges")
