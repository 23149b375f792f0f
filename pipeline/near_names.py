"""Names close to one that was mistyped."""

from collections.abc import Iterable
from difflib import SequenceMatcher
from itertools import takewhile

from pipeline.console import listed

ALIKE = 0.5  # the share of letters in common from which a name is near


def near_names(name: str, choices: Iterable[str], *, limit: int = 5) -> list[str]:
    """Choices that look like `name`, nearest first; the first few when none does.

    Parameters
    ----------
    name : str
        What was asked for.
    choices : iterable of str
        What there is.
    limit : int
        How many to return at most.

    Examples
    --------
    >>> near_names("ResNet-20", ["resnet20", "vgg16", "resnet32"], limit=1)
    ['resnet20']
    >>> near_names("zzz", ["resnet20", "vgg16"])
    ['resnet20', 'vgg16']
    """
    known = list(dict.fromkeys(choices))
    return _near(name, known)[:limit] or known[:limit]


def suggest(name: str, choices: Iterable[str], *, limit: int = 5) -> str:
    """Word a remedy: near names, or, where none is near, the first of all.

    Parameters
    ----------
    name, choices, limit
        As in `near_names`.

    Examples
    --------
    >>> suggest("layer1.3", ["relu", "layer1.2"])
    'near names: layer1.2'
    >>> suggest("zzz", ["relu", "layer1.2", "fc"], limit=2)
    'no name is near; there are relu, layer1.2 and 1 more'
    """
    known = list(dict.fromkeys(choices))
    if near := _near(name, known)[:limit]:
        return f"near names: {', '.join(near)}"
    return f"no name is near; there are {listed(known, most=limit)}"


def _near(name: str, known: list[str]) -> list[str]:
    """Rank by letters in common, then by a common beginning, then as they come."""
    ranked = []
    for choice in known:
        pair = (name.lower(), choice.lower())
        alike = SequenceMatcher(None, *pair).ratio()
        if alike >= ALIKE:
            begins = sum(
                1 for _ in takewhile(lambda two: two[0] == two[1], zip(*pair, strict=False))
            )
            ranked.append((-alike, -begins, choice))
    return [choice for *_, choice in sorted(ranked, key=lambda rank: rank[:2])]
