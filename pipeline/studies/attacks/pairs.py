"""The same images clean and attacked, as two data sets that the stages read."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graphs.files import remove_tree, replacing
from pipeline.data import ImageData
from pipeline.options import Images
from pipeline.studies.attacks.batches import Found, pack_arrays
from pipeline.studies.attacks.options import AttackName
from pipeline.studies.attacks.target import Pixels
from pipeline.studies.folder import StudyFolder
from pipeline.studies.variants import Variant

STATES = ("clean", "attacked")


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Images before and after an attack.

    Attributes
    ----------
    name : str
        The attack.
    found : Found
        All that it found.
    clean, attacked : ndarray of float32, shape (n, C, H, W)
        The first of them, as many as were wanted, in data-set order; values in [0, 1].
    labels : ndarray of int64, shape (n,)
        Their classes.
    """

    name: AttackName
    found: Found
    clean: Pixels
    attacked: Pixels
    labels: NDArray[np.int64]

    def usable(self, k: int) -> bool:
        """Whether they make a graph: more than k images, of more than one class."""
        return len(self.labels) > k and len(np.unique(self.labels)) > 1


def make_pair(name: AttackName, found: Found, data: ImageData, *, wanted: int) -> Pair:
    """Take the first successes, and the images that they were made of.

    Parameters
    ----------
    name : str
        The attack.
    found : Found
        Its successes.
    data : ImageData
        Images in [0, 1].
    wanted : int
        How many to take.
    """
    first = np.argsort(found.samples[:wanted], kind="stable")
    samples = found.samples[:wanted][first]
    return Pair(
        name=name,
        found=found,
        clean=data.images(samples).numpy(),
        attacked=found.pixels[:wanted][first],
        labels=data.labels[samples],
    )


def write_pair(pair: Pair, folder: StudyFolder, data: ImageData) -> dict[str, Path]:
    """Write both as files that ``--dataset arrays`` reads, under ``attacks/NAME``.

    Where other images were there before, the runs over those are removed.
    """
    written = {}
    for state in STATES:
        path = folder.root / "attacks" / pair.name / f"{state}.npz"
        packed = pack_arrays(
            {"x": getattr(pair, state), "y": pair.labels, "label_names": data.label_names}
        )
        if not path.exists() or path.read_bytes() != packed:
            folder.begin()
            remove_tree(folder.run(variant_name(pair.name, state)))
            with replacing(path) as temporary:
                temporary.write_bytes(packed)
        written[state] = path
    return written


def variant_name(attack: AttackName, state: str) -> str:
    """Return what tables and runs call the images of an attack: ``fgsm-clean``, and ``fgsm``.

    Examples
    --------
    >>> [variant_name("fgsm", state) for state in STATES]
    ['fgsm-clean', 'fgsm']
    """
    return f"{attack}-clean" if state == "clean" else attack


def variants_of(
    pair: Pair, files: dict[str, Path], *, base: Variant, data: ImageData
) -> list[Variant]:
    """Return the two variants of a pair: ``fgsm-clean`` and ``fgsm``.

    Parameters
    ----------
    pair : Pair
        The images.
    files : dict of str to Path
        Where `write_pair` put them.
    base : Variant
        What both have in common.
    data : ImageData
        Where the images come from: its normalisation is that of the pair.
    """
    return [
        replace(
            base,
            name=variant_name(pair.name, state),
            run=variant_name(pair.name, state),
            images=Images(
                dataset="arrays",
                data=files[state],
                normalize=data.normalization.name,
                samples=len(pair.labels),
                repeats=1,
                sampling="sequential",
                seed=base.images.seed,
            ),
            settings={"attack": pair.name, "state": state},
        )
        for state in STATES
    ]
