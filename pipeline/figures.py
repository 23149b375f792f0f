"""Figures of a run, as files."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from graphs.files import replacing
from graphs.measures import MetricTables
from graphs.plots import plot_classes, plot_curve
from graphs.plots_pairs import SHOWN, plot_class_pairs
from graphs.published import Published, nearest_published, published_curve
from pipeline.console import log, plural

FORMATS = ("svg", "png")


def save_figure(
    path: Path, draw: Callable[[Axes], object], *, size: tuple[float, float]
) -> list[str]:
    """Draw on new axes and save as SVG and PNG: the same figure, the same bytes.

    Parameters
    ----------
    path : Path
        Without suffix.
    draw : callable
        Draws on the axes it is given.
    size : tuple of float
        Width and height in inches.

    Returns
    -------
    list of str
        Names of the files.
    """

    def panel(figure: Figure) -> None:
        draw(figure.subplots())

    return save_panels(path, panel, size=size)


def save_panels(
    path: Path, draw: Callable[[Figure], object], *, size: tuple[float, float]
) -> list[str]:
    """Draw on a new figure and save it as `save_figure` does.

    Parameters
    ----------
    path : Path
        Without suffix.
    draw : callable
        Draws on the figure it is given.
    size : tuple of float
        Width and height in inches.

    Returns
    -------
    list of str
        Names of the files.
    """
    figure = Figure(figsize=size, layout="constrained")
    draw(figure)
    names = []
    for kind in FORMATS:
        target = path.with_name(f"{path.name}.{kind}")
        # no dates and no random ids, so that a figure can be compared
        with mpl.rc_context({"svg.hashsalt": "stratagraph"}), replacing(target) as temporary:
            metadata = {"Date": None} if kind == "svg" else {}
            figure.savefig(temporary, format=kind, dpi=150, metadata=metadata)
        names.append(target.name)
    return names


def inline_svg(draw: Callable[[Axes], object], *, size: tuple[float, float]) -> str:
    """Draw on new axes and return the SVG element, for a page; text stays text.

    Parameters
    ----------
    draw : callable
        Draws on the axes it is given.
    size : tuple of float
        Width and height in inches.
    """
    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    draw(figure.subplots())
    written = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "stratagraph", "svg.fonttype": "none"}):
        figure.savefig(written, format="svg", metadata={"Date": None})
    text = written.getvalue()
    return text[text.index("<svg") :]


def draw_figures(
    folder: Path,
    tables: MetricTables,
    parameters: dict[str, Any],
    *,
    published: pd.DataFrame | None = None,
) -> list[str]:
    """Draw the curve, the classes and the pairs of classes of a run.

    Parameters
    ----------
    folder : Path
        Where the figures go.
    tables : MetricTables
        The metric tables of one variant.
    parameters : dict
        What stage 1 recorded: for the title, and to find the published curve.
    published : DataFrame, optional
        A published curve to draw behind (`find_published`).

    Returns
    -------
    list of str
        Names of the files.
    """
    samples, k = (int(tables.layers[column].iloc[0]) for column in ("n_nodes", "k"))
    title = caption(parameters["model"], parameters["dataset"], parameters["given"]["data"])
    title += caption_counts(samples, k)
    depth = tables.layers["layer_index"].nunique()
    width = min(16.0, 5.0 + 0.3 * depth)

    def curve(ax: Axes) -> None:
        plot_curve(tables.layers, ax, published=published).set_title(title, loc="left")

    def classes(ax: Axes) -> None:
        plot_classes(tables.classes, ax).set_title(title, loc="left")

    def pairs(ax: Axes) -> None:
        plot_class_pairs(tables.class_pairs, ax).set_title(title, loc="left")

    rows = tables.classes["class"].nunique()
    shown = min(SHOWN, rows * (rows - 1) // 2)
    return [
        *save_figure(folder / "curve", curve, size=(width, 4.2)),
        *save_figure(folder / "classes", classes, size=(width + 1, min(14.0, 2.0 + 0.28 * rows))),
        *save_figure(folder / "class-pairs", pairs, size=(width + 2, 2.0 + 0.28 * shown)),
    ]


def find_published(
    path: Path, parameters: dict[str, Any], *, figure: str = "modularity_curve"
) -> pd.DataFrame | None:
    """Look for the published curve by the data set's name, then by the names in its path.

    Parameters
    ----------
    path : Path
        CSV of published curves.
    parameters : dict
        What stage 1 recorded.
    figure : str
        Which rows (`graphs.published.published_curve`).

    Raises
    ------
    TableError
        When the file cannot be read.
    """
    for name in _data_names(parameters["dataset"], parameters["given"]["data"]):
        curve = published_curve(path, model=parameters["model"], dataset=name, figure=figure)
        if len(curve):
            return curve
    log.warning(
        "%s has no curve of %s on %s; none is drawn behind",
        path, parameters["model"], parameters["dataset"],
    )  # fmt: skip
    return None


def find_nearest(
    path: Path | None, *, model: str, dataset: str, data: str | Path | None, figure: str
) -> Published | None:
    """Look for the published rows of a network, or of the one that is nearest to it.

    Parameters
    ----------
    path : Path or None
        CSV of published curves; None gives None.
    model, dataset, data
        As the options name them.
    figure : str
        Which rows (`graphs.published.nearest_published`).

    Raises
    ------
    TableError
        When the file cannot be read or has no such rows.
    """
    if path is None:
        return None
    found = nearest_published(path, model=model, datasets=_data_names(dataset, data), figure=figure)
    if not found.same:
        log.warning(
            "%s has no such rows of %s on %s; those of %s are drawn beside",
            path, model, source_name(dataset, data), found.title,
        )  # fmt: skip
    return found


def _data_names(dataset: str, data: str | Path | None) -> list[str]:
    """Return what a data set may be called: the name of its kind, then the names in its path."""
    given = Path(data or "")
    # a copy or part of a data set still carries its name: cifar10-exact
    return [
        spelling
        for name in (dataset, given.parent.name, given.stem)
        for spelling in (name, name.split("-")[0])
    ]


def caption(model: str, dataset: str, data: str | Path | None) -> str:
    """Return network and data set as a reader knows them, for the title of a figure.

    Parameters
    ----------
    model : str
        Name, or ``path/file.py:factory``.
    dataset : str
        Kind of the data set.
    data : str or Path, optional
        Where it lies: its last two parts say more than ``parquet``.

    Examples
    --------
    >>> caption("nets/vit.py:vit", "parquet", "sets/cifar10/test.parquet")
    'vit.py:vit, cifar10/test.parquet'
    """
    return f"{model.split('/')[-1]}, {source_name(dataset, data)}"


def caption_counts(samples: int, k: int) -> str:
    """Return what Q depends on beside network and data, for the title of a figure.

    Examples
    --------
    >>> caption_counts(500, 3)
    '  ·  500 samples, k = 3'
    """
    return f"  ·  {plural(samples, 'sample')}, k = {k}"


def source_name(dataset: str, data: str | Path | None) -> str:
    """Return the data set's file as a reader knows it, or the name of its kind.

    Examples
    --------
    >>> source_name("digits", None), source_name("fashion-mnist", "shared/data")
    ('digits', 'fashion-mnist')
    """
    named = data is not None and dataset in ("parquet", "arrays", "imagefolder")
    return "/".join(Path(str(data)).parts[-2:]) if named else dataset
