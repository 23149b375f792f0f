"""`stratagraph report`: runs as one page to look at."""

from pathlib import Path

from graphs.errors import RunError
from graphs.files import replacing
from graphs.places import resolve_folder
from pipeline.console import log
from pipeline.devices import require_writable
from pipeline.report.opening import open_folders
from pipeline.report.page import MARK, build_page

NAME = "report.html"
HEAD = 2000  # bytes of a file that tell whether it is a page of ours


def write_report(*folders: Path, out: Path | None = None) -> Path:
    """Show runs as one page: a file that opens in any browser and needs no network.

    Curve, classes, layers, communities, the graph in motion, samples to look at, and the plan of
    `plan` if there is one. Images are read again from where the run found them.

    Parameters
    ----------
    folders
        Folders of finished runs, and of studies of them, one after the other. A study of
        `similarity` adds the CKA of the layers.
    out
        The page; by default `report.html` in the first run.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    RunError
        When a folder is no finished run or study, or another file would be replaced.
    """
    opened = open_folders(folders)
    path = resolve_folder(out) if out else opened.runs[0].run.page
    require_writable(path.parent)
    _require_page_or_nothing(path)
    page = build_page(opened)
    with replacing(path) as temporary:
        temporary.write_text(page, "utf-8")
    log.info("%.1f MB, opens in a browser", len(page.encode()) / 1e6)
    return path


def _require_page_or_nothing(path: Path) -> None:
    """Replace no file but an earlier page."""
    if path.is_dir():
        raise RunError(f"{path} is a folder, not a page", f"give a file: --out {path / NAME}")
    if not path.exists():
        return
    with path.open("rb") as stream:
        beginning = stream.read(HEAD).decode("utf-8", "replace")
    if MARK not in beginning:
        raise RunError(
            f"{path} is there already and is no page of stratagraph",
            "choose another --out, or remove it",
        )
