"""The page: its parts put together, and written as one file that needs no other."""

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from graphs.errors import DataError
from pipeline.console import log
from pipeline.report.classes import classes_section
from pipeline.report.commands import commands_section
from pipeline.report.curve import curve_section
from pipeline.report.flow import flow_section
from pipeline.report.network import chosen_nodes, network_section
from pipeline.report.opening import Folders, Reported
from pipeline.report.pruning import plan_section
from pipeline.report.section import Section
from pipeline.report.similarity import similarity_section
from pipeline.report.studies import study_sections
from pipeline.report.summary import summary_section
from pipeline.report.suspects import SHOWN, suspect_rows, suspects_section
from pipeline.report.thumbnails import Sprite, make_sprite, open_recorded

TEMPLATES = "templates"
MARK = '<meta name="generator" content="stratagraph'  # tells a page of ours from another's


@dataclass(frozen=True, kw_only=True)
class Part:
    """Sections that belong together.

    Attributes
    ----------
    name, title : str
        Anchor and heading; without a title it has neither.
    sections : list of Section
        What it holds.
    sprite : Sprite, optional
        The images of its samples.
    """

    name: str
    title: str
    sections: list[Section]
    sprite: Sprite | None = None


def build_page(folders: Folders) -> str:
    """Return the page as HTML.

    Parameters
    ----------
    folders : Folders
        Runs, and studies of them.

    Returns
    -------
    str
        Without date or random names: the same folders give the same page.
    """
    many = len(folders.runs) > 1
    beginning = [summary_section(folders), curve_section(folders)]
    parts = [Part(name="all", title="", sections=beginning)]
    for number, item in enumerate(folders.runs, 1):
        log.info("report: %s", item.name)
        part = _run_part(item, folders, name=f"run-{number}" if many else "run")
        parts.append(part if many else Part(name=part.name, title="", sections=part.sections,
                                            sprite=part.sprite))  # fmt: skip
    ending = [*study_sections(folders), commands_section(folders)]
    parts.append(Part(name="end", title="", sections=ending))
    return _render(
        title=" · ".join(dict.fromkeys(item.title for item in folders.runs)),
        names=[item.name for item in folders.runs],
        parts=parts,
    )


def _run_part(item: Reported, folders: Folders, *, name: str) -> Part:
    found = suspect_rows(item)
    sprite, problem = _images(item, [] if found is None else found["sample"].tolist()[:SHOWN])
    sections = [
        classes_section(item),
        similarity_section(item, folders),
        flow_section(item),
        network_section(item, sprite, problem),
        suspects_section(item, found, sprite=sprite, problem=problem),
        plan_section(item),
    ]
    return Part(name=name, title=item.name, sections=sections, sprite=sprite)


def _images(item: Reported, others: list[int]) -> tuple[Sprite | None, str]:
    """Read the images that the page shows, or say why there are none."""
    shown = item.sets[0].nodes["sample"].to_numpy()[chosen_nodes(item)].tolist()
    try:
        return make_sprite(open_recorded(item), [*shown, *others]), ""
    except DataError as error:
        log.warning("%s: the page has no images: %s", item.name, error)
        return None, f"{error.problem}; {error.remedy}, and make the page again."


def _render(**content: Any) -> str:
    environment = Environment(
        loader=PackageLoader("pipeline.report", TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    folder = Path(__file__).parent / TEMPLATES
    page = environment.get_template("page.html").render(
        **content,
        version=metadata.version("stratagraph"),
        style=(folder / "page.css").read_text("utf-8"),
        script=(folder / "page.js").read_text("utf-8") + (folder / "graph.js").read_text("utf-8"),
        plotly=get_plotlyjs(),
    )
    return page.lstrip()  # macros leave empty lines before the beginning
