"""`stratagraph study random`: the trained network against its untrained self."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pandas as pd
from cyclopts import Group, Parameter
from matplotlib.axes import Axes
from torch import nn

from graphs.errors import ModelError
from graphs.plots_training import plot_untrained
from graphs.trends import describe_curves
from pipeline.figures import caption, caption_counts, save_figure
from pipeline.options import (
    Features,
    Images,
    Machine,
    Neighbours,
    Network,
    Work,
    brings_weights,
)
from pipeline.studies.epochs import initial_model
from pipeline.studies.folder import StudyFolder
from pipeline.studies.passing import measure_passing, open_variant
from pipeline.studies.variants import Variant
from pipeline.training import checkpoints

TRAINED = "trained"
FLATTER = 0.5  # share of the trained network's range below which a curve is said to be flatter
FLAT = 0.1  # range of Q below which it is said to be flat


@Parameter(name="*", group=Group("Untrained networks", sort_key=4.5))
@dataclass(frozen=True, kw_only=True)
class Untrained:
    """What the network is compared with.

    Attributes
    ----------
    seeds
        How many untrained networks: their seeds are 0, 1, ...
    """

    seeds: int = 5


def study_random(
    out: Path,
    *,
    network: Network,
    images: Images | None = None,
    features: Features | None = None,
    neighbours: Neighbours | None = None,
    untrained: Untrained | None = None,
    machine: Machine | None = None,
    work: Work | None = None,
) -> Path:
    """Compare the curve with those of the same network, untrained.

    Measures the trained network and several random initialisations on the same images, and says
    how flat their curves are. In evaluation mode the batch normalisation of an untrained network
    leaves features as they are.

    Parameters
    ----------
    out
        Folder of the study: `metrics/random.parquet`, `figures/random.png`, `weights`, and the
        metric tables with a column `variant`.
    network
        Model and weights of the trained network.
    images, features, neighbours
        How all of them are measured.
    untrained
        The number of random initialisations.
    machine, work
        As in the stages.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ModelError
        When no weights are given, or initialisations with different seeds are the same.
    DataError, WeightsError, GraphError
        When the images, the weights or k cannot be used.
    """
    base = Variant(
        name=TRAINED,
        run=TRAINED,
        network=network,
        images=images or Images(),
        features=features or Features(),
        neighbours=neighbours or Neighbours(),
    )
    untrained, work = untrained or Untrained(), work or Work()
    _check_options(network, untrained)
    data, model = open_variant(base)
    bare = replace(network, weights="random")
    starts = [partial(initial_model, bare, data, seed=seed) for seed in range(untrained.seeds)]
    _check_different(network, model, starts)
    folder = StudyFolder(out, "random", force=work.force)
    variants = [base, *_variants(base, folder, starts)]
    tables = measure_passing(folder, variants, data=data, model=model, machine=machine, work=work)
    folder.write_metrics(tables)
    seeds = pd.Series([None, *range(untrained.seeds)], dtype="Int64")
    table = describe_curves(tables.layers).assign(seed=seeds)
    folder.write_own(table)
    files = _draw(folder, tables.layers, base)
    sentence = read_flatness(table)
    parameters = {"model": network.model, "seeds": untrained.seeds}
    return folder.finish(parameters, reading=sentence, files=files)


def _check_options(network: Network, untrained: Untrained) -> None:
    if untrained.seeds < 1:
        raise ModelError(f"--seeds {untrained.seeds} draws no network", "give at least 1")
    if network.weights == "random" and not brings_weights(network.model):
        raise ModelError(
            f"{network.model} with --weights random is untrained itself: nothing to compare with",
            "give --weights FILE",
        )


def _check_different(
    network: Network, trained: nn.Module, starts: Sequence[Callable[[], nn.Module]]
) -> None:
    """Refuse networks of which two are the same: a factory that loads weights draws nothing.

    Each is built here, and again when it is written: together they may not fit into the memory.
    """
    digests = [checkpoints.digest_state(trained)]
    digests += [checkpoints.digest_state(start()) for start in starts]
    if len(set(digests)) < len(digests):
        raise ModelError(
            f"{network.model} has the same weights with different seeds, or untrained as trained",
            "give a factory that initialises at random, and the trained weights as --weights",
        )


def _variants(
    base: Variant, folder: StudyFolder, starts: Sequence[Callable[[], nn.Module]]
) -> list[Variant]:
    """Write every initialisation as a checkpoint: the images' seed draws the samples."""
    variants = []
    for seed, start in enumerate(starts):
        name = f"random-{seed}"
        path = folder.root / "weights" / f"{name}.pt"
        checkpoints.save(path, {"state_dict": checkpoints.copy_state(start())})
        network = replace(base.network, weights=str(path))
        variants.append(replace(base, name=name, run=name, network=network))
    return variants


def _draw(folder: StudyFolder, layers: pd.DataFrame, base: Variant) -> list[str]:
    title = caption(base.network.model, base.images.dataset, base.images.data)
    title += caption_counts(base.images.samples, base.neighbours.k)

    def draw(ax: Axes) -> None:
        plot_untrained(layers, ax).set_title(title, loc="left")

    width = min(16.0, 5.0 + 0.3 * layers["layer_index"].nunique())
    return save_figure(folder.figures / "random", draw, size=(width, 4.2))


def read_flatness(table: pd.DataFrame) -> str:
    """Say how flat untrained networks are beside the trained one.

    Parameters
    ----------
    table : DataFrame
        The table `random`.

    Returns
    -------
    str
        One sentence.

    Examples
    --------
    >>> rows = {"variant": ["trained", "random-0", "random-1"], "range": [0.8, 0.02, 0.04]}
    >>> rows |= {"first_q": [0.1, 0.1, 0.1], "last_q": [0.9, 0.09, 0.12]}
    >>> print(read_flatness(pd.DataFrame(rows)))
    Untrained networks stay flat: their Q spans 0.03 ± 0.01 over depth (2 seeds), that of the \
trained one 0.80; from the first layer to the last Q changes by +0.00 untrained and +0.80 trained.
    """
    trained = table[table["variant"] == TRAINED].iloc[0]
    others = table[table["variant"] != TRAINED]
    mean, sd = others["range"].mean(), others["range"].std()
    spread = f" ± {sd:.2f}" if len(others) > 1 else ""
    seeds = f"{len(others)} seed{'s' if len(others) > 1 else ''}"
    flatter = mean < FLATTER * trained["range"]
    verdict = (
        "stay flat" if flatter and others["range"].max() < FLAT
        else "are flatter than the trained one" if flatter
        else "are hardly flatter than the trained one"
    )  # fmt: skip
    change = (others["last_q"] - others["first_q"]).mean()
    gain = trained["last_q"] - trained["first_q"]
    return (
        f"Untrained networks {verdict}: their Q spans {mean:.2f}{spread} over depth ({seeds}), "
        f"that of the trained one {trained['range']:.2f}; from the first layer to the last Q "
        f"changes by {change:+.2f} untrained and {gain:+.2f} trained."
    )
