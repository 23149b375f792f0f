"""One layer's directed list on disk."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from graphs.errors import CorruptFileError
from graphs.files import digest_json, read_json, write_json
from graphs.neighbors import KnnGraph
from graphs.tables import read_frame, read_metadata, write_table

KINDS = ("certified", "repaired", "recomputed")


def edges_digest(layer: dict[str, Any], options: dict[str, Any]) -> str:
    """Return the digest of what one layer's edges are made from."""
    return digest_json({"activations": layer["digest"], **options})


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
        "recall": repr(graph.recall),
        "recall_error": repr(graph.recall_error),
        "setting": graph.setting,
        "project": str(graph.project),
        "project_q_shift": "" if graph.project_q_shift is None else repr(graph.project_q_shift),
    }
    return write_table(frame, path, "edges", metadata=metadata)


def proof_path(edges: Path) -> Path:
    """Return where it stands how the neighbours in a file of edges were proven."""
    return edges.with_suffix(".json")


def write_proof(graph: KnnGraph, edges: Path, *, digest: str) -> None:
    """Write how the engine `certified` proved a layer's neighbours; of others, nothing.

    Not into the edges: the counts depend on machine and memory, and equal neighbours are equal
    files.
    """
    path = proof_path(edges)
    if not graph.product:
        path.unlink(missing_ok=True)
        return
    counts = {name: getattr(graph, name) for name in KINDS}
    write_json(path, {"digest": digest, "product": graph.product} | counts)


def sum_proofs(edges: Mapping[Path, str]) -> dict[str, Any]:
    """Sum up how the engine `certified` proved the neighbours of some layers, for the manifest.

    Parameters
    ----------
    edges : mapping of Path to str
        The layers' files and their digests.

    Returns
    -------
    dict
        ``layers`` that it linked, ``products`` (how many were multiplied in which type) and
        ``certified``, ``repaired``, ``recomputed`` rows; empty where another engine searched.
    """
    proofs = [
        found
        for path, digest in edges.items()
        if proof_path(path).exists() and (found := read_json(proof_path(path)))["digest"] == digest
    ]
    if not proofs:
        return {}
    return {
        "layers": len(proofs),
        "products": dict(sorted(Counter(proof["product"] for proof in proofs).items())),
    } | {name: sum(proof[name] for proof in proofs) for name in KINDS}


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
        # columns that came later: files without them are of exact searches
        recall=float(said.get("recall", 1.0)),
        recall_error=float(said.get("recall_error", 0.0)),
        setting=said.get("setting", ""),
        project=int(said.get("project", 0)),
        project_q_shift=float(said["project_q_shift"]) if said.get("project_q_shift") else None,
    )
