"""One batch of images through one attack. The only file that imports the attack library (ART)."""

import logging
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from graphs.errors import ModelError, StratagraphError
from pipeline.studies.attacks.local_search import LocalSearch
from pipeline.studies.attacks.one_pixel import OnePixel
from pipeline.studies.attacks.options import AttackName
from pipeline.studies.attacks.target import Pixels, Target, TimeIsUp

LIBRARY = "adversarial-robustness-toolbox"
Labels = NDArray[np.int64]
Numbers = Mapping[str, Any]


def require_library() -> None:
    """Check that the attack library is installed.

    Raises
    ------
    ModelError
        When it is not; the message names the extra.
    """
    try:
        import art.attacks.evasion  # noqa: F401
    except ImportError as error:
        raise ModelError(
            f"attacks need the adversarial-robustness-toolbox ({error})",
            "pip install -c constraints.txt -e '.[attacks]', or take --attacks "
            "onepixel,localsearch",
        ) from error


def library_version() -> str:
    """Return the version of the attack library: another may find other images."""
    return metadata.version(LIBRARY)


def craft(
    attack: AttackName,
    target: Target,
    pixels: Pixels,
    *,
    labels: Labels,
    parameters: Numbers,
    seed: int,
) -> Pixels:
    """Attack images; whether it worked is for the caller to see.

    Parameters
    ----------
    attack : str
        Which one.
    target : Target
        The network.
    pixels : ndarray of float32, shape (n, C, H, W)
        Images in [0, 1] that the network gets right.
    labels : ndarray of int64, shape (n,)
        Their classes.
    parameters : mapping
        See `Attacking.parameters`.
    seed : int
        Below 2^32. The same seed gives the same images.

    Returns
    -------
    ndarray of float32, shape (n, C, H, W)
        In [0, 1].

    Raises
    ------
    TimeIsUp
        When the target's time is over.
    ModelError
        When the network cannot be attacked in this way.
    """
    try:
        with seeded(seed):
            found = CRAFTSMEN[attack](target, pixels, labels, parameters)
    except (TimeIsUp, StratagraphError):
        raise
    except Exception as error:
        cause = f"{type(error).__name__}: {error}".removesuffix(": ")
        raise ModelError(
            f"{attack} does not work on {type(target.model).__name__}: {cause[:300]}",
            "leave it out of --attacks, or change the network",
        ) from error
    clipped: Pixels = np.clip(found, 0, 1).astype(np.float32)
    return clipped


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed every global generator, as ART draws from them; put back what was there."""
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002 (ART)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 (ART)
    torch.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002 (ART)
        torch.set_rng_state(before[2])


def _generator() -> np.random.Generator:
    """Continue the seeded stream, for what takes a Generator."""
    return np.random.default_rng(np.random.randint(2**31))  # noqa: NPY002 (seeded for ART)


def _wrap(target: Target) -> Any:
    """Present the network to ART: pixels in, logits out."""
    from art.estimators.classification import PyTorchClassifier

    logging.getLogger("art").setLevel(logging.WARNING)
    return PyTorchClassifier(
        model=target,
        loss=nn.CrossEntropyLoss(),
        input_shape=target.shape,
        nb_classes=target.classes,
        clip_values=(0.0, 1.0),
        device_type="gpu" if target.device.type == "cuda" else "cpu",
    )


def _one_hot(labels: Labels, target: Target) -> Pixels:
    return np.eye(target.classes, dtype=np.float32)[labels]


def _fgsm(target: Target, pixels: Pixels, labels: Labels, given: Numbers) -> Pixels:
    """Goodfellow et al. 2015, eq. 1: one step along the sign of the gradient."""
    from art.attacks.evasion import FastGradientMethod

    attack = FastGradientMethod(_wrap(target), eps=given["eps"], batch_size=len(pixels))
    found: Pixels = attack.generate(pixels, _one_hot(labels, target))
    return found


def _pgd(target: Target, pixels: Pixels, labels: Labels, given: Numbers) -> Pixels:
    """Madry et al. 2018, eq. 2: many steps, from a random start within eps."""
    from art.attacks.evasion import ProjectedGradientDescent

    attack = ProjectedGradientDescent(
        _wrap(target),
        eps=given["eps"],
        eps_step=given["step"],
        max_iter=given["iterations"],
        num_random_init=1,
        batch_size=len(pixels),
        verbose=False,
    )
    found: Pixels = attack.generate(pixels, _one_hot(labels, target))
    return found


def _jsma(target: Target, pixels: Pixels, labels: Labels, given: Numbers) -> Pixels:
    """Papernot et al. 2016, towards any other class, at random; it goes on until it is that.

    The library's saliency is the gradient of the aimed class alone, without that of the others
    (their eq. 8): each step changes the two values where it is largest.
    """
    from art.attacks.evasion import SaliencyMapMethod

    others = _generator().integers(1, target.classes, len(labels))
    attack = SaliencyMapMethod(
        _wrap(target),
        theta=given["theta"],
        gamma=given["gamma"],
        batch_size=len(pixels),
        verbose=False,
    )
    found: Pixels = attack.generate(pixels, _one_hot((labels + others) % target.classes, target))
    return found


def _cw(target: Target, pixels: Pixels, labels: Labels, given: Numbers) -> Pixels:
    """Carlini & Wagner 2017, section VI-A, with a line search for the length of a step.

    While no image is found the library doubles the weight of the change (AdverTorch: times ten).
    """
    from art.attacks.evasion import CarliniL2Method

    attack = CarliniL2Method(
        _wrap(target),
        confidence=given["confidence"],
        learning_rate=given["learning_rate"],
        binary_search_steps=given["searches"],
        max_iter=given["cw_iterations"],
        initial_const=given["initial_const"],
        batch_size=len(pixels),
        verbose=False,
    )
    found: Pixels = attack.generate(pixels, _one_hot(labels, target))
    return found


def _one_pixel(target: Target, pixels: Pixels, labels: Labels, given: Numbers) -> Pixels:
    return _search(OnePixel(**given), target, pixels, labels)


def _local_search(target: Target, pixels: Pixels, labels: Labels, given: Numbers) -> Pixels:
    return _search(LocalSearch(**given), target, pixels, labels)


def _search(
    search: OnePixel | LocalSearch, target: Target, pixels: Pixels, labels: Labels
) -> Pixels:
    """Attack image by image."""
    generator = _generator()
    found: Pixels = np.stack(
        [
            search.attack(target.logits, image, int(label), generator=generator)
            for image, label in zip(pixels, labels, strict=True)
        ]
    )
    return found


Craftsman = Callable[[Target, Pixels, Labels, Numbers], Pixels]
CRAFTSMEN: dict[AttackName, Craftsman] = {
    "fgsm": _fgsm,
    "pgd": _pgd,
    "jsma": _jsma,
    "cw": _cw,
    "onepixel": _one_pixel,
    "localsearch": _local_search,
}
