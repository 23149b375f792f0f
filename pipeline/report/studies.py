"""Studies that were named beside the runs: their sentence and their figure."""

import base64
from dataclasses import replace
from pathlib import Path

from pipeline.report.opening import Folders, Study
from pipeline.report.section import Section

SHOWN_ELSEWHERE = "similarity"
TITLES = {"neurons": "The graph of the weights"}


def study_sections(folders: Folders) -> list[Section]:
    """Show the figure of every study that has no section of its own.

    Parameters
    ----------
    folders : Folders
        What the page is made of.
    """
    return [
        _section(study, number)
        for number, study in enumerate(folders.studies, 1)
        if study.kind != SHOWN_ELSEWHERE
    ]


def _section(study: Study, number: int) -> Section:
    names = [name for name in study.record.get("figures", []) if name.endswith(".png")]
    paths = [study.root / "figures" / name for name in names]
    empty = Section(
        name=f"study-{number}",
        title=TITLES.get(study.kind, f"Study {study.kind}: {study.root.name}"),
        short=study.root.name,
        sentences=[study.reading],
    )
    gone = [path for path in paths if not path.exists()]
    if gone:
        return replace(empty, missing=f"Its figure {gone[0]} is not there any more.")
    pictures = [
        {"uri": _uri(path), "description": f"Figure {path.stem} of {study.root.name}"}
        for path in paths
    ]
    return replace(empty, kind="images", content={"pictures": pictures})


def _uri(path: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"
