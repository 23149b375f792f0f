"""R1: how soon the page of a run can be used, in a browser without a window."""

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from graphs.errors import ResourceError
from pipeline.benchmarks.images import prepare
from pipeline.benchmarks.setting import Case, Measured, Note, Setting
from pipeline.options import Work
from pipeline.report_command import write_report
from pipeline.run import run_stages

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
CURVE = "() => document.querySelector('#all-curve-curve').dataset.drawn"
PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0].startTime / 1000"
GRAPH = ".graph[data-ready]"


def measure_page(setting: Setting) -> Measured:
    """Time from opening the page of 1,000 samples to its first figure, and to the graph.

    Raises
    ------
    ResourceError
        When there is no Chromium or no playwright.
    """
    chromium = shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        chromium = None
    if chromium is None:
        raise ResourceError(
            "R1 needs chromium on the PATH, and playwright",
            "install Debian's chromium and the extra dev, or name others with --only",
        )
    page, text = _make(setting)
    with sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        rounds = [_open(browser, page) for _ in range(setting.rounds)]
        browser.close()
    used, painted, graph = zip(*rounds, strict=True)
    size = page.stat().st_size / 1e6
    return Measured(
        cases=(Case(what="opened until figures can be used", seconds=used),),
        input=text,
        notes=(
            _note("first words on the screen", painted),
            _note("graph drawn, once scrolled to", graph),
            Note(what="size of the page", value=size, low=size, high=size, unit="MB"),
        ),
    )


def _make(setting: Setting) -> tuple[Path, str]:
    workload = prepare(setting, setting.size(1000, quick=60))
    run = setting.scratch / "run"
    run_stages(run, network=workload.network, images=workload.images, work=Work(progress=False))
    return write_report(run), workload.text


def _open(browser: "Browser", path: Path) -> tuple[float, float, float]:
    """Open the page afresh; return seconds to the first figure, the first words, and the graph."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    begin = time.perf_counter()
    page.goto(path.resolve().as_uri())
    page.wait_for_function(CURVE)
    used = time.perf_counter() - begin
    painted = float(page.evaluate(PAINT))
    begin = time.perf_counter()
    page.locator(".graph").scroll_into_view_if_needed()
    page.wait_for_selector(GRAPH)
    graph = time.perf_counter() - begin
    context.close()
    return used, painted, graph


def _note(what: str, seconds: tuple[float, ...]) -> Note:
    middle = sorted(seconds)[len(seconds) // 2]
    return Note(what=what, value=middle, low=min(seconds), high=max(seconds), unit="s")
