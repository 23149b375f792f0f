"""Finished runs that a study reads: features, neighbours and modularity of every layer."""

import shlex
from pathlib import Path
from typing import Any

from graphs.errors import RunError
from graphs.files import digest_json
from graphs.layer_pairs import Layers
from graphs.modularity import modularity
from graphs.places import folder_name, resolve_folder
from graphs.runs import Run
from graphs.shards import LayerRows
from pipeline.figures import caption
from pipeline.graph_sets import GraphSet
from pipeline.linking import LayerTask, open_rows
from pipeline.options import Machine, Neighbours

LISTED = 4


def open_sets(location: Path, *, features: bool = False) -> list[GraphSet]:
    """Open the node sets of a run, one a repeat.

    Parameters
    ----------
    location : Path
        The run folder, or its URL; stages 1 and 2 are finished.
    features : bool
        Whether features are read, which studies of many networks remove.

    Raises
    ------
    RunError
        When they are not, or features are wanted and gone, or the folder is no run.
    """
    if not (there := resolve_folder(location)).exists():
        raise RunError(f"there is no folder {there}", "name the folder of a finished run")
    if (there / "study.json").exists():
        raise _explain_study(there, features=features)
    run = Run(there)
    source, links = run.stage("activations"), run.stage("edges")
    if features and not _keeps_features(there):
        raise RunError(
            f"{there} keeps no features: studies of many networks remove them once linked",
            f"make a run of its own, on the same images: {_run_command(source)}",
        )
    return [GraphSet(run, item, source, links) for item in source["sets"]]


def _explain_study(there: Path, *, features: bool) -> RunError:
    """Say which runs can be named in place of a study: some read those of others."""
    place = there / "runs"
    runs = sorted(manifest.parent for manifest in place.glob("*/manifest.json"))
    problem = f"{there} is a study, not a run"
    if not runs:
        return RunError(
            f"{problem}, and holds no finished run", "name the folder of a finished run"
        )
    usable = [run for run in runs if not features or _keeps_features(run)]
    if not usable:
        return RunError(
            f"{problem}, and its runs keep no features: they were removed once linked",
            "make a run of the network that you mean, with stratagraph run, and name its folder",
        )
    more = ", ..." if len(usable) > LISTED else ""
    listed = ", ".join(run.name for run in usable[:LISTED]) + more
    return RunError(problem, f"name one of the runs in {place}: {listed}")


def _keeps_features(run: Path) -> bool:
    """Whether there is any feature table: a run of which some are lost says which itself."""
    return any(run.glob("variant=*/repeat=*/activations/layer=*/part-*.parquet"))


def _run_command(source: dict[str, Any]) -> str:
    """Return the command that measures the network of a run again, but for its images."""
    given = source["parameters"]["given"]
    words = ["stratagraph", "run", "--model", given["model"], "--weights", given["weights"]]
    return f"{shlex.join(map(str, words))} --out FOLDER"


def subject_of(*runs: Run) -> str:
    """Return what stands for the runs that a study reads: network, images, and no options."""
    return digest_json([run.stage("activations")["identity"] for run in runs])


def run_name(item: GraphSet) -> str:
    """Return what tables call the run: the name of its folder."""
    return folder_name(item.run.root)


def side(item: GraphSet, name: str) -> Layers:
    """Return the layers of a run under a name."""
    return Layers(run=name, names=[layer["name"] for layer in item.layers])


def source_title(item: GraphSet) -> str:
    """Return network and data set, as the figures of a run have them."""
    said = item.run.stage("activations")["parameters"]
    return caption(said["model"], said["dataset"], said["given"]["data"])


def layer_rows(item: GraphSet, position: int, machine: Machine) -> LayerRows:
    """Open the features of a layer, after checking that they are this run's.

    Raises
    ------
    CorruptFileError
        When a shard is missing, damaged or of another run.
    """
    task = LayerTask(
        folder=item.folder,
        layer=item.layers[position],
        samples=item.n_nodes,
        digest="",
        neighbours=Neighbours(),
        machine=machine,
    )
    return open_rows(task)


def layer_modularity(item: GraphSet, position: int) -> float:
    """Return Q of the classes in a layer, as stage 3 measures it."""
    knn = item.neighbours(position)
    return modularity(knn.indices, knn.weights, item.nodes["label"].to_numpy()).value
