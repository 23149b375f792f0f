"""What untrained networks give beside a run: from a study `random` of its network."""

import pandas as pd

from graphs.runs import Run
from graphs.tables import read_frame
from pipeline.report.opening import Folders, Reported, Study
from pipeline.studies.untrained import TRAINED

KIND = "random"


def untrained_curve(item: Reported, folders: Folders) -> pd.DataFrame | None:
    """Return Q of untrained networks against depth; None where no study has measured them.

    Parameters
    ----------
    item : Reported
        The run of the trained network.
    folders : Folders
        May hold a study `random` of the same network, images, layers, k and metric.

    Returns
    -------
    DataFrame or None
        Indexed by ``layer_index``: ``mean``, ``min`` and ``max`` over the networks, repeats taken
        together.
    """
    studies = (study for study in folders.studies if study.kind == KIND)
    study = next((study for study in studies if _is_of(study, item)), None)
    if study is None:
        return None
    layers = read_frame(study.root / "metrics" / "layers.parquet", "layers")
    untrained = layers[layers["variant"] != TRAINED]
    each = untrained.groupby(["layer_index", "variant"])["modularity"].mean()
    found: pd.DataFrame = each.groupby(level="layer_index").agg(["mean", "min", "max"])
    return found


def _is_of(study: Study, item: Reported) -> bool:
    """Whether the trained network of a study is that of the run, measured in the same way."""
    return _subject(Run(study.root / "runs" / TRAINED)) == _subject(item.run)


def _subject(run: Run) -> list[object]:
    source, links = run.recorded("activations"), run.recorded("edges").get("parameters", {})
    layers = [layer["name"] for layer in source["sets"][0]["layers"]] if source else []
    return [source.get("identity"), layers, links.get("k"), links.get("metric")]
