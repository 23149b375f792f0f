"""`stratagraph study ablation`: whether the shape of the curve depends on the settings."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast, get_args

import pandas as pd
from cyclopts import Group, Parameter
from matplotlib.figure import Figure

from graphs.errors import GraphError
from graphs.neighbors.knn import check_k
from graphs.neighbors.knn_graph import Metric
from graphs.plots import plot_curve
from graphs.shapes import compare_curves
from graphs.tables import write_table
from pipeline.console import log
from pipeline.data import ImageData, draw_samples
from pipeline.figures import find_published, save_panels
from pipeline.layer_info import Pool
from pipeline.opening import open_images
from pipeline.options import Features, Images, Machine, Neighbours, Network, Work
from pipeline.studies.folder import StudyFolder
from pipeline.studies.reading import tell
from pipeline.studies.variants import Variant, measure_variants

# Lu et al. 2022: k at N = 500, N at k = 3, and large k in the appendix
PAPER_KS = "3,5,7,9,11,20,50,100"
PAPER_SAMPLES = "200,500,1000,2000,5000"


@Parameter(name="*", group=Group("Grid", sort_key=4.5))
@dataclass(frozen=True, kw_only=True)
class Grid:
    """What is varied: one setting at a time, the others as given above.

    Attributes
    ----------
    ks
        Values of k, separated by commas; `none` leaves it as it is, here and below. Without this
        option, those of the paper that fit the samples.
    sizes
        Values of --samples. Without this option, those of the paper that the data has images for.
    metrics
        `cosine`, `pearson`.
    presets
        Values of --layers, separated by `;`, such as `blocks;all`.
    pools
        Values of --pool.
    published
        CSV of published curves, drawn behind yours where network and data set match.
    """

    ks: str | None = None
    sizes: str | None = None
    metrics: str = "cosine,pearson"
    presets: str = "none"
    pools: str = "none"
    published: Path | None = None


def study_ablation(
    out: Path,
    *,
    network: Network,
    images: Images | None = None,
    features: Features | None = None,
    neighbours: Neighbours | None = None,
    grid: Grid | None = None,
    machine: Machine | None = None,
    work: Work | None = None,
) -> Path:
    """See how the curve depends on k, samples, metric, layers and pooling.

    Varies one setting at a time, and compares the shapes of the curves: rank correlation over the
    layers, and the largest difference. Activations are computed once for all k and metrics.

    Parameters
    ----------
    out
        Folder of the study: `metrics/ablation.parquet`, `figures/ablation.png`, and the metric
        tables with a column `variant`.
    network, images, features, neighbours
        The settings that are not varied at the moment.
    grid
        The values that are tried.
    machine, work
        As in the stages.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    GraphError
        When a value of the grid is none, or k does not fit the samples.
    DataError
        When there are too few images.
    """
    images, features = images or Images(), features or Features()
    neighbours, grid = neighbours or Neighbours(), grid or Grid()
    work = work or Work()
    data = open_images(network, images)
    base = Variant(
        name="base",
        run="base",
        network=network,
        images=images,
        features=features,
        neighbours=neighbours,
    )
    settings = list(vary(base, grid, data))
    if not settings:
        raise GraphError("the grid is empty: every setting is none", "give --ks 3,5,7")
    behind = _published(grid, base)
    folder = StudyFolder(out, "ablation", force=work.force)
    variants = {setting.variant.name: setting.variant for setting in settings}
    # those that share a run stand together
    order = sorted(variants.values(), key=lambda variant: variant.run)
    tables = measure_variants(folder, order, machine=machine, work=work)
    folder.write_metrics(tables)
    curves = _curves(tables.layers, settings)
    shapes = compare_curves(curves)
    write_table(shapes, folder.table("ablation"), "ablation")
    files = _draw(folder, curves, title=f"{network.model}, {data.name}", published=behind)
    sentence = read_shapes(shapes, curves)
    given = {name: str(value) for name, value in vars(grid).items() if value is not None}
    parameters = {"model": network.model, "grid": given, "variants": sorted(variants)}
    folder.finish(parameters, reading=sentence, files=files)
    return tell(folder, sentence)


@dataclass(frozen=True)
class Setting:
    """One value of one varied setting, and the variant that has it.

    Attributes
    ----------
    varied : str
        ``k``, ``samples``, ``metric``, ``layers``, ``pool`` or ``repeats``.
    value : str
        The value as the user would write it.
    variant : Variant
        How it is measured.
    repeats : int or None
        How many of its repeats count; None for all.
    """

    varied: str
    value: str
    variant: Variant
    repeats: int | None = None


def vary(base: Variant, grid: Grid, data: ImageData) -> Iterator[Setting]:
    """Give every setting of the grid. Settings that mean the same variant have the same name.

    Raises
    ------
    GraphError, DataError
        When a value makes no sense or does not fit the data.
    """
    for k in _ks(grid, base):
        yield _setting("k", k, replace(base, neighbours=replace(base.neighbours, k=k)))
    for size in _sizes(grid, base, data):
        yield _setting("samples", size, replace(base, images=replace(base.images, samples=size)))
    for metric in _choices(grid.metrics, "--metrics", get_args(Metric)):
        changed = replace(base.neighbours, metric=cast("Metric", metric))
        yield _setting("metric", metric, replace(base, neighbours=changed))
    for preset in _words(grid.presets, ";"):
        yield _setting(
            "layers", preset, replace(base, features=replace(base.features, layers=preset))
        )
    for pool in _choices(grid.pools, "--pools", get_args(Pool)):
        pooled = replace(base.features, pool=cast("Pool", pool))
        yield _setting("pool", pool, replace(base, features=pooled))
    # the first of the repeats that are there anyway
    for count in range(1, base.images.repeats + 1) if base.images.repeats > 1 else ():
        yield replace(_setting("repeats", count, base), repeats=count)


def _setting(varied: str, value: object, changed: Variant) -> Setting:
    """Name a variant by all that can be varied, so that no two names mean the same."""
    images, features, near = changed.images, changed.features, changed.neighbours
    layers = "".join(sign if sign.isalnum() else "_" for sign in features.layers)
    run = f"n-{images.samples:05d}-{layers}-{features.pool}"
    check_k(near.k, images.samples)
    variant = replace(
        changed,
        run=run,
        name=f"{run}-{near.metric}-k-{near.k:03d}",
        settings={"layers_option": features.layers, "pool": features.pool},
    )
    return Setting(varied, str(value), variant)


def _ks(grid: Grid, base: Variant) -> list[int]:
    """Return the values of k: those that were asked for, or those that fit."""
    if grid.ks is not None:
        return _numbers(grid.ks, "--ks")
    ks = _numbers(PAPER_KS, "--ks")
    fitting = [k for k in ks if k < base.images.samples]
    if len(fitting) < len(ks):
        log.warning(
            "%d samples: k %s are left out",
            base.images.samples, ", ".join(str(k) for k in ks if k not in fitting),
        )  # fmt: skip
    return fitting if len(fitting) > 1 else []


def _sizes(grid: Grid, base: Variant, data: ImageData) -> list[int]:
    """Return the values of --samples: those that were asked for, or those that fit."""
    if grid.sizes is not None:
        sizes = _numbers(grid.sizes, "--sizes")
        for size in sizes:  # too many are an error before any work
            draw_samples(data.labels, size, 1, sampling=base.images.sampling)
        return sizes
    sizes = _numbers(PAPER_SAMPLES, "--sizes")
    fitting = [size for size in sizes if base.neighbours.k < size <= len(data)]
    if len(fitting) < len(sizes):
        log.warning(
            "%s has %d images: samples %s are left out",
            data.name, len(data), ", ".join(str(size) for size in sizes if size not in fitting),
        )  # fmt: skip
    return fitting if len(fitting) > 1 else []


def _words(text: str, sign: str = ",") -> list[str]:
    words = [word.strip() for word in text.split(sign) if word.strip()]
    return [] if words == ["none"] else words


def _choices(text: str, option: str, allowed: tuple[str, ...]) -> list[str]:
    # a pooling is called none, too: with another value beside it, it is meant
    for word in _words(text):
        if word not in allowed:
            raise GraphError(
                f"{option}: {word!r} is not one of its values", f"use {', '.join(allowed)}"
            )
    return _words(text)


def _numbers(text: str, option: str) -> list[int]:
    words = _words(text)
    for word in words:
        if not word.isdecimal() or int(word) < 1:
            raise GraphError(
                f"{option}: {word!r} is no whole number above 0", f"write {option} 3,5,7"
            )
    return sorted({int(word) for word in words})


def _curves(layers: pd.DataFrame, settings: list[Setting]) -> pd.DataFrame:
    """Return the layers of every setting, a variant that serves several of them repeated."""
    by_name = dict(list(layers.groupby("variant", sort=False)))
    parts = []
    for setting in settings:
        rows = by_name[setting.variant.name]
        if setting.repeats is not None:
            rows = rows[rows["repeat"] < setting.repeats]
        parts.append(rows.assign(varied=setting.varied, setting=setting.value))
    return pd.concat(parts, ignore_index=True)


def _published(grid: Grid, base: Variant) -> pd.DataFrame | None:
    """Return the published curves of this network, with what was varied: k or samples."""
    if grid.published is None:
        return None
    parameters = {
        "model": base.network.model,
        "dataset": base.images.dataset,
        "given": {"data": str(base.images.data) if base.images.data else None},
    }
    found = find_published(grid.published, parameters, figure="ablation")
    names = {"k": "k", "N": "samples"}
    return found if found is None else found.assign(varied=found["setting"].str[0].map(names))


def _draw(
    folder: StudyFolder, curves: pd.DataFrame, *, title: str, published: pd.DataFrame | None
) -> list[str]:
    varied = list(curves["varied"].unique())

    def draw(figure: Figure) -> None:
        panels = figure.subplots(1, len(varied), sharey=True, squeeze=False)[0]
        for ax, name in zip(panels, varied, strict=True):
            behind = None if published is None else published[published["varied"] == name]
            plot_curve(curves[curves["varied"] == name], ax, hue="setting", published=behind)
            ax.set_title(name, loc="left")
        figure.suptitle(title, x=0.01, ha="left")

    return save_panels(folder.figures / "ablation", draw, size=(4.6 * len(varied), 4.4))


def read_shapes(shapes: pd.DataFrame, curves: pd.DataFrame) -> str:
    """Say in a sentence a setting whether the shape of the curve hangs on it."""
    parts = []
    for varied, rows in shapes.groupby("varied", sort=False):
        ranked = rows[rows["spearman"].notna()]
        if ranked.empty:
            continue
        worst = ranked.sort_values("spearman", kind="stable").iloc[0]
        last = _last(curves[curves["varied"] == varied])
        moved = ""
        if varied in ("k", "samples", "repeats"):
            first, end = last.iloc[0], last.iloc[-1]
            moved = f", the last layer's Q goes from {first:.2f} to {end:.2f}"
        parts.append(
            f"{varied}: rank correlation of the curves {worst['spearman']:.2f} or more "
            f"({worst['setting_a']} against {worst['setting_b']}){moved}"
        )
    lowest = float(shapes["spearman"].min())
    verdict = (
        "The curve keeps its shape" if lowest >= 0.9
        else "The curve mostly keeps its shape" if lowest >= 0.7
        else "The curve's shape depends on the settings"
    )  # fmt: skip
    return f"{verdict}. " + "; ".join(parts) + "."


def _last(curves: pd.DataFrame) -> pd.Series:
    """Mean Q of the last layer of every setting, in the order of the settings."""
    deep = curves[curves["layer_index"] == curves["layer_index"].max()]
    found: pd.Series = deep.groupby("setting", sort=False)["modularity"].mean()
    return found
