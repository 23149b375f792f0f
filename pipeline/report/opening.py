"""The folders that a page is made of: runs, and studies of runs."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from shlex import quote
from typing import Any

import pandas as pd

from graphs.errors import RunError
from graphs.files import read_json
from graphs.places import folder_name, resolve_folder
from graphs.runs import Run
from graphs.schema import TableName
from graphs.tables import read_frame
from pipeline.figures import caption
from pipeline.graph_sets import GraphSet
from pipeline.studies.stored import open_sets


@dataclass(frozen=True, kw_only=True, eq=False)
class Reported:
    """A finished run, as a page shows it.

    Attributes
    ----------
    name : str
        What the page calls it.
    run : Run
        The run.
    layers, classes, communities, nodes : DataFrame
        Its metric tables.
    """

    name: str
    run: Run
    layers: pd.DataFrame
    classes: pd.DataFrame
    communities: pd.DataFrame
    nodes: pd.DataFrame

    @property
    def parameters(self) -> dict[str, Any]:
        """What stage 1 recorded."""
        return dict(self.run.stage("activations")["parameters"])

    @property
    def class_names(self) -> list[str]:
        """Name of each class."""
        return [str(name) for name in self.run.stage("activations")["label_names"]]

    @property
    def title(self) -> str:
        """Network and data set."""
        said = self.parameters
        return caption(said["model"], said["dataset"], said["given"]["data"])

    @property
    def depth(self) -> pd.DataFrame:
        """Its layers in order: ``layer_index, layer``."""
        once = self.layers.drop_duplicates("layer_index").sort_values("layer_index")
        return once[["layer_index", "layer"]].reset_index(drop=True)

    @property
    def measure_again(self) -> str:
        """The command that brings what newer versions measure."""
        return f"stratagraph communities --out {self.address}"

    @property
    def address(self) -> str:
        """The folder, as a shell takes it."""
        return quote(str(self.run.root))

    @property
    def repeats(self) -> int:
        """How many node sets there are."""
        return int(self.layers["repeat"].nunique())

    @cached_property
    def sets(self) -> list[GraphSet]:
        """The node sets, one a repeat."""
        return open_sets(self.run.root)

    def table(self, name: TableName) -> pd.DataFrame | None:
        """Read a metric table that only newer runs have; None where it is not there."""
        path = self.run.root / "metrics" / f"{name}.parquet"
        return read_frame(path, name) if path.exists() else None


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """A finished study, as a page shows it."""

    name: str
    root: Path
    kind: str
    reading: str
    record: dict[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Folders:
    """Everything that a page is made of."""

    runs: list[Reported]
    studies: list[Study] = field(default_factory=list)

    def study(self, kind: str) -> Study | None:
        """Return the first study of a kind."""
        return next((study for study in self.studies if study.kind == kind), None)


def open_folders(places: Sequence[Path]) -> Folders:
    """Open runs and studies, each told by what lies in it.

    Parameters
    ----------
    places : sequence of Path
        Folders or URLs, at least one of them a run.

    Raises
    ------
    RunError
        When a folder is not there, is neither, or is not finished; or none of them is a run.
    """
    if not places:
        raise RunError("there is no run to show", "name the folder of a finished run")
    runs, studies = [], []
    for place in places:
        root = resolve_folder(place)
        if (root / "study.json").exists():
            studies.append(_open_study(root))
        else:
            runs.append(_open_run(root))
    if not runs:
        raise RunError(
            f"{studies[0].root} is a study, and a page needs a run",
            "name the run first, then its studies",
        )
    return Folders(runs=_named(runs), studies=studies)


def _open_run(root: Path) -> Reported:
    if not root.exists():
        raise RunError(f"there is no folder {root}", "name the folder of a finished run")
    if not (root / "manifest.json").exists():
        raise RunError(
            f"{root} holds no finished run", "give folders in which `stratagraph run` has finished"
        )
    run = Run(root)
    for stage in ("activations", "edges", "communities"):
        run.stage(stage)
    return Reported(
        name=folder_name(root),
        run=run,
        layers=read_frame(run.table("layers"), "layers"),
        classes=read_frame(run.table("classes"), "classes"),
        communities=read_frame(run.table("communities"), "communities"),
        nodes=read_frame(run.table("nodes"), "node_metrics"),
    )


def _open_study(root: Path) -> Study:
    record = read_json(root / "study.json")
    if record.get("state") != "done":
        raise RunError(f"the study {root} is not finished", "run its command again: it goes on")
    return Study(
        name=folder_name(root),
        root=root,
        kind=str(record.get("study")),
        reading=str(record.get("reading", "")),
        record=record,
    )


def _named(runs: list[Reported]) -> list[Reported]:
    """Tell runs of one name apart by the folder above."""
    names = [item.name for item in runs]
    if len(set(names)) == len(names):
        return runs
    titles = [f"{folder_name(item.run.root.parent)}/{item.name}" for item in runs]
    if len(set(titles)) < len(titles):
        titles = [f"{title} ({number})" for number, title in enumerate(titles, 1)]
    return [replace(item, name=title) for item, title in zip(runs, titles, strict=True)]
