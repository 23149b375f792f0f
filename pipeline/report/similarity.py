"""Which layers are alike: heat maps of all pairs of layers."""

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from graphs.layer_pairs import mean_pairs
from graphs.similarity import chance_overlap, modularity_differences, neighbor_overlaps
from graphs.tables import read_frame
from pipeline.report.classes import SCALE
from pipeline.report.curve import layer_ticks
from pipeline.report.opening import Folders, Reported
from pipeline.report.section import PageFigure, PageTable, Section, label, new_figure
from pipeline.studies.stored import subject_of

SIDE = 380


def similarity_section(item: Reported, folders: Folders) -> Section:
    """Draw shared neighbours and differences in Q of all pairs of layers, and CKA if it is there.

    Parameters
    ----------
    item : Reported
        The run.
    folders : Folders
        May hold a study of the similarity of its layers.
    """
    names = [str(layer["name"]) for layer in item.sets[0].layers]
    lists = [[s.neighbours(at) for at in range(len(names))] for s in item.sets]
    shared = np.mean([neighbor_overlaps([knn.indices for knn in found]) for found in lists], axis=0)
    chance = chance_overlap(item.sets[0].n_nodes, lists[0][0].k)
    curve = item.layers.groupby("layer_index")["modularity"].mean().to_numpy()
    figures = [
        _heat_map(
            "shared",
            "Neighbours in common",
            f"Share of the nearest neighbours that two layers have in common; by chance {chance:.3f}.",
            shared,
            names,
            item,
            high=1.0,
        ),
        _heat_map(
            "difference",
            "Difference in Q",
            "How far the modularity of two layers lies apart; dark is alike.",
            modularity_differences(curve, curve),
            names,
            item,
        ),
    ]
    cka = _cka(item, folders, len(names))
    if cka is not None:
        text = "Linear CKA of the features of two layers, unbiased: 1 is alike up to a rotation."
        figures.append(_heat_map("cka", "Linear CKA of the features", text, cka, names, item, high=1))
    command = "" if cka is not None else _command(item)
    return Section(
        name="similarity",
        title="Which layers are alike",
        sentences=[_sentence(shared, names)],
        figures=figures,
        missing="" if cka is not None else "Linear CKA of the features is not part of a run.",
        command=command,
    )


def _command(item: Reported) -> str:
    study = f"{item.address}-similarity"
    return (
        f"stratagraph study similarity {item.address} --out {study} && "
        f"stratagraph report {item.address} {study}"
    )


def _cka(item: Reported, folders: Folders, layers: int) -> NDArray[np.float64] | None:
    """Read CKA from a study of this run alone, mean over repeats; None where there is none."""
    for study in folders.studies:
        if study.kind != "similarity" or study.record.get("subject") != subject_of(item.run):
            continue
        path = study.root / "metrics" / "similarity.parquet"
        means = mean_pairs(read_frame(path, "similarity"))
        if len(means) == layers * layers:
            return np.asarray(means["cka"].to_numpy(np.float64).reshape(layers, layers))
    return None


def _heat_map(
    name: str,
    title: str,
    description: str,
    values: NDArray[np.float64],
    names: list[str],
    item: Reported,
    *,
    high: float | None = None,
) -> PageFigure:
    layers = item.layers.drop_duplicates("layer_index").sort_values("layer_index")
    titles = [label(name) for name in names]
    at = layers["layer_index"].tolist()
    heat = go.Heatmap(
        z=np.round(values, 4).tolist(),
        x=at,
        y=at,
        colorscale=SCALE,
        zmin=0,
        zmax=high,
        customdata=[[[a, b] for b in titles] for a in titles],
        hovertemplate="%{customdata[0]} and %{customdata[1]}<br>%{z:.3f}<extra></extra>",
        xgap=1 if len(names) <= 40 else 0,
        ygap=1 if len(names) <= 40 else 0,
        colorbar={"thickness": 12, "outlinewidth": 0},
    )
    figure = new_figure(heat, height=SIDE)
    ticks = layer_ticks(layers, limit=14)
    figure.update_xaxes(**ticks, ticks="", showgrid=False)
    figure.update_yaxes(**(ticks | {"tickangle": 0}), autorange="reversed", ticks="", showgrid=False)
    rows = [[a, *map(float, row)] for a, row in zip(names, values, strict=True)]
    return PageFigure(
        name=name,
        title=title,
        description=description,
        figure=figure,
        height=SIDE,
        table=PageTable.of(["layer", *names], rows),
        wide=False,
    )


def _sentence(shared: NDArray[np.float64], names: list[str]) -> str:
    if len(names) < 2:
        return "There is one layer: nothing to compare it with."
    steps = np.diagonal(shared, offset=1)
    least = int(np.argmin(steps))
    return (
        f"Neighbours change most between {names[least]} and {names[least + 1]}, which share "
        f"{100 * steps[least]:.0f} % of them, and least between "
        f"{names[int(np.argmax(steps))]} and {names[int(np.argmax(steps)) + 1]} "
        f"({100 * steps.max():.0f} %)."
    )
