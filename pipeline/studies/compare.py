"""`stratagraph study compare`: several runs in one figure."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from graphs.curves import mark_layers
from graphs.errors import RunError
from graphs.measures import MetricTables, collect
from graphs.places import folder_name, resolve_folder
from graphs.plots_depth import plot_depths
from graphs.runs import METRIC_TABLES, Run
from graphs.tables import read_frame
from pipeline.console import listed, log
from pipeline.figures import caption_counts, find_published, save_figure, source_name
from pipeline.graph_sets import TABLES
from pipeline.options import Flag
from pipeline.studies.folder import StudyFolder
from pipeline.summary import mean_curve

LISTED = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """A finished run.

    Attributes
    ----------
    name : str
        What the figure calls it.
    parameters : dict
        What stage 1 recorded.
    classes : int
        How many the data set has.
    tables : MetricTables
        Its tables, the run's name as variant.
    published : DataFrame, optional
        The published curve of the same network and data set.
    """

    name: str
    parameters: dict[str, Any]
    classes: int
    tables: MetricTables
    published: pd.DataFrame | None


def study_compare(
    *runs: Path,
    out: Path,
    names: str | None = None,
    published: Path | None = None,
    force: Flag = False,
) -> Path:
    """Show the curves of several runs in one figure, drops and plateaus marked.

    Depth is relative: 0 is a run's first layer and 1 its last, so that networks of different depth
    can be compared. Nothing is measured anew.

    Parameters
    ----------
    runs
        Folders of runs whose three stages are done, one after the other.
    out
        Folder of the study: `metrics/compare.parquet`, `figures/compare.png`, and the metric
        tables with the run's name in the column `variant`.
    names
        What to call the runs, separated by commas; otherwise the names of their folders.
    published
        CSV of published curves, drawn behind where network and data set match.
    force
        Remove what an earlier study left in the folder.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    RunError
        When a folder is no finished run, or names are missing or equal.
    TableError
        When a table or the published curves cannot be read.
    """
    titles = name_runs(runs, names)
    measured = [_read(place, name, published) for place, name in zip(runs, titles, strict=True)]
    differences = _differences(measured)
    for difference in differences:
        log.warning("%s", difference)
    # no subject: nothing is taken over from a study of other runs that the folder may hold
    folder = StudyFolder(out, "compare", force=force)
    table = pd.concat([_curve(run) for run in measured], ignore_index=True)
    folder.write_metrics(collect([run.tables for run in measured]))
    folder.write_own(table)
    behind = {run.name: run.published for run in measured if run.published is not None}

    def draw(ax: Axes) -> None:
        plot_depths(table, ax, published=behind)
        ax.set_title(_title(measured), loc="left")

    files = save_figure(folder.figures / "compare", draw, size=(8.5, 4.8))
    sentence = " ".join(
        [read_curves(table), *(f"{said[0].upper()}{said[1:]}." for said in differences)]
    )
    return folder.finish({"runs": titles}, reading=sentence, files=files)


def name_runs(runs: tuple[Path, ...], names: str | None) -> list[str]:
    """Give every run a name of its own.

    Raises
    ------
    RunError
        When there are no runs, not as many names as runs, or equal names.

    Examples
    --------
    >>> name_runs((Path("a/resnet20"), Path("a/vgg11")), None)
    ['resnet20', 'vgg11']
    """
    if not runs:
        raise RunError("there is no run to show", "name the folders of finished runs")
    titles = (
        [word.strip() for word in names.split(",")]
        if names is not None
        else [folder_name(resolve_folder(run)) for run in runs]
    )
    if len(titles) != len(runs):
        raise RunError(f"--names gives {len(titles)} names for {len(runs)} runs", "give one a run")
    again = [title for title, count in Counter(titles).items() if count > 1 or not title]
    if again:
        raise RunError(f"the name {again[0]!r} is empty or given twice", "give --names a,b")
    return titles


def _read(place: Path, name: str, published: Path | None) -> Measured:
    """Read a run.

    Raises
    ------
    RunError
        When it is none, or is not finished.
    """
    root = resolve_folder(place)
    if not (root / "manifest.json").exists():
        raise RunError(
            f"{root} holds no finished run", "give folders in which `stratagraph run` has finished"
        )
    run = Run(root)
    source = run.stage("activations")
    run.stage("communities")
    tables = {table: read_frame(run.table(table), TABLES[table]) for table in METRIC_TABLES}
    found = find_published(published, source["parameters"]) if published else None
    return Measured(
        name=name,
        parameters=source["parameters"],
        classes=len(source["label_names"]),
        tables=MetricTables(**{key: frame.assign(variant=name) for key, frame in tables.items()}),
        published=found,
    )


def _differences(runs: list[Measured]) -> list[str]:
    """Say where the level of Q differs for other reasons than the networks."""
    layers = {run.name: run.tables.layers.iloc[0] for run in runs}
    found = {
        title: {name: row[column] for name, row in layers.items()}
        for column, title in (("n_nodes", "samples"), ("k", "k"), ("metric", "metric"))
    }
    found["number of classes"] = {run.name: run.classes for run in runs}
    said = []
    for title, values in found.items():
        if len(set(values.values())) > 1:
            each = ", ".join(f"{name} {value}" for name, value in values.items())
            said.append(f"the runs differ in {title} ({each}): Q depends on it")
    return said


def _title(runs: list[Measured]) -> str:
    """Name the data set, and what Q depends on, where they are the same in all runs."""
    sources = {
        source_name(run.parameters["dataset"], run.parameters["given"]["data"]) for run in runs
    }
    title = sources.pop() if len(sources) == 1 else "several data sets"
    counts = {tuple(run.tables.layers[["n_nodes", "k"]].iloc[0]) for run in runs}
    if len(counts) > 1:
        return title
    samples, k = counts.pop()
    return title + caption_counts(int(samples), int(k))


def _curve(run: Measured) -> pd.DataFrame:
    """Return the rows of one run."""
    curve = mean_curve(run.tables.layers).rename(columns={"spread": "sd"})
    q = curve["modularity"].to_numpy()
    return curve.assign(
        run=run.name,
        model=run.parameters["model"],
        dataset=source_name(run.parameters["dataset"], run.parameters["given"]["data"]),
        depth=np.linspace(0, 1, len(q)) if len(q) > 1 else 0.0,
        step=np.diff(q, prepend=np.nan),
        mark=mark_layers(q),
    )


def read_curves(table: pd.DataFrame) -> str:
    """Say of every run where it begins and ends, and where it drops or stands still.

    Parameters
    ----------
    table : DataFrame
        The table `compare`.

    Returns
    -------
    str
        One sentence a run.

    Examples
    --------
    >>> rows = {"run": "a", "layer": list("abcd"), "modularity": [0.1, 0.0, 0.5, 0.5]}
    >>> read_curves(pd.DataFrame(rows).assign(mark=["", "drop", "", ""]))
    'a: Q goes from 0.10 to 0.50 over 4 layers, drops at b, has no plateau.'
    """
    parts = []
    for run, curve in table.groupby("run", sort=False):
        q = curve["modularity"].to_numpy()
        dropped = curve.loc[curve["mark"] == "drop", "layer"].tolist()
        flat = curve.loc[curve["mark"] == "plateau", "layer"].tolist()
        drops = f"drops at {listed(dropped, most=LISTED)}" if dropped else "does not drop"
        plateau = "has no plateau"
        if flat:
            plateau = f"stands still (moves by 0.03 at most) at {listed(flat, most=LISTED)}"
        parts.append(
            f"{run}: Q goes from {q[0]:.2f} to {q[-1]:.2f} over {len(q)} layers, {drops}, "
            f"{plateau}."
        )
    return " ".join(parts)
