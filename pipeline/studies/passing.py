"""Variants whose activations pass: measured one by one, activations removed after each."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pandas as pd
from torch import nn

from graphs.errors import StratagraphError
from graphs.files import digest_json, read_json, remove_tree, write_json
from graphs.measures import MetricTables, collect
from graphs.neighbors.knn import check_k
from graphs.tables import read_frame
from pipeline.console import log
from pipeline.data import ImageData, draw_samples
from pipeline.identity import describe
from pipeline.opening import open_images, open_network
from pipeline.options import Machine, Work
from pipeline.progress import progress_bar
from pipeline.stage1_activations import check_classes
from pipeline.studies.folder import StudyFolder
from pipeline.studies.variants import Variant, measure_variants, quiet


def measure_passing(
    folder: StudyFolder,
    variants: Sequence[Variant],
    *,
    data: ImageData,
    model: nn.Module,
    machine: Machine | None = None,
    work: Work | None = None,
) -> MetricTables:
    """Measure variants that share nothing; keep edges and node tables, not the activations.

    A study of a hundred checkpoints would fill a disk otherwise. A variant that is measured says
    so in ``variants/NAME/done.json``, with a digest of all that it depends on, and is not opened
    again.

    Parameters
    ----------
    folder : StudyFolder
        Where runs and tables go.
    variants : sequence of Variant
        Each with a run of its own.
    data : ImageData
        The images of all variants.
    model : Module
        The network without its weights: all variants have the same.
    machine, work
        As in the stages.

    Returns
    -------
    MetricTables
        Of all variants.

    Raises
    ------
    StratagraphError
        What the stages raise.
    """
    tables = []
    show = (work or Work()).progress
    with (
        each_note_once(),
        progress_bar("networks", len(variants), show=show, unit="networks") as advance,
    ):
        for place, variant in enumerate(variants):
            inputs = _digest(variant, data, model)
            found = _finished(folder, variant, inputs)
            there = "" if found is None else ": was there"
            log.info("%s (%d of %d)%s", variant.name, place + 1, len(variants), there)
            if found is None:
                with quiet():
                    found = measure_variants(folder, [variant], machine=machine, work=work)
                write_json(folder.done_path(variant.name), {"inputs": inputs})
            for repeat in folder.run(variant.run).glob("variant=*/repeat=*"):
                remove_tree(repeat / "activations")
            tables.append(found)
            advance(1)
    return collect(tables)


@contextmanager
def each_note_once() -> Iterator[None]:
    """Keep the stages from saying of every variant what is true of all.

    The log is filtered inside: what was said once is not said again.
    """
    told: set[str] = set()

    def is_new(record: logging.LogRecord) -> bool:
        text = record.getMessage()
        new = text not in told
        told.add(text)
        return new

    log.addFilter(is_new)
    try:
        yield
    finally:
        log.removeFilter(is_new)


def open_variant(variant: Variant) -> tuple[ImageData, nn.Module]:
    """Open images and network of a variant; what cannot be measured shows before any work.

    Parameters
    ----------
    variant : Variant
        Nothing is written of it.

    Returns
    -------
    tuple
        The images and the network.

    Raises
    ------
    DataError, ModelError, WeightsError, LayerError
        When images, network, weights or layers cannot be used.
    GraphError
        When k does not fit the samples.
    """
    images = variant.images
    data = open_images(variant.network, images)
    draw = draw_samples(
        data.labels, images.samples, images.repeats, sampling=images.sampling, seed=images.seed
    )
    check_classes(data, draw.indices)
    check_k(variant.neighbours.k, images.samples)
    return data, open_network(variant.network, images, variant.features, data=data)[0]


def sample_accuracy(folder: StudyFolder, variant: Variant) -> float:
    """Return the share of a variant's samples that its network classifies rightly.

    Parameters
    ----------
    folder : StudyFolder
        The study.
    variant : Variant
        One that is measured.

    Returns
    -------
    float
        Over all repeats; NaN where the network gives no logits.

    Raises
    ------
    CorruptFileError
        When a node table is missing or damaged.
    """
    run = folder.run(variant.run)
    nodes = pd.concat(
        [
            read_frame(repeat / "nodes.parquet", "nodes")[["label", "predicted"]]
            for repeat in sorted(run.glob("variant=*/repeat=*"))
        ]
    )
    if nodes["predicted"].isna().any():
        return float(np.nan)
    return float((nodes["predicted"] == nodes["label"]).mean())


def _digest(variant: Variant, data: ImageData, model: nn.Module) -> str:
    """Return what stands for everything that the tables of a variant depend on."""
    images, features = variant.images, variant.features
    return digest_json(
        {
            "identity": describe(variant.network, images, features, data=data, model=model),
            "repeats": images.repeats,
            "layers": features.layers,
            "edges": variant.neighbours.digested(seed=images.seed),
            "settings": variant.settings,
        }
    )


def _finished(folder: StudyFolder, variant: Variant, inputs: str) -> MetricTables | None:
    """Return the tables of a variant that is measured; None where anything of it is missing."""
    try:
        if read_json(folder.done_path(variant.name))["inputs"] != inputs:
            return None
        sample_accuracy(folder, variant)
        return folder.read(variant.name)
    except (StratagraphError, KeyError, ValueError):
        return None
