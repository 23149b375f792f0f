"""What splits are called in folders and file names."""

from collections.abc import Collection
from functools import cache
from pathlib import Path

from graphs.errors import DataError
from pipeline.console import log

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


def names_split(file: Path, name: str) -> bool:
    """Whether a file's name, or its folder's, begins with a split.

    Examples
    --------
    >>> names_split(Path("test-00000-of-00002.parquet"), "test"), names_split(Path("a"), "test")
    (True, False)
    """
    # test.parquet, test-00000-of-00002.parquet, test_0.parquet, test/0000.parquet
    stem = file.stem.lower()
    return (
        stem == name
        or stem.startswith((f"{name}-", f"{name}_", f"{name}."))
        or file.parent.name.lower() == name
    )


@cache  # a command that opens a file several times says it once
def note_other_split(file: Path, *, split: str) -> None:
    """Tell a user whose only file bears the name of another split that it is read anyway."""
    if any(names_split(file, name) for name in split_names(split)):
        return
    said = [name for name in sorted(SPLIT_NAMES) if names_split(file, name)]
    if said:
        log.warning(
            "%s is read whatever --split says: its name says %s, --split %s", file, said[0], split
        )


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
