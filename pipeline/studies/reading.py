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
