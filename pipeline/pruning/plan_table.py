"""A plan as lines of a terminal."""

import io
import textwrap
from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline.pruning.plan import Plan

WIDTH = 80
# column of the plan: how it is headed
FIGURES = {
    "modularity": "Q",
    "increment": "adds",
    "score": "score",
    "removed_in_repeats": "repeats",
    "removed_in_bootstrap": "draws",
}
SHARES = ("removed_in_repeats", "removed_in_bootstrap")


def show_plan(plan: Plan) -> str:
    """Return a plan as text of at most 80 columns: layers, costs before and after, warnings.

    Parameters
    ----------
    plan : Plan
        The plan.

    Returns
    -------
    str
        ``repeats`` and ``draws`` are the shares of the curves in which the rule removes a layer.
    """
    shown = [name for name in FIGURES if any(layer.get(name) is not None for layer in plan.layers)]
    table = Table(box=None, pad_edge=False)
    table.add_column("", justify="right")
    table.add_column("layer", overflow="fold")
    for name in shown:
        table.add_column(FIGURES[name], justify="right", no_wrap=True)
    table.add_column("plan", overflow="fold")
    for layer in plan.layers:
        figures = [_figure(name, layer.get(name)) for name in shown]
        table.add_row(str(layer["index"]), layer["name"], *figures, _fate(plan, layer))
    buffer = io.StringIO()
    Console(file=buffer, width=WIDTH).print(table)
    lines = [line.rstrip() for line in buffer.getvalue().splitlines()]
    return "\n".join([*lines, "", *_costs(plan), *map(_note, plan.warnings)])


def _note(text: str) -> str:
    return textwrap.fill(f"note: {text}", WIDTH, subsequent_indent="      ")


def _figure(name: str, value: float | None) -> str:
    if value is None:
        return ""
    return (
        f"{value:.0%}" if name in SHARES else f"{value:.3g}" if name == "score" else f"{value:.3f}"
    )


def _fate(plan: Plan, layer: dict[str, Any]) -> str:
    if layer["name"] in plan.protected:
        return f"stays: {plan.protected[layer['name']]}"
    if not layer["kept"]:
        return "goes"
    return f"must stay: {layer['problem']}" if layer["problem"] else ""


def _costs(plan: Plan) -> list[str]:
    """Return what the network costs before and after."""

    def change(before: float, after: float) -> str:
        return f"{after / before - 1:+.1%}"

    stages = f"{plan.stages_before} -> {plan.stages}"
    lines = [
        *_budget(plan),
        f"layers      {len(plan.layers)} -> {len(plan.kept)}, stages {stages} ({plan.surgery})",
        f"parameters  {plan.params_before:,} -> {plan.params_after:,} "
        f"({change(plan.params_before, plan.params_after)})",
        f"MACs        {plan.macs_before:,} -> {plan.macs_after:,} "
        f"({change(plan.macs_before, plan.macs_after)})",
    ]
    for row in plan.latency:
        low, high = row["speedup_quartiles"]
        images = f"{row['batch']} image{'s' if row['batch'] > 1 else ''}"
        lines.append(
            f"{images:<11} {1000 * row['before']:.2f} -> {1000 * row['after']:.2f} ms; "
            f"round by round {row['speedup']:.2f}x as fast ({low:.2f} to {high:.2f})"
        )
    return [*lines, f"measured on {plan.device}"]


def _budget(plan: Plan) -> list[str]:
    """Return how much is left of what a budget is of: whole layers go, often more than need be."""
    costs = {
        "macs": ("MACs", plan.macs_after / plan.macs_before),
        "params": ("parameters", plan.params_after / plan.params_before),
    }
    found = costs.get(plan.settings.get("budget", ""))
    if found is None:  # time is measured, and layers are counted, in lines of their own
        return []
    (name, left), wanted = found, plan.settings["value"]
    return [f"budget      {wanted:.1%} of the {name}; {left:.1%} left, as layers go whole"]
