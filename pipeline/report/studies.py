"""Studies that were named beside the runs: their sentence and their figure."""

import base64
from dataclasses import replace
from pathlib import Path

from pipeline.report.opening import Folders, Study
from pipeline.report.section import Section

SHOWN_ELSEWHERE = "similarity"


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
    empty = Section(
        name=f"study-{number}",
        title=f"Study {study.kind}: {study.root.name}",
        short=study.root.name,
        sentences=[study.reading],
    )
    path = study.root / "figures" / f"{study.kind}.png"
    if not path.exists():
        missing = f"Its figure {path} is not there any more."
        return replace(empty, missing=missing)
    return replace(
        empty,
        kind="image",
        content={"uri": _uri(path), "description": f"Figure of the study {study.kind}"},
    )


def _uri(path: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"
