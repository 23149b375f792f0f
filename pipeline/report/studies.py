"""Studies that were named beside the runs: their sentence and their figure."""

import base64
from dataclasses import replace
from pathlib import Path

from pipeline.report.opening import Folders, Study
from pipeline.report.section import Section
from pipeline.report.similarity import cka_study

TITLES = {"neurons": "The graph of the weights"}


def study_sections(folders: Folders) -> list[Section]:
    """Show the figures of every study that no section of a run shows already.

    Parameters
    ----------
    folders : Folders
        What the page is made of.
    """
    shown = [cka_study(item, folders) for item in folders.runs]
    return [
        _section(study, number)
        for number, study in enumerate(folders.studies, 1)
        if study not in shown
    ]


def _section(study: Study, number: int) -> Section:
    names = [name for name in study.record.get("figures", []) if name.endswith(".png")]
    paths = [study.root / "figures" / name for name in names]
    empty = Section(
        name=f"study-{number}",
        title=TITLES.get(study.kind, f"Study {study.kind}: {study.name}"),
        short=study.name,
        sentences=[study.reading],
    )
    gone = [path for path in paths if not path.exists()]
    if gone:
        return replace(empty, missing=f"Its figure {gone[0]} is not there any more.")
    pictures = [
        {"uri": _uri(path), "description": f"{path.name} of {study.name}"} for path in paths
    ]
    return replace(empty, kind="images", content={"pictures": pictures})


def _uri(path: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"
