"""The pruning plan of a run, if there is one."""

from dataclasses import replace
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from graphs.errors import PlanError
from pipeline.console import plural
from pipeline.plan_command import NAME
from pipeline.pruning.origin import require_current
from pipeline.pruning.plan import Plan, read_plan
from pipeline.report.axes import layer_ticks
from pipeline.report.opening import Reported
from pipeline.report.section import PageFigure, PageTable, Section, label, new_figure

HEIGHT = 320
# what a bar is: the first of these that the plan has
FIGURES = {"increment": "what the layer adds to Q", "score": "score", "parameters": "parameters"}
LOOKS = {"stays": ("#0173b2", ""), "goes": ("#de8f05", "/")}  # colour and hatching


def plan_section(item: Reported) -> Section:
    """Show which layers a plan removes, and what that saves.

    Parameters
    ----------
    item : Reported
        The run; the plan is `plan.json` in its folder.
    """
    empty = Section(name="plan", title="What could be removed", short="Pruning")
    command = f"stratagraph plan {item.address}"
    path = item.run.root / NAME
    if not path.exists():
        return replace(empty, missing="There is no pruning plan.", command=command)
    try:
        plan = read_plan(path)
        require_current(plan, path)
    except PlanError as error:
        return replace(empty, missing=f"{error.problem}.", command=command)
    return replace(
        empty,
        sentences=[_sentence(plan), *plan.warnings],
        figures=[_figure(plan)],
    )


def _sentence(plan: Plan) -> str:
    saved = [
        f"{what} {before:,} → {after:,} ({100 * (after / before - 1):+.1f} %)"
        for what, before, after in (
            ("parameters", plan.params_before, plan.params_after),
            ("multiply-accumulates", plan.macs_before, plan.macs_after),
        )
    ]
    faster = [f"{row['speedup']:.2f}x as fast with {plural(row['batch'], 'image')}"
              for row in plan.latency]  # fmt: skip
    return (
        f"By {plan.rule}, {len(plan.removed)} of {plural(len(plan.layers), 'layer')} would go: "
        f"{', '.join([*saved, *faster])}."
    ).replace("(-", "(−")


def _bars(layers: pd.DataFrame, fate: str) -> go.Bar:
    color, hatching = LOOKS[fate]
    return go.Bar(
        x=layers["layer_index"].tolist(),
        y=layers["y"].tolist(),
        text=[label(name) for name in layers["layer"]],
        textposition="none",
        hovertemplate=f"%{{text}}: %{{y:.3f}}<extra>{fate}</extra>",
        name=fate,
        width=0.8,  # plotly would take it from the distance of bars of one kind
        marker={"color": color, "pattern": {"shape": hatching}},
    )


def _figure(plan: Plan) -> PageFigure:
    # every plan has the last of them
    value = next(name for name in FIGURES if any(_has(row, name) for row in plan.layers))
    layers = pd.DataFrame(
        {
            "layer_index": [row["index"] for row in plan.layers],
            "layer": [row["name"] for row in plan.layers],
            "y": pd.Series([row.get(value) for row in plan.layers], dtype=float),
            "fate": ["stays" if row["name"] in plan.kept else "goes" for row in plan.layers],
        }
    )
    bars = [_bars(layers[layers["fate"] == fate], fate) for fate in LOOKS]
    figure = new_figure(*bars, height=HEIGHT, barmode="overlay", showlegend=True)
    figure.update_layout(legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0})
    figure.update_xaxes(**layer_ticks(layers))
    figure.update_yaxes(title=FIGURES[value])
    return PageFigure(
        name="plan",
        title="Layers that stay and layers that go",
        description=f"Bars are {FIGURES[value]}; hatched ones go.",
        figure=figure,
        height=HEIGHT,
        min_width=22 * len(layers) + 80 if len(layers) > 14 else 0,
        table=_table(plan, layers, value),
    )


def _has(row: dict[str, Any], name: str) -> bool:
    return row.get(name) is not None


def _table(plan: Plan, layers: pd.DataFrame, value: str) -> PageTable:
    rows = [
        [row["name"], fate, row.get(value), row.get("removed_in_bootstrap"),
         plan.protected.get(row["name"], "")]
        for row, fate in zip(plan.layers, layers["fate"], strict=True)
    ]  # fmt: skip
    heads = ["layer", "plan", FIGURES[value], "share of draws in which it goes", "why it stays"]
    return PageTable.of(heads, rows).filled()
