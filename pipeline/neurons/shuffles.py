"""Shuffles of a neuron graph, in processes; finished parts are not done again."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
from joblib import Parallel, delayed

from graphs.files import digest_json
from graphs.neuron_graph import NeuronGraph
from graphs.runs import holds
from graphs.schema import COLUMNS
from graphs.tables import read_frame, write_table
from graphs.weight_shuffles import NullName, shuffled_partition
from pipeline.progress import progress_bar

PART = 5
"""Shuffles in one file."""


def shuffle_graph(
    graph: NeuronGraph,
    *,
    nulls: Sequence[NullName],
    clusters: int,
    shuffles: int,
    seed: int,
    workers: int,
    parts: Path | None = None,
    identity: str = "",
    show: bool = False,
) -> pd.DataFrame:
    """Shuffle and cluster a graph many times.

    Parameters
    ----------
    graph : NeuronGraph
        The graph.
    nulls : sequence of str
        Null models (`graphs.weight_shuffles.shuffle_block`).
    clusters : int
        As for the graph itself.
    shuffles : int
        For each null model.
    seed : int
        Shuffle i of a null model is the same whatever is asked for beside it.
    workers : int
        Processes; they change nothing but the time.
    parts : Path, optional
        Folder where every 5 shuffles are written when done, and found when run again.
    identity : str
        Digest of graph, clusters and seed: parts of another are done again.
    show : bool
        Whether a progress bar is wanted.

    Returns
    -------
    DataFrame
        The table ``neuron_shuffles``, in the order of `nulls` and of the shuffles.

    Raises
    ------
    GraphError
        When a shuffle leaves fewer neurons with edges than clusters.
    """
    jobs = [
        (null, start, min(start + PART, shuffles))
        for null in nulls
        for start in range(0, shuffles, PART)
    ]
    found = {}
    with progress_bar("shuffles", len(nulls) * shuffles, show=show, unit="shuffles") as advance:
        for job in jobs:
            if (part := _read(job, parts, identity)) is not None:
                found[job] = part
                advance(len(part))
        waiting = [job for job in jobs if job not in found]
        for job, part in _work(graph, waiting, clusters=clusters, seed=seed, workers=workers):
            found[job] = part
            if parts is not None:
                digest = _digest(job, identity)
                path = _path(job, parts)
                write_table(part, path, "neuron_shuffles", metadata={"digest": digest})
            advance(len(part))
    empty = pd.DataFrame(columns=COLUMNS["neuron_shuffles"].names)
    return pd.concat([found[job] for job in jobs], ignore_index=True) if jobs else empty


Job = tuple[NullName, int, int]


def _work(
    graph: NeuronGraph, jobs: Sequence[Job], *, clusters: int, seed: int, workers: int
) -> Iterator[tuple[Job, pd.DataFrame]]:
    if min(workers, len(jobs)) <= 1:
        yield from ((job, _shuffle(graph, job, clusters, seed)) for job in jobs)
        return
    pool = Parallel(n_jobs=min(workers, len(jobs)), return_as="generator")
    results = pool(delayed(_shuffle)(graph, job, clusters, seed) for job in jobs)
    yield from zip(jobs, results, strict=True)


def _shuffle(graph: NeuronGraph, job: Job, clusters: int, seed: int) -> pd.DataFrame:
    null, start, stop = job
    rows = [
        {"null": null, "shuffle": number}
        | vars(shuffled_partition(graph, null, clusters, seed=seed, number=number))
        for number in range(start, stop)
    ]
    return pd.DataFrame(rows)


def _path(job: Job, parts: Path) -> Path:
    return parts / f"null={job[0]}" / f"part-{job[1] // PART:05d}.parquet"


def _digest(job: Job, identity: str) -> str:
    return digest_json([identity, *job])


def _read(job: Job, parts: Path | None, identity: str) -> pd.DataFrame | None:
    if parts is None or not holds(_path(job, parts), "neuron_shuffles", _digest(job, identity)):
        return None
    return read_frame(_path(job, parts), "neuron_shuffles")
