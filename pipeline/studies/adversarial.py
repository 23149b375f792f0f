"""`stratagraph study adversarial`: how the curve of attacked images differs from the clean ones."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from graphs.attacked import compare_pairs
from graphs.errors import GraphError
from graphs.files import remove_tree
from graphs.neighbors.knn import check_k
from pipeline.console import log, plural
from pipeline.figures import caption, find_nearest
from pipeline.options import Features, Machine, Neighbours, Network, Work
from pipeline.progress import progress_bar
from pipeline.studies.attacks.batches import Attack
from pipeline.studies.attacks.crafting import require_library
from pipeline.studies.attacks.options import (
    ATTACKS,
    OWN,
    Attacking,
    Victims,
    check_attacking,
    check_pixel_count,
)
from pipeline.studies.attacks.pairs import Pair, make_pair, variants_of, write_pair
from pipeline.studies.attacks.scene import Scene, open_scene
from pipeline.studies.attacks.summary import (
    TITLES,
    draw_curves,
    draw_images,
    read_attacks,
    summarize,
)
from pipeline.studies.folder import StudyFolder
from pipeline.studies.variants import Variant, measure_variants


def study_adversarial(
    out: Path,
    *,
    network: Network,
    victims: Victims | None = None,
    features: Features | None = None,
    neighbours: Neighbours | None = None,
    attacking: Attacking | None = None,
    published: Path | None = None,
    machine: Machine | None = None,
    work: Work | None = None,
) -> Path:
    """See how the curve of attacked images differs from that of the clean ones.

    Attacks images that the network gets right, and measures those that it then gets wrong, before
    and after. Batches that are done stay: the same command goes on after an interruption, and where
    time was up with a longer limit.

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
    published
        CSV of published curves: those of the attacks are drawn behind where they are of this
        network, else the last layers of the nearest one are marked.

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
    check_k(neighbours.k, attacking.successes)
    if not set(attacking.names()) <= OWN:
        require_library()
    behind = find_nearest(
        published,
        model=network.model,
        dataset=victims.dataset,
        data=victims.data,
        figure="adversarial",
    )
    images = victims.images()
    scene = open_scene(network, images, features, machine=machine)
    check_pixel_count(attacking, scene.raw.input_shape)
    folder = StudyFolder(out, "adversarial", subject=scene.inputs, force=work.force)
    if work.force:
        remove_tree(folder.root / "attacks")
    pairs = _attack(folder, scene, attacking, seed=images.seed, progress=work.progress)
    usable = _usable(pairs, neighbours.k)
    base = Variant(
        name="base", run="base", network=network, images=images, features=features,
        neighbours=neighbours,
    )  # fmt: skip
    variants = _write_pairs(usable, folder, scene, base)
    tables = measure_variants(folder, variants, machine=machine, work=work)
    folder.write_metrics(tables)
    table = summarize(pairs, compare_pairs(tables.layers))
    folder.write_own(table)
    title = caption(network.model, victims.dataset, victims.data) + f"  ·  k = {neighbours.k}"
    files = draw_curves(folder, tables.layers, title=title, published=behind)
    files += draw_images(folder, usable, scene.target, data=scene.data)
    sentence = read_attacks(table, behind)
    asked = (network, victims, features, neighbours, attacking)
    parameters = {
        name: str(value) if isinstance(value, Path) else value
        for options in asked
        for name, value in vars(options).items()
    }
    return folder.finish(parameters, reading=sentence, files=files)


def _attack(
    folder: StudyFolder, scene: Scene, attacking: Attacking, *, seed: int, progress: bool
) -> list[Pair]:
    """Do one attack after the other, and say what came of it."""
    order = np.random.default_rng(seed).permutation(len(scene.raw)).astype(np.int64)
    pairs = []
    for name in attacking.names():
        attack = Attack(
            name=name,
            folder=folder.root / "attacks" / name,
            target=scene.target,
            data=scene.raw,
            order=order,
            attacking=attacking,
            seed=seed,
            inputs=scene.inputs,
        )
        wanted = attacking.successes
        with progress_bar(TITLES[name], wanted, show=progress, unit="images") as advance:
            found = attack.run(advance=advance)
        ended = f" (ended by --time-limit {attacking.time_limit:g})" if found.limited else ""
        if found.limited and not found.attempted:
            ended = f": --time-limit {attacking.time_limit:g} ended the first {attack.size} of them"
        log.info(
            "%s: %d of %d images became wrong%s",
            TITLES[name], len(found.samples), found.attempted, ended,
        )  # fmt: skip
        pairs.append(make_pair(name, found, scene.raw, wanted=wanted))
    _name_others(folder, attacking.names())
    return pairs


def _name_others(folder: StudyFolder, names: Sequence[str]) -> None:
    """Say which attacks of earlier commands are not in the tables of this one."""
    others = [
        TITLES[name]
        for name in ATTACKS
        if name not in names and (folder.root / "attacks" / name / "attacked.npz").exists()
    ]
    if others:
        log.info(
            "not in tables and figure this time: %s, which --attacks does not name (what they "
            "found stays)", ", ".join(others),
        )  # fmt: skip


def _write_pairs(
    pairs: Sequence[Pair], folder: StudyFolder, scene: Scene, base: Variant
) -> list[Variant]:
    """Write the images of every pair; return the two variants of each."""
    return [
        variant
        for pair in pairs
        for variant in variants_of(
            pair, write_pair(pair, folder, scene.data), base=base, data=scene.data
        )
    ]


def _usable(pairs: Sequence[Pair], k: int) -> list[Pair]:
    """Return the pairs that make a graph; say which do not."""
    usable = [pair for pair in pairs if pair.usable(k)]
    for pair in pairs:
        if not pair.usable(k):
            log.warning(
                "%s is left out: it changed %s; a graph with k=%d needs %d or more, of several "
                "classes",
                TITLES[pair.name], plural(len(pair.labels), "image"), k, k + 1,
            )  # fmt: skip
    if not usable:
        raise GraphError(
            f"no attack changed more than k={k} images of at least two classes",
            "raise --time-limit, strengthen the attacks, or give images that the network knows",
        )
    return usable
