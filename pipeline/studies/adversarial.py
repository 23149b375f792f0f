"""`stratagraph study adversarial`: how the curve of attacked images differs from the clean ones."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from graphs.attacked import compare_pairs, measure_changes
from graphs.errors import DataError, GraphError
from graphs.files import digest_json, remove_tree
from graphs.plots_adversarial import Triple, draw_triples, plot_pairs
from graphs.tables import write_table
from pipeline.console import log, plural, progress_bar
from pipeline.data import ImageData, draw_samples
from pipeline.data.arrays import ArraySource
from pipeline.data.normalization import parse_normalization
from pipeline.devices import resolve_device
from pipeline.figures import save_figure, save_panels
from pipeline.identity import describe
from pipeline.opening import open_images, open_network
from pipeline.options import Features, Images, Machine, Neighbours, Network, Work
from pipeline.studies.attacks.batches import Attack
from pipeline.studies.attacks.crafting import require_library
from pipeline.studies.attacks.options import Attacking, AttackName, Victims, check_attacking
from pipeline.studies.attacks.pairs import Pair, make_pair, variants_of, write_pair
from pipeline.studies.attacks.target import Target
from pipeline.studies.folder import StudyFolder
from pipeline.studies.reading import tell
from pipeline.studies.variants import Variant, measure_variants

TITLES: dict[AttackName, str] = {
    "fgsm": "FGSM",
    "pgd": "PGD",
    "jsma": "JSMA",
    "cw": "CW",
    "onepixel": "OnePixel",
    "localsearch": "Local Search",
}
# Q of the last layer, VGG16 on CIFAR-10, 500 images (Lu et al. 2022, figure 6a)
PUBLISHED: dict[str, float] = {
    "onepixel": 0.579,
    "cw": 0.319,
    "pgd": 0.272,
    "localsearch": 0.204,
    "jsma": 0.171,
    "fgsm": 0.096,
}
PUBLISHED_CLEAN = 0.823
SHOWN = 3  # images of each attack in the figure


def study_adversarial(
    out: Path,
    *,
    network: Network,
    victims: Victims | None = None,
    features: Features | None = None,
    neighbours: Neighbours | None = None,
    attacking: Attacking | None = None,
    machine: Machine | None = None,
    work: Work | None = None,
) -> Path:
    """See how the curve of attacked images differs from that of the clean ones.

    Attacks images that the network gets right until it gets them wrong, and measures the same
    images before and after. Batches that are done stay: the same command goes on after an
    interruption, and with a longer --time-limit where that ended an attack.

    Parameters
    ----------
    out
        Folder of the study: `metrics/adversarial.parquet`, `figures/adversarial.png` and
        `adversarial-images.png`, the images in `attacks/NAME/clean.npz` and `attacked.npz`.
    network
        Model and weights: a classifier that gives logits.
    victims
        The images.
    features, neighbours, machine, work
        As in the stages.
    attacking
        The attacks and their numbers.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    DataError
        When an option makes no sense, or pixels do not lie in 0 to 1.
    ModelError
        When the network gives no logits, or the attack library is missing.
    GraphError
        When no attack changed enough images.
    """
    victims, features = victims or Victims(), features or Features()
    neighbours, attacking = neighbours or Neighbours(), attacking or Attacking()
    machine, work = machine or Machine(), work or Work()
    check_attacking(attacking, k=neighbours.k)
    if set(attacking.names()) != {"localsearch"}:
        require_library()
    images = victims.images()
    data = open_images(network, images)
    raw = replace(data, normalization=parse_normalization("none"))
    check_pixels(raw)
    draw_samples(data.labels, len(data), 1, seed=images.seed)  # complains of a bad seed
    model, _ = open_network(network, images, features, data=data)
    target = Target(model, data, resolve_device(machine.device))
    folder = StudyFolder(out, "adversarial", force=work.force)
    if work.force:
        remove_tree(folder.root / "attacks")
    inputs = digest_json(describe(network, images, Features(), data=data, model=model))
    pairs = [
        _attack(name, folder, target, raw, images, attacking=attacking, inputs=inputs, work=work)
        for name in attacking.names()
    ]
    usable = _usable(pairs, neighbours.k)
    variants = _variants(
        usable, folder, data, images, network=network, features=features, neighbours=neighbours
    )
    tables = measure_variants(folder, variants, machine=machine, work=work)
    folder.write_metrics(tables)
    table = summarize(pairs, compare_pairs(tables.layers))
    write_table(table, folder.table("adversarial"), "adversarial")
    files = _draw(folder, tables.layers, title=f"{network.model}, {data.name}")
    files += _draw_images(folder, usable, target, data)
    sentence = read_attacks(table)
    parameters = {"attacking": vars(attacking), "variants": [item.name for item in variants]}
    folder.finish(parameters, reading=sentence, files=files)
    return tell(folder, sentence)


def check_pixels(raw: ImageData) -> None:
    """Check that images of floats lie in [0, 1], as far as they are in memory.

    Raises
    ------
    DataError
        When they were normalised already: an attack must know what a pixel can be.
    """
    if not isinstance(raw.source, ArraySource) or raw.source.pixels.dtype == np.uint8:
        return
    low, high = float(raw.source.pixels.min()), float(raw.source.pixels.max())
    if low < 0 or high > 1:
        raise DataError(
            f"the images of {raw.name} go from {low:g} to {high:g}, attacks need pixels in 0 to 1",
            "give them before normalisation, and say how with --normalize",
        )


def _attack(
    name: AttackName,
    folder: StudyFolder,
    target: Target,
    raw: ImageData,
    images: Images,
    *,
    attacking: Attacking,
    inputs: str,
    work: Work,
) -> Pair:
    """Do one attack, and say what came of it."""
    order = np.random.default_rng(images.seed).permutation(len(raw)).astype(np.int64)
    attack = Attack(
        name=name,
        folder=folder.root / "attacks" / name,
        target=target,
        data=raw,
        order=order,
        attacking=attacking,
        seed=images.seed,
        inputs=inputs,
    )
    wanted = attacking.successes
    with progress_bar(TITLES[name], wanted, show=work.progress, unit="images") as advance:
        found = attack.run(advance=advance)
    log.info(
        "%s: %d of %d images became wrong%s",
        TITLES[name], len(found.samples), found.attempted,
        f" (ended by --time-limit {attacking.time_limit:g})" if found.limited else "",
    )  # fmt: skip
    return make_pair(name, found, raw, wanted=wanted)


def _usable(pairs: Sequence[Pair], k: int) -> list[Pair]:
    """Return the pairs that make a graph; say which do not."""
    usable = [pair for pair in pairs if pair.usable(k)]
    for pair in pairs:
        if pair not in usable:
            log.warning(
                "%s is left out: %s of %d classes is too little for k=%d",
                TITLES[pair.name], plural(len(pair.labels), "image"),
                len(np.unique(pair.labels)), k,
            )  # fmt: skip
    if not usable:
        raise GraphError(
            f"no attack changed more than k={k} images of at least two classes",
            "raise --time-limit, strengthen the attacks, or give images that the network knows",
        )
    return usable


def _variants(
    pairs: Sequence[Pair],
    folder: StudyFolder,
    data: ImageData,
    images: Images,
    *,
    network: Network,
    features: Features,
    neighbours: Neighbours,
) -> list[Variant]:
    """Write the images of every pair and return what is to be measured."""
    return [
        variant
        for pair in pairs
        for variant in variants_of(
            pair,
            write_pair(pair, folder, data),
            images,
            normalize=data.normalization.name,
            network=network,
            features=features,
            neighbours=neighbours,
        )
    ]


def summarize(pairs: Sequence[Pair], curves: pd.DataFrame) -> pd.DataFrame:
    """Put together one row an attack: how often it worked, what it changed, and Q.

    Parameters
    ----------
    pairs : sequence of Pair
        Those without a curve are in the table, too.
    curves : DataFrame
        From `graphs.attacked.compare_pairs`.
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


