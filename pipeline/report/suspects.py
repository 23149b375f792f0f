"""Samples that never settle with their class: their labels may be wrong."""

from dataclasses import replace
from typing import Any

import pandas as pd

from pipeline.report.opening import Reported
from pipeline.report.section import PageTable, Section
from pipeline.report.thumbnails import Sprite
from pipeline.sample_reading import sample_sentences, suspects

SHOWN = 24


def suspect_rows(item: Reported) -> pd.DataFrame | None:
    """Return the suspects of all repeats, the most suspicious first, every sample once.

    None where the run has no table of samples.
    """
    samples = item.table("samples")
    return None if samples is None else suspects(samples).drop_duplicates("sample")


def suspects_section(
    item: Reported,
    found: pd.DataFrame | None,
    *,
    sprite: Sprite | None,
    problem: str,
) -> Section:
    """List the samples whose neighbours carry another label to the end.

    Parameters
    ----------
    item : Reported
        The run.
    found : DataFrame, optional
        As `suspect_rows` gives them.
    sprite : Sprite, optional
        Their images.
    problem : str
        Why there are none.
    """
    empty = Section(name="suspects", title="Samples to look at", short="Samples")
    samples = item.table("samples")
    if found is None or samples is None:
        missing = "This run was measured before samples were followed through the layers."
        return replace(empty, missing=missing, command=item.measure_again)
    sentences = [" ".join(sample_sentences(samples))]
    if found.empty:
        return replace(empty, sentences=sentences)
    sentences.append("Some are hard, some may have a wrong label.")
    shown = found.head(SHOWN)
    if len(shown) < len(found):
        sentences[-1] += f" The first {len(shown)} are shown; metrics/samples.parquet has all."
    if problem:
        sentences.append(f"Without images: {problem}")
    return replace(
        empty,
        kind="suspects",
        sentences=sentences,
        content={"cards": _cards(shown, sprite), "sprite": sprite, "table": _table(shown)},
    )


def _cards(shown: pd.DataFrame, sprite: Sprite | None) -> list[dict[str, Any]]:
    return [
        {
            "sample": int(row["sample"]),
            "label": str(row["label_name"]),
            "neighbours": _text(row["neighbor_label_name"]),
            "predicted": _text(row["predicted_name"]),
            "place": sprite.place[int(row["sample"])] if sprite else None,
        }
        for row in shown.to_dict("records")
    ]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _table(shown: pd.DataFrame) -> PageTable:
    rows = [
        [str(row["sample"]), str(row["label_name"]), _text(row["neighbor_label_name"]),
         _text(row["predicted_name"]), float(row["own_share"]), float(row["score"])]
        for row in shown.to_dict("records")
    ]  # fmt: skip
    heads = ["sample", "label", "neighbours say", "predicted", "links to its class", "score"]
    return PageTable.of(heads, rows).filled()
