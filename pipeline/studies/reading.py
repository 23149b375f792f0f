"""What a study says at its end."""

import textwrap
from pathlib import Path

from pipeline.console import log
from pipeline.studies.folder import StudyFolder

WIDTH = 79


def tell(folder: StudyFolder, sentence: str) -> Path:
    """Say what came out and where it lies; return the folder."""
    log.info("\n%s\n", textwrap.fill(sentence, WIDTH))
    log.info("figure   %s", folder.figures / f"{folder.kind}.png")
    log.info("table    %s", folder.table(folder.kind))
    return folder.root


def caption(model: str, dataset: str, data: str | Path | None) -> str:
    """Return network and data set as a reader knows them, for the title of a figure.

    Parameters
    ----------
    model : str
        Name, or ``path/file.py:factory``.
    dataset : str
        Kind of the data set.
    data : str or Path, optional
        Where it lies: its last two parts say more than ``parquet``.

    Examples
    --------
    >>> caption("nets/vit.py:vit", "parquet", "sets/cifar10/test.parquet")
    'vit.py:vit, cifar10/test.parquet'
    """
    return f"{model.split('/')[-1]}, {source_name(dataset, data)}"


def source_name(dataset: str, data: str | Path | None) -> str:
    """Return the data set's file as a reader knows it, or the name of its kind.

    Examples
    --------
    >>> source_name("digits", None), source_name("fashion-mnist", "shared/data")
    ('digits', 'fashion-mnist')
    """
    named = data is not None and dataset in ("parquet", "arrays", "imagefolder")
    return "/".join(Path(str(data)).parts[-2:]) if named else dataset
