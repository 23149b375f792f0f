"""How many flipped labels stand at the top of the list of suspects.

``python -m pipeline.benchmarks.label_flips``: real images, a share of whose labels is flipped to
another class at random; the suspects of `graphs.samples` are compared with the flipped ones.
"""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from graphs.errors import DataError
from graphs.neighbors import KnnGraph
from graphs.samples import sample_table
from pipeline.analysis import Analysis
from pipeline.api import analyze
from pipeline.benchmarks.images import WEIGHTS
from pipeline.benchmarks.setting import data_folder
from pipeline.console import log
from pipeline.data import ImageData, from_arrays, load_data
from pipeline.models import load_model
from pipeline.training import Recipe, train

EXACT = "cifar10-exact/test.parquet"
SAMPLES = 1000
CLASSES = 10
DIGITS = "resnet14"
RECIPE = Recipe(epochs=12, batch_size=64, lr=0.05, milestones=(8,), weight_decay=5e-4)
COLUMNS = ("flipped labels in", "first", "suspects", "precision", "recall", "predicted")
LEGEND = """
first      share of flipped labels among as many first suspects as there are
           flipped ones: precision and recall at once
suspects   samples that never settle: how many, precision and recall of all
predicted  as `first`, for samples that the network takes for another class than
           their label, the most confident first"""


@dataclass(frozen=True, kw_only=True)
class Found:
    """How well flipped labels were found in one draw.

    Attributes
    ----------
    at_share : float
        Precision among as many first suspects as labels were flipped: also the recall there.
    suspects : int
        Samples that never settle.
    precision, recall : float
        Of all of these.
    prediction : float
        As `at_share`, for another list: samples that the network takes for another class than
        their label, the most confident first.
    """

    at_share: float
    suspects: int
    precision: float
    recall: float
    prediction: float


def flip_labels(
    labels: NDArray[np.integer], share: float, *, classes: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Give a share of the samples another label, any with equal chance.

    Returns
    -------
    tuple
        The labels, and which are flipped.

    Examples
    --------
    >>> labels, flipped = flip_labels(np.zeros(20, int), 0.1, classes=3, seed=0)
    >>> int(flipped.sum()), bool((labels[flipped] > 0).all())
    (2, True)
    """
    generator = np.random.default_rng(seed)
    chosen = generator.choice(len(labels), round(share * len(labels)), replace=False)
    flipped = np.zeros(len(labels), dtype=bool)
    flipped[chosen] = True
    found = labels.astype(np.int64)
    found[chosen] = (found[chosen] + generator.integers(1, classes, size=len(chosen))) % classes
    return found, flipped


def find_flips(
    graphs: tuple[KnnGraph, ...], nodes: pd.DataFrame, flipped: NDArray[np.bool_]
) -> Found:
    """Compare the suspects of a node table with flipped labels in it with the flipped ones."""
    table = sample_table(graphs, nodes, [str(layer) for layer in range(len(graphs))])
    count, suspect = int(flipped.sum()), table["suspect"].to_numpy(bool)
    first = np.argsort(table["rank"].to_numpy())[:count]
    contradicts = np.where(nodes["predicted"] != nodes["label"], 1, -1)
    confident = np.argsort(-contradicts * nodes["confidence"].to_numpy(), kind="stable")[:count]
    return Found(
        at_share=float(flipped[first].mean()),
        suspects=int(suspect.sum()),
        precision=float(flipped[suspect].mean()) if suspect.any() else 0.0,
        recall=float(suspect[flipped].mean()),
        prediction=float(flipped[confident].mean()),
    )


def flip_afterwards(found: Analysis, *, share: float, draws: int) -> list[Found]:
    """Flip labels of samples that a network was not trained on; the graphs stay as they are."""
    nodes = found.graphs[0].nodes
    results = []
    for seed in range(draws):
        labels, flipped = flip_labels(nodes["label"].to_numpy(), share, classes=CLASSES, seed=seed)
        given = nodes.assign(label=labels, label_name=labels.astype(str))
        results.append(find_flips(found.knn_graphs[0], given, flipped))
    return results


def flip_before_training(*, share: float, draws: int, scratch: Path) -> list[Found]:
    """Train on digits with flipped labels, and look for these among the training images."""
    clean, test = load_data("digits", split="train"), load_data("digits")
    results = []
    for seed in range(draws):
        labels, flipped = flip_labels(clean.labels, share, classes=CLASSES, seed=seed)
        data = from_arrays(clean.raw(np.arange(len(clean))), labels)
        model = load_model(DIGITS, input_shape=data.input_shape, seed=seed)
        train(model, data, test, out=scratch / f"flipped-{seed}", recipe=RECIPE)
        found = analyze(model, data, samples=len(data), repeats=1)
        nodes = found.graphs[0].nodes
        results.append(find_flips(found.knn_graphs[0], nodes, flipped[nodes["sample"]]))
    return results


def label_flips(*, data: Path | None = None, share: float = 0.05, draws: int = 20) -> None:
    """Flip labels of real images and look for them among the suspects; print a table.

    Parameters
    ----------
    data
        Folder with real images and weights (default: the environment variable STRATAGRAPH_DATA);
        without it only digits are used.
    share
        Share of the labels that is flipped.
    draws
        How often labels are flipped; a fifth as often where a network is trained on them.

    Raises
    ------
    DataError
        When the data folder does not exist, or no label would be flipped.
    """
    if not 0 < share < 1 or draws < 1:
        raise DataError(
            f"--share {share:g} in {draws} draws flips no labels", "use --share 0.05 --draws 20"
        )
    sys.stdout.write("{:<34}{:>7}{:>10}{:>11}{:>8}{:>10}\n".format(*COLUMNS))
    if folder := data_folder(data):
        log.info("CIFAR-10, ResNet20")
        images = load_data("parquet", path=folder / EXACT, normalize="imagenet")
        model = load_model("resnet20", weights=str(folder / WEIGHTS["resnet20"]))
        found = analyze(model, images, samples=SAMPLES, repeats=1)
        _tell("CIFAR-10 test, ResNet20", flip_afterwards(found, share=share, draws=draws))
    with tempfile.TemporaryDirectory(prefix="flips-") as place:
        scratch = Path(place)
        log.info("digits, %s", DIGITS)
        found = _trained_on_digits(scratch)
        _tell(f"digits test, {DIGITS}", flip_afterwards(found, share=share, draws=draws))
        log.info("digits, %s trained on flipped labels", DIGITS)
        few = max(1, draws // 5)
        _tell(
            "digits, trained on flipped ones",
            flip_before_training(share=share, draws=few, scratch=scratch),
        )
    sys.stdout.write(f"{LEGEND}\n")


def _trained_on_digits(scratch: Path) -> Analysis:
    clean: ImageData = load_data("digits", split="train")
    test = load_data("digits")
    model = load_model(DIGITS, input_shape=clean.input_shape)
    train(model, clean, test, out=scratch / "clean", recipe=RECIPE)
    return analyze(model, test, samples=len(test), repeats=1)


def _tell(name: str, results: list[Found]) -> None:
    """Print the means over the draws, each row at once: it may be the last one."""
    means = pd.DataFrame([vars(found) for found in results]).mean()
    sys.stdout.write(
        f"{name:<34}{means['at_share']:>7.2f}{means['suspects']:>10.0f}{means['precision']:>11.2f}"
        f"{means['recall']:>8.2f}{means['prediction']:>10.2f}\n"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    from pipeline.cli import run_script

    run_script(label_flips)
