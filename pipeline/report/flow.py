"""How communities flow from layer to layer: an alluvial diagram."""

from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go

from graphs.export.colors import class_colors
from graphs.temporal_rows import event_rows, flow_rows
from pipeline.console import plural
from pipeline.report.axes import faded
from pipeline.report.opening import Reported
from pipeline.report.section import PageFigure, PageTable, Section, label, new_figure

LARGEST = 12  # communities of a layer that are drawn alone
SMALLEST = 0.01  # share of the samples
REST = -1
GREY = "#8c8c8c"
THIN, FAINT, CLEAR = 0.01, 0.12, 0.4  # bands of fewer samples are fainter
HEIGHT = 560
GAP = 0.012  # between bars, as a share of the height
NAMED, LEVEL = 16, 6  # layers that have room for a name; that have it without slanting

Key = tuple[int, int]  # layer_index and matched community, or REST
Flow = tuple[Key, Key, int]  # from, to, samples


class Bar(NamedTuple):
    """A community of a layer, as it is drawn."""

    size: int
    color: str
    name: str
    text: str


def flow_section(item: Reported) -> Section:
    """Draw the communities of every layer and the samples that go from each to the next.

    Parameters
    ----------
    item : Reported
        The run; its first repeat is drawn.
    """
    nodes = item.nodes[item.nodes["repeat"] == 0]
    communities = item.communities[item.communities["repeat"] == 0]
    bands = _bands(communities, int(item.layers["n_nodes"].iloc[0]))
    layers = item.depth
    if len(layers) < 2:
        return Section(
            name="flow",
            title="How communities flow through depth",
            short="Communities",
            missing="There is one layer: nothing flows.",
        )
    flows = _gather(flow_rows(nodes), bands)
    named = dict(zip(layers["layer_index"].tolist(), layers["layer"].tolist(), strict=True))
    figure = _draw(_bars(bands, named, item.class_names), flows, named)
    events = event_rows(nodes)["event"].value_counts()
    return Section(
        name="flow",
        title="How communities flow through depth",
        short="Communities",
        sentences=[_sentence(layers, communities, events)],
        figures=[
            PageFigure(
                name="flow",
                title="Communities found without labels, layer by layer",
                description=(
                    "A bar is a Leiden community, as high as it has samples and coloured by the "
                    "class that most of them have; a band is samples that go on together. "
                    f"Communities of less than {SMALLEST:.0%} of the samples, and all but the "
                    f"{LARGEST} largest of a layer, are together in grey."
                    + (" Of the first repeat." if item.repeats > 1 else "")
                ),
                figure=figure,
                height=HEIGHT,
                min_width=78 * len(layers) + 120,
                table=_table(bands, item.class_names),
            )
        ],
    )


def _bands(communities: pd.DataFrame, samples: int) -> pd.DataFrame:
    """Add to every community the number under which it is drawn, ``shown``."""
    keys = ["layer_index", "size", "matched"]
    order = communities.sort_values(keys, ascending=[True, False, True])
    rank = order.groupby("layer_index").cumcount()
    alone = (rank < LARGEST) & (order["size"] >= SMALLEST * samples)
    return order.assign(shown=order["matched"].where(alone, REST))


def _gather(flows: pd.DataFrame, bands: pd.DataFrame) -> list[Flow]:
    """Put flows of communities that are not drawn alone together."""
    shown = bands.set_index(["layer_index", "matched"])["shown"]
    here = pd.MultiIndex.from_frame(flows[["layer_index", "matched"]])
    there = pd.MultiIndex.from_frame(flows[["next_layer_index", "next_matched"]])
    ends = flows.assign(source=shown.loc[here].to_numpy(), target=shown.loc[there].to_numpy())
    keys = ["layer_index", "source", "next_layer_index", "target"]
    counts = ends.groupby(keys, sort=True, as_index=False)["count"].sum()
    rows = counts[[*keys, "count"]].to_numpy().tolist()
    return [((a, source), (b, target), count) for a, source, b, target, count in rows]


