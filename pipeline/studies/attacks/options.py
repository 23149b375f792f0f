"""The options of the attacks, and what makes sense of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from cyclopts import Group, Parameter

from graphs.errors import DataError
from pipeline.data import DatasetName
from pipeline.options import Images

AttackName = Literal["fgsm", "pgd", "jsma", "cw", "onepixel", "localsearch"]
ATTACKS: tuple[AttackName, ...] = get_args(AttackName)
OWN = {"onepixel", "localsearch"}  # need no library


@Parameter(name="*", group=Group("Images", sort_key=2))
@dataclass(frozen=True, kw_only=True)
class Victims:
    """Which images are attacked.

    Attributes
    ----------
    dataset
        Where the images come from; `digits` comes with scikit-learn and needs no files.
    data
        File or folder of the data set. Pixels as bytes, or as floats from 0 to 1.
    split
        Which part of it.
    image_size
        For image files of different sizes: shorter side resized to so many pixels, then cropped
        to a square.
    normalize
        `none`, the name of a data set, or `m,m,m/s,s,s`, as the network was trained. `auto`
        takes those of the data set where they are known, else `none`.
    seed
        Of the order in which images are attacked, and of everything random in the attacks.
    """

    dataset: DatasetName = "digits"
    data: Path | None = None
    split: str = "test"
    image_size: int | None = None
    normalize: str = "auto"
    seed: int = 0

    def images(self) -> Images:
        """Return them as the options of the stages; how many is not decided by them."""
        return Images(
            dataset=self.dataset,
            data=self.data,
            split=self.split,
            image_size=self.image_size,
            normalize=self.normalize,
            seed=self.seed,
        )


@Parameter(name="*", group=Group("Attacks", sort_key=4.5))
@dataclass(frozen=True, kw_only=True)
class Attacking:
    """Which attacks, and how long. Numbers are AdverTorch's; OnePixel's those of Su et al. 2019.

    Attributes
    ----------
    attacks
        `fgsm`, `pgd`, `jsma`, `cw`, `onepixel`, `localsearch`, separated by commas.
    successes
        Images wanted of each attack: right before and wrong after it.
    time_limit
        Seconds for each attack, each time; what is found by then is used, the batch in progress
        (1 to 128 images) is not.
    eps
        FGSM and PGD: the largest change of a value, pixels being 0 to 1.
    iterations
        PGD: steps.
    step
        PGD: length of a step.
    theta
        JSMA: change of a value at each step.
    gamma
        JSMA: the largest share of values to change.
    confidence
        CW: by how much another class must lead.
    learning_rate
        CW: of the first step.
    searches
        CW: steps of the binary search for the weight of the change.
    cw_iterations
        CW: steps of each of them.
    initial_const
        CW: the first weight; it is doubled by each of the searches that finds nothing.
    pixels
        OnePixel: how many are changed.
    generations
        OnePixel: after the first one.
    population
        OnePixel: candidates in a generation.
    p
        Local Search: brightness that pixels are tried with, images being −0.5 to 0.5.
    r
        Local Search: factor by which the best are changed, 0 to 2.
    d
        Local Search: half the side of the square around them that is tried next.
    t
        Local Search: pixels changed in a round.
    rounds
        Local Search: how many.
    share
        Local Search: of all pixels, tried in the first round.
    most
        Local Search: the most pixels tried in a round.
    """

    attacks: str = ",".join(ATTACKS)
    successes: int = 200
    time_limit: float = 600.0
    eps: float = 0.3
    iterations: int = 40
    step: float = 0.01
    theta: float = 1.0
    gamma: float = 1.0
    confidence: float = 0.0
    learning_rate: float = 0.01
    searches: int = 9
    cw_iterations: int = 10_000
    initial_const: float = 1e-3
    pixels: int = 1
    generations: int = 100
    population: int = 400
    p: float = 1.0
    r: float = 1.5
    d: int = 5
    t: int = 5
    rounds: int = 10
    share: float = 0.1
    most: int = 128

    def names(self) -> list[AttackName]:
        """Return the attacks in the order given, each once.

        Raises
        ------
        DataError
            When there is none, or one is unknown.

        Examples
        --------
        >>> Attacking(attacks="pgd, fgsm,pgd").names()
        ['pgd', 'fgsm']
        """
        words = dict.fromkeys(word.strip().lower() for word in self.attacks.split(","))
        found = [name for word in words for name in ATTACKS if name == word]
        unknown = [word for word in words if word and word not in ATTACKS]
        if unknown:
            raise DataError(f"attack {unknown[0]!r} is unknown", f"choose {', '.join(ATTACKS)}")
        if not found:
            raise DataError("--attacks names no attack", f"choose {', '.join(ATTACKS)}")
        return found

    def parameters(self, name: AttackName) -> dict[str, int | float]:
        """Return what one attack goes by."""
        return {field: getattr(self, field) for field in USED[name]}


USED: dict[AttackName, tuple[str, ...]] = {
    "fgsm": ("eps",),
    "pgd": ("eps", "iterations", "step"),
    "jsma": ("theta", "gamma"),
    "cw": ("confidence", "learning_rate", "searches", "cw_iterations", "initial_const"),
    "onepixel": ("pixels", "generations", "population"),
    "localsearch": ("p", "r", "d", "t", "rounds", "share", "most"),
}
# what a number may be: from, to (both allowed), and whether the lower end itself is
RANGES: dict[str, tuple[float, float, bool]] = {
    "successes": (2, float("inf"), True),
    "time_limit": (0, float("inf"), False),
    "eps": (0, 1, False),
    "iterations": (1, float("inf"), True),
    "step": (0, 1, False),
    "theta": (-1, 1, True),
    "gamma": (0, 1, False),
    "confidence": (0, float("inf"), True),
    "learning_rate": (0, float("inf"), False),
    "searches": (1, float("inf"), True),
    "cw_iterations": (1, float("inf"), True),
    "initial_const": (0, float("inf"), False),
    "pixels": (1, float("inf"), True),
    "generations": (1, float("inf"), True),
    "population": (5, float("inf"), True),
    "p": (0, float("inf"), False),
    "r": (0, 2, True),
    "d": (0, float("inf"), True),
    "t": (1, float("inf"), True),
    "rounds": (1, float("inf"), True),
    "share": (0, 1, False),
    "most": (1, float("inf"), True),
}


def check_pixel_count(attacking: Attacking, shape: tuple[int, ...]) -> None:
    """Check that OnePixel changes no more pixels than images of shape (C, H, W) have.

    Raises
    ------
    DataError
        When it does.
    """
    pixels = shape[1] * shape[2]
    if "onepixel" in attacking.names() and attacking.pixels > pixels:
        raise DataError(
            f"--pixels {attacking.pixels} is more than the {pixels} of an image",
            f"give 1 to {pixels}",
        )


def check_attacking(attacking: Attacking, *, k: int) -> None:
    """Check every number, and that the images wanted are more than `k`.

    Raises
    ------
    DataError
        With the option and what it may be.
    """
    attacking.names()
    for field, (low, high, included) in RANGES.items():
        value = getattr(attacking, field)
        if not (low <= value <= high) or (value == low and not included):
            option = f"--{field.replace('_', '-')}"
            least = f"{low:g} or more" if included else f"more than {low:g}"
            most = f", at most {high:g}" if high < float("inf") else ""
            raise DataError(f"{option} {value:g} is not possible", f"give {least}{most}")
    if attacking.theta == 0:
        raise DataError("--theta 0 changes nothing", "give a number from -1 to 1 other than 0")
    if attacking.successes <= k:
        raise DataError(
            f"k={k} needs at least {k + 1} images, --successes wants {attacking.successes}",
            "raise --successes or lower --k",
        )
