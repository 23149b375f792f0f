"""What splits are called in folders and file names."""

from collections.abc import Collection
from pathlib import Path

from graphs.errors import DataError

# The labelled test images of ImageNet, and of many other sets, are called validation images.
_SYNONYMS = {
    "train": ("train", "training"),
    "test": ("test", "val", "valid", "validation"),
    "val": ("val", "valid", "validation"),
}
SPLIT_NAMES = frozenset(name for names in _SYNONYMS.values() for name in names)


def split_names(split: str) -> tuple[str, ...]:
    """Names under which a split may be found, first choice first.

    Examples
    --------
    >>> split_names("test")
    ('test', 'val', 'valid', 'validation')
    >>> split_names("extra")
    ('extra',)
    """
    return _SYNONYMS.get(split, (split,))


def refuse_other_splits(path: Path, *, split: str, found: Collection[str]) -> None:
    """Refuse to take a place that has other splits for the one that was asked for.

    Raises
    ------
    DataError
        When any were found.
    """
    if found:
        raise DataError(
            f"{path} has no split {split!r}, it has {', '.join(sorted(found))}",
            "choose one of them with --split",
        )