def _bars(bands: pd.DataFrame, layers: dict[int, str], class_names: list[str]) -> dict[Key, Bar]:
    """Return what stands in every layer, from top to bottom."""
    colors = class_colors(len(class_names))
    bars = {}
    for index, layer in layers.items():
        here = bands[bands["layer_index"] == index]
        # bands of a class run side by side; what is left over comes last
        drawn = here[here["shown"] != REST].sort_values(["majority_class", "shown"])
        columns = ["shown", "size", "majority_class", "purity"]
        for number, size, majority, purity in drawn[columns].to_numpy().tolist():
            name = class_names[int(majority)]
            text = (
                f"community {number:.0f} at {label(layer)}<br>{plural(int(size), 'sample')}, "
                f"{100 * purity:.0f} % {label(name)}"
            )
            bars[index, int(number)] = Bar(int(size), colors[int(majority)], name, text)
        rest = here[here["shown"] == REST]
        if size := int(rest["size"].sum()):
            text = f"{len(rest)} smaller ones at {label(layer)}<br>{plural(size, 'sample')}"
            bars[index, REST] = Bar(size, GREY, "", text)
    return bars


def _draw(
    bars: dict[Key, Bar], flows: list[tuple[Key, Key, int]], layers: dict[int, str]
) -> go.Figure:
    indices = list(layers)
    place = {key: position for position, key in enumerate(bars)}
    total = sum(bar.size for (index, _), bar in bars.items() if index == indices[0])
    x, y = _places(bars, indices, total)
    sankey = go.Sankey(
        arrangement="fixed",
        node={
            "x": x,
            "y": y,
            "color": [bar.color for bar in bars.values()],
            "label": [
                label(bar.name) if index == indices[-1] else "" for (index, _), bar in bars.items()
            ],
            "customdata": [bar.text for bar in bars.values()],
            "hovertemplate": "%{customdata}<extra></extra>",
            "pad": GAP * HEIGHT,
            "thickness": 12,
            "line": {"width": 0},
        },
        link={
            "source": [place[source] for source, _, _ in flows],
            "target": [place[target] for _, target, _ in flows],
            "value": [count for _, _, count in flows],
            "color": [
                faded(bars[source].color, FAINT if count < THIN * total else CLEAR)
                for source, _, count in flows
            ],
            "hovertemplate": "%{value:,} samples<extra></extra>",
        },
    )
    figure = new_figure(sankey, height=HEIGHT)
    figure.update_layout(
        margin={"b": 80, "t": 8, "l": 16, "r": 16}, annotations=_names(list(layers.values()))
    )
    return figure


def _places(
    bars: dict[Key, Bar], indices: list[int], total: int
) -> tuple[list[float], list[float]]:
    """Return the middle of every bar, in shares of width and height."""
    most = max(sum(index == one for one, _ in bars) for index in indices)
    scale = 1 - GAP * (most - 1)
    below = dict.fromkeys(indices, 0.0)
    x, y = [], []
    for (index, _), bar in bars.items():
        share = scale * bar.size / total
        x.append(_inside(indices.index(index) / (len(indices) - 1)))
        y.append(_inside(below[index] + share / 2))
        below[index] += share + GAP
    return x, y


def _inside(share: float) -> float:
    """Keep away from 0 and 1, which plotly takes for not given."""
    return min(max(share, 0.001), 0.999)


def _names(layers: list[str]) -> list[dict[str, object]]:
    step, last = -(-len(layers) // NAMED), len(layers) - 1
    return [
        {
            "x": position / last,
            "y": -0.02,
            "xref": "paper",
            "yref": "paper",
            "xanchor": {0: "left", last: "right"}.get(position, "center"),
            "yanchor": "top",
            "text": label(name, longest=16),
            "showarrow": False,
            "textangle": -45 if len(layers) > LEVEL else 0,
        }
        for position, name in enumerate(layers)
        if position % step == 0
    ]


def _sentence(layers: pd.DataFrame, communities: pd.DataFrame, events: "pd.Series[int]") -> str:
    counts = communities.groupby("layer_index").size()
    told = [
        plural(int(events[kind]), kind) for kind in ("birth", "merge", "split", "death")
        if kind in events
    ]  # fmt: skip
    first, last = str(layers["layer"].iloc[0]), str(layers["layer"].iloc[-1])
    text = (
        f"Communities found from the links alone: {counts.iloc[0]} at {first}, {counts.iloc[-1]} "
        f"at {last}"
    )
    return f"{text}, with {', '.join(told)} between." if told else f"{text}."


def _table(bands: pd.DataFrame, class_names: list[str]) -> PageTable:
    drawn = bands[bands["shown"] != REST]
    columns = ["layer", "matched", "size", "majority_class", "purity"]
    rows = [
        [layer, str(number), size, class_names[majority], purity]
        for layer, number, size, majority, purity in drawn[columns].to_numpy().tolist()
    ]
    return PageTable.of(["layer", "community", "samples", "most are", "share of them"], rows)
