"""Stage 2: activation shards in, k-NN edges out."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from graphs.neighbors.knn import check_k, check_search, explain_engine
from graphs.runs import Run
from pipeline.console import command_line, log, plural
from pipeline.devices import memory_budget, resolve_device, run_folder
from pipeline.edge_files import edges_digest, sum_proofs
from pipeline.linking import LayerTask, Linked, link_locally, memory_of
from pipeline.linking_pairs import link_on_cluster
from pipeline.options import Machine, Neighbours, Work
from pipeline.parallel import open_cluster
from pipeline.progress import progress_bar, skip_stage, stage


@stage("edges")
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
        The run folder, or a URL such as `s3://bucket/run`.
    neighbours
        k, metric and engine; for approximate neighbours, recall and projection.
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
        When k does not fit the number of samples, or an option the engine.
    CorruptFileError
        When a shard is missing, truncated or damaged.
    """
    neighbours = neighbours or Neighbours()
    machine, work = machine or Machine(), work or Work()
    memory = memory_budget(machine.memory)
    if machine.executor == "local":
        resolve_device(machine.device)
    out = run_folder(out)
    run = Run(out)
    check_k(neighbours.k, int(run.stage("activations")["parameters"]["samples"]))
    check_search(neighbours.engine, recall=neighbours.recall, project=neighbours.project)
    tasks = _tasks(run, neighbours, machine)
    options = neighbours.digested(seed=tasks[0].seed)
    todo = [task for task in tasks if work.force or not task.finished()]
    earlier = run.recorded("edges")
    engine = _explain(tasks) if todo or not earlier else earlier["engine"]
    with open_cluster(machine, out) as cluster:
        run.sweep()
        if todo or options != earlier.get("parameters"):
            run.reopen("edges")
        else:
            skip_stage()
        _announce(tasks, todo, engine)
        _link(
            link_on_cluster(cluster, todo) if cluster else link_locally(todo, memory=memory),
            todo,
            show=work.progress,
        )
    proofs = sum_proofs({task.folder.edges(task.layer["index"]): task.digest for task in tasks})
    if todo and proofs:
        _tell_proofs(proofs)
    entry = {"parameters": options, "engine": engine, "device": machine.device}
    run.finish("edges", entry | ({"proofs": proofs} if proofs else {}), command=command_line())
    return out


def _tasks(run: Run, neighbours: Neighbours, machine: Machine) -> list[LayerTask]:
    """Return every layer of every node set, as what there is to link."""
    source = run.stage("activations")
    seed = int(source["parameters"]["seed"])
    options = neighbours.digested(seed=seed)
    return [
        LayerTask(
            folder=run.repeat(item["variant"], item["repeat"]),
            layer=layer,
            samples=int(source["parameters"]["samples"]),
            digest=edges_digest(layer, options),
            neighbours=neighbours,
            machine=machine,
            seed=seed,
        )
        for item in source["sets"]
        for layer in item["layers"]
    ]


def _announce(tasks: list[LayerTask], todo: list[LayerTask], engine: str) -> None:
    """Say what there is to do, and how it is done."""
    work = f"{len(todo)} of {plural(len(tasks), 'graph')} to link"
    said = work if todo else "all of it is there, nothing to do"
    options = tasks[0].neighbours
    log.info("stage 2: %s, k=%d, %s", said, options.k, options.metric)
    if todo:
        log.info("stage 2: engine %s", engine)


def _tell_proofs(proofs: dict[str, Any]) -> None:
    log.info(
        "stage 2: %s linked by proof: %d rows certified at once, %d repaired, %d recomputed",
        plural(proofs["layers"], "graph"),
        proofs["certified"], proofs["repaired"], proofs["recomputed"],
    )  # fmt: skip


def _link(linked: Iterable[Linked], todo: list[LayerTask], *, show: bool) -> None:
    """Link layers, with progress, and say what the user should hear of."""
    size = sum(task.size for task in todo)
    with progress_bar("linking", len(todo), show=show, unit="layers", size=size) as advance:
        for layer in linked:
            for note in layer.notes:
                log.warning("%s", note)
            advance(1, layer.size)


def _explain(tasks: list[LayerTask]) -> str:
    """Say which engine links these layers, in what it multiplies, and why."""
    samples, machine, neighbours = tasks[0].samples, tasks[0].machine, tasks[0].neighbours
    widths = [int(task.layer["values"]) for task in tasks]
    widest = max(tasks, key=lambda task: task.size)
    memory = memory_of(widest, memory_budget(machine.memory))
    if neighbours.project is not None:
        widths = [min(width, neighbours.project) for width in widths]
    # the processes of a cluster see for themselves what is fast there
    device = machine.device if machine.executor == "local" else None
    return explain_engine(neighbours.engine, samples, widths, device=device, memory=memory)


if __name__ == "__main__":
    from pipeline.cli import run_command

    run_command("edges")
