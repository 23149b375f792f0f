"""Deterministic node sets: which samples each repeat takes."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from graphs.errors import DataError

Sampling = Literal["random", "stratified", "sequential"]
SAMPLINGS: tuple[str, ...] = get_args(Sampling)


@dataclass(frozen=True)
class Draw:
    """The samples of every repeat.

    Attributes
    ----------
    indices : list of ndarray of int64, shape (samples,)
        One array a repeat, ascending: positions in the data set.
    disjoint : bool
        Whether no sample is in two repeats.
    note : str, optional
        Where they are not disjoint: a sentence that says so, for the user.
    """

    indices: list[NDArray[np.int64]]
    disjoint: bool
    note: str | None


def draw_samples(
    labels: NDArray[np.integer],
    samples: int,
    repeats: int,
    *,
    sampling: str = "random",
    seed: int = 0,
) -> Draw:
    """Draw the node set of each repeat.

    Samples are dealt from a shuffled deck (one deck a class when stratified): repeats are
    disjoint until the deck is used up, then it is shuffled anew. So repeat r depends on the
    seed and on r, not on how many repeats there are.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        Class of every sample of the set.
    samples : int
        Samples a repeat, N.
    repeats : int
        Number of node sets.
    sampling : {"random", "stratified", "sequential"}
        ``sequential``: repeat r takes samples r*N ... (r+1)*N-1, as the released code of Lu et
        al. 2022 does. ``stratified``: N/C samples of each class; what is left over goes to the
        lowest classes.
    seed : int
        Of the shuffling; ``sequential`` needs none.

    Returns
    -------
    Draw
        Within a repeat, samples are in data-set order.

    Raises
    ------
    DataError
        When the set, or a class of it, has too few samples.

    Examples
    --------
    >>> draw = draw_samples(np.arange(10) % 2, 4, 2, sampling="sequential")
    >>> [indices.tolist() for indices in draw.indices]
    [[0, 1, 2, 3], [4, 5, 6, 7]]
    """
    _check(len(labels), samples, repeats, sampling=sampling, seed=seed)
    if sampling == "sequential":
        blocks = np.arange(repeats * samples, dtype=np.int64).reshape(repeats, samples)
        return Draw(list(blocks), disjoint=True, note=None)
    quotas = _quotas(labels, samples) if sampling == "stratified" else {None: samples}
    decks = [
        _deal(_members(labels, cls), quota, repeats, key=(seed, 0 if cls is None else cls + 1))
        for cls, quota in quotas.items()
    ]
    indices = [
        np.sort(np.concatenate([deck[repeat] for deck in decks])) for repeat in range(repeats)
    ]
    distinct = len(np.unique(np.concatenate(indices)))
    disjoint = distinct == repeats * samples
    note = None if disjoint else _note(len(labels), samples, repeats, distinct=distinct)
    return Draw(indices, disjoint=disjoint, note=note)


def _check(n: int, samples: int, repeats: int, *, sampling: str, seed: int) -> None:
    if sampling not in SAMPLINGS:
        raise DataError(f"sampling {sampling!r} is unknown", f"choose {', '.join(SAMPLINGS)}")
    if samples < 1 or repeats < 1:
        raise DataError(
            f"samples={samples} and repeats={repeats} are not possible", "give at least 1 of each"
        )
    if seed < 0:
        raise DataError(f"seed={seed} is negative", "give 0 or more")
    if seed >= 2**63:
        raise DataError(f"seed={seed} is too large", "give a number below 2^63")
    if samples > n:
        raise DataError(f"{samples} samples asked for, the set has {n}", "lower --samples")
    if sampling == "sequential" and samples * repeats > n:
        raise DataError(
            f"{repeats} consecutive blocks of {samples} need {samples * repeats} samples, the set "
            f"has {n}",
            f"lower --repeats to {n // samples}, lower --samples, or use --sampling random",
        )


def _quotas(labels: NDArray[np.integer], samples: int) -> dict[int | None, int]:
    classes, sizes = np.unique(labels, return_counts=True)
    share, left_over = divmod(samples, len(classes))
    quotas: dict[int | None, int] = {}
    for place, (cls, size) in enumerate(zip(classes.tolist(), sizes.tolist(), strict=True)):
        quota = share + (place < left_over)
        if size < quota:
            raise DataError(
                f"class {cls} has {size} samples, {samples} in equal shares need {quota} of it",
                f"lower --samples to {int(sizes.min()) * len(classes)} or use --sampling random",
            )
        quotas[cls] = quota
    return quotas


def _members(labels: NDArray[np.integer], cls: int | None) -> NDArray[np.int64]:
    if cls is None:
        return np.arange(len(labels), dtype=np.int64)
    return np.flatnonzero(labels == cls).astype(np.int64)


def _deal(
    members: NDArray[np.int64], quota: int, repeats: int, *, key: tuple[int, int]
) -> list[NDArray[np.int64]]:
    if quota == 0:
        return [members[:0]] * repeats
    per_deck = len(members) // quota
    hands: list[NDArray[np.int64]] = []
    while len(hands) < repeats:
        # A stream of its own for every class and deck: neither disturbs the others.
        stream = np.random.SeedSequence([*key, len(hands) // per_deck])
        deck = np.random.default_rng(stream).permutation(members)
        hands += [deck[start * quota : (start + 1) * quota] for start in range(per_deck)]
    return hands[:repeats]


def _note(n: int, samples: int, repeats: int, *, distinct: int) -> str:
    if samples == n:
        return (
            f"every repeat holds all {n} samples of the set: the {repeats} repeats are identical "
            "and their spread is 0"
        )
    return (
        f"the set has {n} samples, {repeats} repeats of {samples} share some: {distinct} different "
        "ones are used, and the spread over repeats is too small"
    )
