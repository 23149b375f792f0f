"""Which layers are alike: heat maps of all pairs of layers."""

from shlex import quote
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from graphs.layer_pairs import mean_pairs
from graphs.similarity import chance_overlap, modularity_differences, neighbor_overlaps
from graphs.tables import read_frame
from pipeline.report.heat_map import heat_map
from pipeline.report.opening import Folders, Reported, Study
from pipeline.report.section import PageFigure, PageTable, Section
from pipeline.studies.stored import subject_of

SIDE = 380
KIND: Final = "similarity"


def similarity_section(item: Reported, folders: Folders) -> Section:
    """Draw shared neighbours and differences in Q of all pairs of layers, and CKA if it is there.

    Parameters
    ----------
    item : Reported
        The run.
    folders : Folders
        May hold a study of the similarity of its layers.
    """
    names = item.depth["layer"].tolist()
    lists = [[one.neighbours(at) for at in range(len(names))] for one in item.sets]
    shared = np.mean([neighbor_overlaps([knn.indices for knn in found]) for found in lists], axis=0)
    chance = chance_overlap(item.sets[0].n_nodes, lists[0][0].k)
    curve = item.layers.groupby("layer_index")["modularity"].mean().to_numpy()
    figures = [
        _figure(
            item,
            "Neighbours in common",
            "Share of the nearest neighbours that two layers have in common; by chance "
            f"{chance:.3f}.",
            shared,
            high=1.0,
        ),
        _figure(
            item,
            "Difference in Q",
            "How far the modularity of two layers lies apart; dark is alike.",
            modularity_differences(curve, curve),
        ),
    ]
    sentences = [_sentence(shared, names)]
    study = cka_study(item, folders)
    if study is None:
        missing, command = "CKA of the features is not part of a run.", _command(item)
    else:
        missing = command = ""
        sentences = [study.reading]
        text = "How alike the features are, up to a rotation: 1 is the same. Unbiased estimate."
        figures.append(_figure(item, "Linear CKA", text, _cka(study), high=1.0))
    return Section(
        name="similarity",
        title="Which layers are alike",
        short="Layers",
        sentences=sentences,
        figures=figures,
        missing=missing,
        command=command,
    )


def _command(item: Reported) -> str:
    study = quote(f"{item.run.root}-similarity")
    return (
        f"stratagraph study similarity {item.address} --out {study}\n"
        f"stratagraph report {item.address} {study}"
    )


def cka_study(item: Reported, folders: Folders) -> Study | None:
    """Find the study of this run's layers among one another.

    One of other layers, as the run had before it was made with other `--layers`, is none.
    """
    subject, names = subject_of(item.run), item.depth["layer"].tolist()
    of_run = [
        study
        for study in folders.studies
        if study.kind == KIND and study.record.get("subject") == subject
    ]
    return next((one for one in of_run if _pairs(one)["layer_a"].unique().tolist() == names), None)


def _pairs(study: Study) -> pd.DataFrame:
    """Read the pairs of layers, in order of depth: mean over repeats."""
    return mean_pairs(read_frame(study.root / "metrics" / f"{KIND}.parquet", KIND))


def _cka(study: Study) -> NDArray[np.float64]:
    pairs = _pairs(study)
    layers = pairs["layer_a_index"].nunique()
    return np.asarray(pairs["cka"].to_numpy(np.float64).reshape(layers, layers))


def _figure(
    item: Reported,
    title: str,
    description: str,
    values: NDArray[np.float64],
    *,
    high: float | None = None,
) -> PageFigure:
    names = item.depth["layer"].tolist()
    hover = "%{customdata[0]} and %{customdata[1]}<br>%{z:.3f}"
    rows = [[name, *map(float, row)] for name, row in zip(names, values, strict=True)]
    return PageFigure(
        name=title.lower().replace(" ", "-"),
        title=title,
        description=description,
        figure=heat_map(values, names, item.depth, hover=hover, height=SIDE, high=high),
        height=SIDE,
        table=PageTable.of(["layer", *names], rows),
        wide=False,
    )


def _sentence(shared: NDArray[np.float64], names: list[str]) -> str:
    if len(names) == 1:
        return "There is one layer: nothing to compare it with."
    steps = np.diagonal(shared, offset=1)
    least, most = int(np.argmin(steps)), int(np.argmax(steps))
    first = f"{names[least]} and {names[least + 1]} ({_percent(steps[least])} in common)"
    if least == most:
        return f"Their nearest neighbours: {first}."
    return (
        f"Neighbours change most between {first}, and least between {names[most]} and "
        f"{names[most + 1]} ({_percent(steps[most])})."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
