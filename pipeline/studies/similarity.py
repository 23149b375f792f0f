"""`stratagraph study similarity`: which layers are alike, within a network or between two."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from graphs.errors import GraphError, RunError
from graphs.files import digest_json
from graphs.layer_pairs import mean_pairs
from graphs.plots_similarity import TITLES, panel_size, plot_pairs
from graphs.row_batches import split_batches
from graphs.runs import holds
from graphs.similarity import chance_overlap
from graphs.tables import read_frame, write_table
from pipeline.console import log, plural
from pipeline.devices import memory_budget
from pipeline.figures import save_panels
from pipeline.graph_sets import GraphSet
from pipeline.options import Machine, Work
from pipeline.progress import progress_bar
from pipeline.studies.folder import StudyFolder
from pipeline.studies.layer_comparison import Comparison
from pipeline.studies.similarity_reading import read_pairs
from pipeline.studies.stored import open_sets, run_name, source_title, subject_of

BATCH = 256


def study_similarity(
    run: Path,
    other: Path | None = None,
    *,
    out: Path,
    batch: int = BATCH,
    machine: Machine | None = None,
    work: Work | None = None,
) -> Path:
    """Compare all pairs of layers of a run, or of two runs on the same samples.

    Three measures a pair: difference in modularity, linear CKA of the features (unbiased, from
    batches) and the share of neighbours that the layers have in common. Reads what the runs hold;
    no network is run.

    Parameters
    ----------
    run
        A run folder, with stages 1 and 2 finished.
    other
        A second one: layers of the first are compared with layers of the second.
    out
        Folder of the study: `metrics/similarity.parquet`, `figures/similarity.png`.
    batch
        Samples that CKA takes at a time, 4 or more.
    machine
        The memory for features and their products.
    work
        Whether to do finished work again, and to show progress.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    RunError
        When a run is not finished or keeps no features, or the two hold other samples.
    GraphError
        When there are fewer than 4 samples, or the runs differ in k or metric.
    ResourceError
        When a batch does not fit into the memory.
    """
    machine, work = machine or Machine(), work or Work()
    budget = memory_budget(machine.memory)
    sides = [open_sets(place, features=True) for place in (run, other) if place is not None]
    names = [run_name(items[0]) for items in sides]
    if len(sides) == 2:
        names = require_same_samples(sides, names)
    together = list(zip(*sides, strict=False))
    split_batches(together[0][0].n_nodes, batch)  # refuses before anything is written
    comparisons = [
        Comparison(items, names, batch=batch, memory=budget, machine=machine) for items in together
    ]
    folder = StudyFolder(
        out, "similarity", subject=subject_of(*(items[0].run for items in sides)), force=work.force
    )
    pairs = _compare(folder, comparisons, show=work.progress)
    folder.write_own(pairs)
    _note_constant(pairs)
    first = together[0][0]
    means = mean_pairs(pairs)
    titles = dict.fromkeys(source_title(items[0]) for items in sides)
    files = _draw(folder, means, title="  ·  ".join([*titles, _repeats(len(together))]))
    sentence = read_pairs(means, chance=chance_overlap(first.n_nodes, first.neighbours(0).k))
    return folder.finish({"runs": names, "batch": batch}, reading=sentence, files=files)


def require_same_samples(sides: list[list[GraphSet]], names: list[str]) -> list[str]:
    """Check that two runs speak of the same samples; return names that tell them apart.

    Raises
    ------
    RunError
        When they are one run, or samples or labels differ.
    GraphError
        When k, metric, projection or recall differ: neighbours are compared.
    """
    first, second = sides
    if first[0].run.root == second[0].run.root:
        raise RunError(f"{first[0].run.root} is named twice", "name one run, or two different ones")
    for a, b in zip(first, second, strict=False):
        for column, what in (("sample", "other samples"), ("label", "other labels")):
            if not a.nodes[column].equals(b.nodes[column]):
                raise RunError(
                    f"{b.run.root} holds {what} than {a.run.root} (repeat {a.folder.repeat})",
                    "run both with the same --dataset, --samples, --sampling and --seed",
                )
    for name in ("k", "metric", "project", "recall"):
        a, b = (items[0].links["parameters"].get(name) for items in sides)
        if a != b:
            option = f" --{name} {a}" if a is not None else ""
            raise GraphError(
                f"the runs are linked with {name}={a} and {name}={b}",
                f"link one again: stratagraph edges --out {second[0].run.root}{option}",
            )
    if len(first) != len(second):
        log.warning("one run has %d repeats, the other %d: those of both are compared",
                    len(first), len(second))  # fmt: skip
    return names if names[0] != names[1] else [f"{name} ({n})" for n, name in enumerate(names, 1)]


def _compare(folder: StudyFolder, comparisons: list[Comparison], *, show: bool) -> pd.DataFrame:
    """Compare the layers in every repeat, unless its table is there."""
    tables = []
    steps = sum(item.steps for item in comparisons)
    log.info("%s of %s, %s to read", plural(comparisons[0].pairs, "pair"),
             plural(comparisons[0].layers, "layer"), plural(steps, "feature table"))  # fmt: skip
    with progress_bar("comparing", steps, show=show, unit="layers") as advance:
        for item in comparisons:
            path = folder.root / "variants" / f"repeat-{item.repeat:03d}" / "similarity.parquet"
            digest = digest_json(item.inputs)
            if holds(path, "similarity", digest):
                advance(item.steps)
            else:
                found = item.compare(advance)
                folder.begin()
                write_table(found, path, "similarity", metadata={"digest": digest})
            tables.append(read_frame(path, "similarity"))
    return pd.concat(tables, ignore_index=True)


def _note_constant(pairs: pd.DataFrame) -> None:
    """Say which layers have no CKA."""
    for side in "ab":
        known = pairs.groupby([f"run_{side}", f"layer_{side}"], sort=False)["cka"].count()
        for run, layer in known[known == 0].index:
            log.warning("%s: the features of %s do not vary between samples: no CKA", run, layer)


def _draw(folder: StudyFolder, means: pd.DataFrame, *, title: str) -> list[str]:
    width, height = panel_size(means)

    def draw(figure: Figure) -> None:
        for ax, value in zip(figure.subplots(1, len(TITLES)), TITLES, strict=True):
            plot_pairs(means, ax, value=value)
        figure.suptitle(title, x=0.01, ha="left")

    size = (len(TITLES) * (width + 0.6), height + 0.6)
    return save_panels(folder.figures / "similarity", draw, size=size)


def _repeats(count: int) -> str:
    return "one repeat" if count == 1 else f"mean of {count} repeats"
