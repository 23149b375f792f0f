"""What came out, in figures and sentences."""

from typing import Any

from pipeline.report.opening import Folders, Reported
from pipeline.report.section import Section
from pipeline.summary import mean_curve, reading


def summary_section(folders: Folders) -> Section:
    """Say of every run what its curve shows, with the figures that people ask for first.

    Parameters
    ----------
    folders : Folders
        What the page is made of.
    """
    many = len(folders.runs) > 1
    cards = [
        {"name": item.name if many else "", "figures": _figures(item), "text": reading(item.layers)}
        for item in folders.runs
    ]
    return Section(
        name="summary",
        title="In short",
        short="Summary",
        kind="summary",
        content={"cards": cards},
    )


def _figures(item: Reported) -> list[dict[str, str]]:
    curve = mean_curve(item.layers)
    values = curve["modularity"]
    top = int(values.to_numpy().argmax())
    last = item.layers[item.layers["layer_index"] == item.layers["layer_index"].max()]
    ends = f"{_number(values.iloc[0])} → {_number(values.iloc[-1])}"
    found: list[tuple[str, str, str]] = [
        ("Q, first to last layer", ends, f"highest at {curve['layer'].iloc[top]}"),
        ("classes and communities agree", _number(last["ami"].mean()), "AMI in the last layer"),
    ]
    if (share := accuracy(item)) is not None:
        found.append(("right on these samples", f"{100 * share:.1f} %", "of the predictions"))
    samples = int(item.layers["n_nodes"].iloc[0])
    repeats = "" if item.repeats == 1 else f"{item.repeats} repeats, "
    k = int(item.layers["k"].iloc[0])
    found += [
        ("samples", f"{samples:,}", f"{repeats}{len(item.class_names)} classes"),
        ("layers", f"{len(curve)}", f"k = {k}, {item.layers['metric'].iloc[0]}"),
    ]
    return [{"what": what, "value": value, "note": note} for what, value, note in found]


def accuracy(item: Reported) -> float | None:
    """Return the share of samples that the network gets right; None if it predicts none."""
    right: list[Any] = []
    for node_set in item.sets:
        known = node_set.nodes.dropna(subset="predicted")
        right += (known["predicted"] == known["label"]).tolist()
    return sum(right) / len(right) if right else None


def _number(value: float) -> str:
    text = f"{value:.2f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")
