"""What a study loops over: variants of the three stages."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace

from graphs.files import digest_json, remove_tree
from graphs.measures import MetricTables, collect
from graphs.runs import Run
from pipeline.console import log
from pipeline.graph_sets import GraphSet
from pipeline.measuring import measure_here, measure_on_cluster
from pipeline.options import Features, Images, Machine, Neighbours, Network, Work
from pipeline.parallel import open_cluster
from pipeline.progress import progress_bar, skip_stage, stage
from pipeline.stage1_activations import dump_activations
from pipeline.stage2_edges import build_edges
from pipeline.studies.folder import StudyFolder


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One way to go through the three stages.

    Attributes
    ----------
    name : str
        What the column `variant` says: ``k-05``. A file name.
    run : str
        Name of the run folder. Variants with the same network, images and features share one: its
        activations are computed once.
    network, images, features, neighbours
        The options of the stages.
    settings : dict
        Columns that the study adds to the table `layers`.
    """

    name: str
    run: str
    network: Network
    images: Images
    features: Features = field(default_factory=Features)
    neighbours: Neighbours = field(default_factory=Neighbours)
    settings: dict[str, int | float | str] = field(default_factory=dict)


def measure_variants(
    folder: StudyFolder,
    variants: Sequence[Variant],
    *,
    machine: Machine | None = None,
    work: Work | None = None,
) -> MetricTables:
    """Go through the three stages for every variant; what is there already is not done again.

    Parameters
    ----------
    folder : StudyFolder
        Where the runs and the tables go.
    variants : sequence of Variant
        In the order in which tables and figures show them. Those that share a run best stand
        together.
    machine, work
        As in the stages.

    Returns
    -------
    MetricTables
        Of all variants; ``layers`` has the variants' settings as further columns.

    Raises
    ------
    StratagraphError
        What the stages raise.
    """
    machine, work = machine or Machine(), work or Work()
    stages = replace(work, force=False)  # the folder was emptied, if that was asked for
    tables: list[MetricTables] = []
    opened: dict[str, Run] = {}
    many = len(variants) > 1
    with progress_bar(
        "variants", len(variants), show=work.progress and many, unit="variants"
    ) as advance:
        for place, variant in enumerate(variants):
            log.info("%s (%d of %d)", variant.name, place + 1, len(variants))
            with stage(variant.name), quiet():
                run = opened.get(variant.run) or _open(folder, variant, machine, stages)
                opened[variant.run] = run
                tables.append(_measure(folder, variant, run, (machine, stages)))
            advance(1)
    return collect(tables)


def _open(folder: StudyFolder, variant: Variant, machine: Machine, work: Work) -> Run:
    """Do stage 1, if it is not done."""
    return Run(
        dump_activations(
            folder.run(variant.run),
            network=variant.network,
            images=variant.images,
            features=variant.features,
            machine=machine,
            work=work,
        )
    )


def _measure(
    folder: StudyFolder, variant: Variant, run: Run, how: tuple[Machine, Work]
) -> MetricTables:
    """Do stages 2 and 3, without graph files, unless the tables are there."""
    machine, work = how
    source = run.stage("activations")
    given = source["parameters"]
    options = variant.neighbours.digested(seed=int(given["seed"]))
    sets = [GraphSet(run, item, source, {"parameters": options}) for item in source["sets"]]
    digest = digest_json([variant.name, variant.settings, [item.digests for item in sets]])
    if folder.holds(variant.name, digest):
        remove_tree(run.parts)  # left behind when killed right after the tables were written
        skip_stage()
        return folder.read(variant.name)
    folder.change(variant.name)
    build_edges(run.root, neighbours=variant.neighbours, machine=machine, work=work)
    with open_cluster(machine, run.root) as cluster:
        count = sum(len(item.layers) for item in sets)
        with progress_bar("measuring", count, show=work.progress, unit="graphs") as advance:
            for _ in measure_on_cluster(cluster, sets) if cluster else measure_here(sets):
                advance(1)
    tables = _named(collect([item.tables() for item in sets]), variant)
    folder.write(variant.name, tables, digest)
    remove_tree(run.parts)
    return tables


def _named(tables: MetricTables, variant: Variant) -> MetricTables:
    """Write the variant's name into every table, and its settings into `layers`."""
    named = {
        table.name: getattr(tables, table.name).assign(variant=variant.name)
        for table in fields(MetricTables)
    }
    return MetricTables(**named | {"layers": named["layers"].assign(**variant.settings)})


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the stages from telling each variant what the study tells once; warnings stay."""
    before = log.level
    log.setLevel(logging.WARNING)
    try:
        yield
    finally:
        log.setLevel(before)
