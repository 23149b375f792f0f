"""What came of the attacks: a table, figures, and a sentence beside the published numbers."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from graphs.attacked import measure_changes
from graphs.plots_adversarial import Triple, draw_triples, plot_pairs
from graphs.published import Published
from pipeline.console import plural
from pipeline.data import ImageData
from pipeline.figures import save_figure, save_panels
from pipeline.studies.attacks.pairs import Pair
from pipeline.studies.attacks.target import Target
from pipeline.studies.folder import StudyFolder

TITLES: dict[str, str] = {
    "fgsm": "FGSM",
    "pgd": "PGD",
    "jsma": "JSMA",
    "cw": "CW",
    "onepixel": "OnePixel",
    "localsearch": "Local Search",
}
# Q of the last layer, VGG16 on CIFAR-10, 500 images each (Lu et al. 2022, figure 6a)
CLEAN = "Normal"
PUBLISHED: dict[str, float] = {
    CLEAN: 0.823,
    "onepixel": 0.579,
    "cw": 0.319,
    "pgd": 0.272,
    "localsearch": 0.204,
    "jsma": 0.171,
    "fgsm": 0.096,
}
PUBLISHED_IMAGES = 500
SHOWN = 3  # images of each attack in the figure


def summarize(pairs: Sequence[Pair], curves: pd.DataFrame) -> pd.DataFrame:
    """Put together one row an attack: how often it worked, what it changed, and Q.

    Parameters
    ----------
    pairs : sequence of Pair
        Those without a curve are in the table, too.
    curves : DataFrame
        From `graphs.attacked.compare_pairs`.

    Returns
    -------
    DataFrame
        The table `adversarial`. `succeeded` counts all images that became wrong, `n_nodes` those
        that are in the graphs; means are over these.
    """
    rows = []
    for pair in pairs:
        changes = measure_changes(pair.clean, pair.attacked).mean()
        attempted, succeeded = pair.found.attempted, len(pair.found.samples)
        rows.append(
            {
                "attack": pair.name,
                "attempted": attempted,
                "succeeded": succeeded,
                "success_rate": succeeded / attempted if attempted else np.nan,
                "time_limit_reached": pair.found.limited,
                "n_nodes": len(pair.labels),
                "mean_l2": changes["l2"],
                "mean_linf": changes["linf"],
                "pixels_changed": changes["pixels"],
            }
        )
    return pd.DataFrame(rows).merge(curves, on="attack", how="left")


def read_attacks(table: pd.DataFrame, published: Published | None = None) -> str:
    """Say where the curves of attacked images end, beside the published ones.

    Parameters
    ----------
    table : DataFrame
        From `summarize`.
    published : Published, optional
        What to name beside; otherwise VGG16.
    """
    measured = table[table["last_layer_attacked"].notna()]
    lower = int((measured["last_layer_attacked"] < measured["last_layer_clean"]).sum())
    ends = measured.sort_values("last_layer_attacked", ascending=False, kind="stable")
    ours = "; ".join(
        f"{TITLES[row['attack']]} {row['last_layer_attacked']:.3f} (clean "
        f"{row['last_layer_clean']:.3f}, {plural(row['n_nodes'], 'image')}, "
        f"{row['success_rate']:.0%} of those attacked became wrong)"
        for row in ends.to_dict("records")
    )
    names = set(ends["attack"])
    fewer = ends[ends["n_nodes"] < ends["n_nodes"].max()]["attack"]
    had = f": {', '.join(TITLES[name] for name in fewer)} had fewer" if len(fewer) else ""
    other = (ends["n_nodes"] != PUBLISHED_IMAGES).any()
    warning = f"Q depends on the number of images{had}. " if len(fewer) or other else ""
    title, known = "VGG16, CIFAR-10 (Lu et al. 2022)", PUBLISHED
    if published is not None:
        title, known = published.title, _last_layers(published)
    order = sorted(known, key=lambda name: -known[name])
    theirs = ", ".join(f"{TITLES[name]} {known[name]:.3f}" for name in order if name in names)
    clean = f"clean {known[CLEAN]:.3f}, " if CLEAN in known else ""
    return (
        f"In the last layer Q is lower after the attack than before in {lower} of "
        f"{plural(len(measured), 'attack')}: {ours}. {_without_curves(table)}{warning}"
        f"Published for {title}, {PUBLISHED_IMAGES} images each, by attacks with numbers of their "
        f"own: {clean}{theirs}."
    )


def _without_curves(table: pd.DataFrame) -> str:
    """Name the attacks that changed too few images, and those that --time-limit ended."""
    said = ""
    left_out = table[table["last_layer_attacked"].isna()]
    if len(left_out):
        counts = (
            f"{TITLES[row['attack']]} (changed {row['succeeded']} of {row['attempted']})"
            for row in left_out.to_dict("records")
        )
        said += f"Too few images for a graph: {', '.join(counts)}. "
    ended = table[table["time_limit_reached"]]["attack"]
    if len(ended):
        said += f"Ended by --time-limit: {', '.join(TITLES[name] for name in ended)}. "
    return said


def _last_layers(published: Published) -> dict[str, float]:
    """Return published Q of the last layer, by attack."""
    settings = published.rows.groupby("setting")["Q"].last()
    return {_attack_of(name): float(q) for name, q in settings.items()}


def _attack_of(setting: object) -> str:
    """Return the attack that a published setting is of: ``localsearch`` of ``LocalSearch``."""
    name = str(setting).lower().replace(" ", "")
    return name if name in TITLES else str(setting)


def draw_curves(
    folder: StudyFolder, layers: pd.DataFrame, *, title: str, published: Published | None
) -> list[str]:
    """Draw the curves before and after; return the names of the files."""
    if published is not None:
        settings = published.rows["setting"].map(_attack_of).replace(TITLES)
        published = replace(published, rows=published.rows.assign(setting=settings))

    def draw(ax: Axes) -> None:
        plot_pairs(layers.assign(attack=layers["attack"].map(TITLES)), ax, published=published)
        ax.set_title(title, loc="left")

    width = min(16.0, 5.5 + 0.3 * layers["layer_index"].nunique())
    return save_figure(folder.figures / "adversarial", draw, size=(width, 4.6))


def draw_images(
    folder: StudyFolder, pairs: Sequence[Pair], target: Target, *, data: ImageData
) -> list[str]:
    """Draw some images of every attack; return the names of the files."""
    triples = [
        Triple(
            row=TITLES[pair.name],
            clean=pair.clean[place],
            attacked=pair.attacked[place],
            before=_name(data, int(pair.labels[place])),
            after=_name(data, int(after)),
        )
        for pair in pairs
        for place, after in enumerate(target.predict(pair.attacked[:SHOWN]))
    ]

    def draw(figure: Figure) -> None:
        draw_triples(figure, triples)

    size = (1.1 * 3 * SHOWN + 0.4, 1.35 * len(pairs) + 0.3)
    return save_panels(folder.figures / "adversarial-images", draw, size=size)


def _name(data: ImageData, number: int) -> str:
    """Name a class; a network may know more of them than the data set."""
    return data.label_names[number] if number < len(data.label_names) else str(number)