def _draw(folder: StudyFolder, layers: pd.DataFrame, *, title: str) -> list[str]:
    depth = layers["layer_index"].nunique()

    def draw(ax: Axes) -> None:
        plot_pairs(layers.assign(attack=layers["attack"].map(TITLES)), ax)
        ax.set_title(title, loc="left")

    return save_figure(
        folder.figures / "adversarial", draw, size=(min(16.0, 5.5 + 0.3 * depth), 4.6)
    )


def _draw_images(
    folder: StudyFolder, pairs: Sequence[Pair], target: Target, data: ImageData
) -> list[str]:
    triples = [
        Triple(
            row=TITLES[pair.name],
            clean=pair.clean[place],
            attacked=pair.attacked[place],
            before=data.label_names[int(pair.labels[place])],
            after=_name(data, int(after)),
        )
        for pair in pairs
        for place, after in enumerate(target.predict(pair.attacked[:SHOWN]))
    ]

    def draw(figure: Figure) -> None:
        draw_triples(figure, triples)

    width, height = 1.1 * 3 * SHOWN + 0.4, 1.35 * len(pairs) + 0.3
    return save_panels(folder.figures / "adversarial-images", draw, size=(width, height))


def _name(data: ImageData, number: int) -> str:
    """Name a class; a network may know more of them than the data set."""
    return data.label_names[number] if number < len(data.label_names) else str(number)


def read_attacks(table: pd.DataFrame) -> str:
    """Say where the curves of attacked images end, beside the published ones."""
    measured = table[table["last_layer_attacked"].notna()]
    lower = int((measured["last_layer_attacked"] < measured["last_layer_clean"]).sum())
    ends = measured.sort_values("last_layer_attacked", ascending=False, kind="stable")
    ours = "; ".join(
        f"{TITLES[row.attack]} {row.last_layer_attacked:.3f} "
        f"(clean {row.last_layer_clean:.3f}, {plural(row.n_nodes, 'image')}, "
        f"{row.success_rate:.0%} of those attacked became wrong)"
        for row in ends.itertuples()
    )
    theirs = ", ".join(
        f"{TITLES[name]} {value:.3f}"
        for name, value in PUBLISHED.items()
        if name in set(ends["attack"])
    )
    return (
        f"In the last layer Q is lower after the attack than before in {lower} of "
        f"{plural(len(measured), 'attack')}, highest first: {ours}. Published for VGG16 on "
        f"CIFAR-10 (Lu et al. 2022, 500 images each): clean {PUBLISHED_CLEAN:.3f}, {theirs}."
    )
