"""`stratagraph study ablation`: whether the shape of the curve depends on the settings."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from graphs.correlations import FEW, caution
from graphs.errors import GraphError
from graphs.plots import plot_curve
from graphs.shapes import compare_curves
from pipeline.console import plural
from pipeline.figures import caption, find_published, save_panels
from pipeline.opening import open_images, open_network
from pipeline.options import Features, Images, Machine, Neighbours, Network, Work
from pipeline.studies.folder import StudyFolder
from pipeline.studies.grid import Grid, Setting, vary
from pipeline.studies.variants import Variant, measure_variants


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
    layers, and the largest difference; the repeats, too, one with another. Activations are computed
    once for all k and metrics.

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
    for changed in {setting.variant.features for setting in settings}:
        open_network(network, images, changed, data=data)  # layers that are not there show here
    folder = StudyFolder(out, "ablation", force=work.force)
    variants = {setting.variant.name: setting.variant for setting in settings}
    # those that share a run stand together
    order = sorted(variants.values(), key=lambda variant: variant.run)
    tables = measure_variants(folder, order, machine=machine, work=work)
    folder.write_metrics(tables)
    curves = _curves(tables.layers, settings)
    shapes = compare_curves(curves)
    folder.write_own(shapes)
    files = _draw(
        folder, curves, title=caption(network.model, images.dataset, images.data), published=behind
    )
    sentence = read_shapes(shapes, curves)
    given = {name: str(value) for name, value in vars(grid).items() if value is not None}
    parameters = {"model": network.model, "grid": given, "variants": sorted(variants)}
    return folder.finish(parameters, reading=sentence, files=files)


def _curves(layers: pd.DataFrame, settings: list[Setting]) -> pd.DataFrame:
    """Return the layers of every setting, a variant that serves several of them repeated."""
    by_name = dict(list(layers.groupby("variant", sort=False)))
    parts = []
    for setting in settings:
        rows = by_name[setting.variant.name]
        if setting.repeat is not None:
            rows = rows[rows["repeat"] == setting.repeat]
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
    """Say in a sentence a setting whether the shape of the curve hangs on it.

    Parameters
    ----------
    shapes : DataFrame
        The table `ablation`.
    curves : DataFrame
        What it compares, with ``varied`` and ``setting``.

    Returns
    -------
    str
        The repeats, which nobody sets, have no part in the first sentence.
    """
    ranked = shapes[shapes["spearman"].notna()]
    if ranked.empty:
        return "There is nothing to compare: no setting has two values, or no curve three layers."
    few = _too_few(ranked)
    parts = []
    for varied, rows in ranked.groupby("varied", sort=False):
        worst = rows.sort_values("spearman", kind="stable").iloc[0]
        what = "single repeats" if varied == "repeat" else "the curves"
        count = int(worst["n_layers"])
        parts.append(
            f"{varied}: rank correlation of {what} at least {worst['spearman']:.2f} over "
            f"{plural(count, 'layer')}{'' if few else caution(count)} "
            f"({worst['setting_a']} against {worst['setting_b']})"
            f"{_moved(str(varied), curves[curves['varied'] == varied])}"
        )
    return f"{few or _verdict(ranked[ranked['varied'] != 'repeat'])} {'; '.join(parts)}."


def _verdict(ranked: pd.DataFrame) -> str:
    """Say whether settings change the shape, from pairs with enough layers to tell."""
    if ranked.empty:
        return "Only repeats are compared."
    if few := _too_few(ranked):
        return few
    lowest = float(ranked.loc[ranked["n_layers"] >= FEW, "spearman"].min())
    return (
        "The curve keeps its shape." if lowest >= 0.9
        else "The curve mostly keeps its shape." if lowest >= 0.7
        else "The curve's shape depends on the settings."
    )  # fmt: skip


def _too_few(ranked: pd.DataFrame) -> str:
    """Say that no pair has enough layers; nothing where one has."""
    most = int(ranked["n_layers"].max())
    if most >= FEW:
        return ""
    return f"Over {plural(most, 'layer')} the shape of a curve cannot be told from chance."


def _moved(varied: str, curves: pd.DataFrame) -> str:
    """Say where the last layer's Q goes, or lies."""
    last = _last(curves)
    if varied == "repeat":
        return f", the last layer's Q lies between {last.min():.2f} and {last.max():.2f}"
    if varied in ("k", "samples"):
        return f", the last layer's Q goes from {last.iloc[0]:.2f} to {last.iloc[-1]:.2f}"
    return ""


def _last(curves: pd.DataFrame) -> pd.Series:
    """Mean Q of the last layer of every setting, in the order of the settings."""
    deep = curves[curves["layer_index"] == curves["layer_index"].max()]
    found: pd.Series = deep.groupby("setting", sort=False)["modularity"].mean()
    return found
