"""Names close to one that was mistyped."""

from collections.abc import Iterable
from difflib import get_close_matches


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
    matches = get_close_matches(
        name.lower(), [choice.lower() for choice in known], n=limit, cutoff=0.5
    )
    near = [
        choice for match in dict.fromkeys(matches) for choice in known if choice.lower() == match
    ]
    return near[:limit] or known[:limit]
