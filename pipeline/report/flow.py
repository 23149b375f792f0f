"""How communities flow from layer to layer: an alluvial diagram."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from graphs.export.colors import class_colors
from graphs.temporal_rows import event_rows, flow_rows
from pipeline.console import plural
from pipeline.report.curve import faded
from pipeline.report.opening import Reported
from pipeline.report.section import PageFigure, PageTable, Section, label, new_figure

LARGEST = 12  # communities of a layer that are drawn alone
SMALLEST = 0.01  # share of the samples
REST = -1
GREY = "#8c8c8c"
HEIGHT = 560


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
    layers = item.layers.drop_duplicates("layer_index").sort_values("layer_index")
    if len(layers) < 2:
        return Section(
            name="flow",
            title="How communities flow through depth",
            missing="There is one layer: nothing flows.",
        )
    flows = _gather(flow_rows(nodes), bands)
    figure = _draw(bands, flows, layers["layer"].tolist(), item.class_names)
    events = event_rows(nodes)["event"].value_counts()
    return Section(
        name="flow",
        title="How communities flow through depth",
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
    """Return what is drawn of each layer, largest communities first: ``shown`` is its number."""
    order = communities.sort_values(["layer_index", "size", "matched"], ascending=[True, False, True])
    rank = order.groupby("layer_index").cumcount()
    alone = (rank < LARGEST) & (order["size"] >= SMALLEST * samples)
    shown = np.where(alone, order["matched"], REST)
    # a row has an attribute `size` of its own
    return order.assign(shown=shown, samples=order["size"])


def _gather(flows: pd.DataFrame, bands: pd.DataFrame) -> pd.DataFrame:
    """Put flows of communities that are not drawn alone together."""
    shown = bands.set_index(["layer_index", "matched"])["shown"]
    here = pd.MultiIndex.from_frame(flows[["layer_index", "matched"]])
    there = pd.MultiIndex.from_frame(flows[["next_layer_index", "next_matched"]])
    gathered = flows.assign(
        source=shown.loc[here].to_numpy(), target=shown.loc[there].to_numpy()
    )
    keys = ["layer_index", "source", "next_layer_index", "target"]
    return gathered.groupby(keys, sort=True, as_index=False)["count"].sum()


def _draw(
    bands: pd.DataFrame, flows: pd.DataFrame, layers: list[str], class_names: list[str]
) -> go.Figure:
    colors = class_colors(len(class_names))
    indices = sorted(bands["layer_index"].unique().tolist())
    column = {index: position for position, index in enumerate(indices)}
    boxes, place = [], {}
    for index in indices:
        # by majority class, so that bands of a class run side by side; what is left last
        here = bands[bands["layer_index"] == index]
        drawn = here[here["shown"] != REST].sort_values(["majority_class", "shown"])
        rest = here[here["shown"] == REST]
        for row in drawn.itertuples():
            place[index, int(row.shown)] = len(boxes)
            named = class_names[int(row.majority_class)]
            boxes.append(
                (index, int(row.samples), colors[int(row.majority_class)], named,
                 f"community {row.shown} at {label(layers[column[index]])}<br>"
                 f"{plural(int(row.samples), 'sample')}, {row.purity:.0%} {label(named)}")
            )  # fmt: skip
        if len(rest):
            place[index, REST] = len(boxes)
            size = int(rest["samples"].sum())
            boxes.append(
                (index, size, GREY, "",
                 f"{len(rest)} smaller communities at {label(layers[column[index]])}<br>"
                 f"{plural(size, 'sample')}")
            )  # fmt: skip
    return _sankey(boxes, place, flows, column, layers)


def _sankey(
    boxes: list[tuple[int, int, str, str, str]],
    place: dict[tuple[int, int], int],
    flows: pd.DataFrame,
    column: dict[int, int],
    layers: list[str],
) -> go.Figure:
    total = sum(size for index, size, *_ in boxes if column[index] == 0)
    gap, last = 0.012, len(column) - 1
    x, y, below = [], [], dict.fromkeys(column, 0.0)
    fewest = max(sum(1 for box in boxes if box[0] == index) for index in column)
    scale = 1 - gap * (fewest - 1)
    for index, size, *_ in boxes:
        share = scale * size / total
        x.append(min(max(column[index] / last, 0.001), 0.999))
        y.append(min(max(below[index] + share / 2, 0.001), 0.999))
        below[index] += share + gap
    source = [place[row.layer_index, row.source] for row in flows.itertuples()]
    target = [place[row.next_layer_index, row.target] for row in flows.itertuples()]
    sankey = go.Sankey(
        arrangement="fixed",
        node={
            "x": x,
            "y": y,
            "color": [box[2] for box in boxes],
            "label": [label(box[3]) if column[box[0]] == last else "" for box in boxes],
            "customdata": [box[4] for box in boxes],
            "hovertemplate": "%{customdata}<extra></extra>",
            "pad": 1000 * gap * HEIGHT / 1000,
            "thickness": 12,
            "line": {"width": 0},
        },
        link={
            "source": source,
            "target": target,
            "value": flows["count"].tolist(),
            "color": [faded(boxes[at][2], 0.35) for at in source],
            "hovertemplate": "%{value:,} samples<extra></extra>",
        },
    )
    figure = new_figure(sankey, height=HEIGHT)
    step = -(-len(layers) // 16)
    figure.update_layout(
        margin={"b": 80, "t": 8, "l": 16, "r": 16},
        annotations=[
            {
                "x": position / last,
                "y": -0.02,
                "xref": "paper",
                "yref": "paper",
                "xanchor": "right" if position == last else "center",
                "yanchor": "top",
                "text": label(name, longest=16),
                "showarrow": False,
                "textangle": -45 if len(layers) > 6 else 0,
            }
            for position, name in enumerate(layers)
            if position % step == 0
        ],
    )
    return figure


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
    rows = [
        [str(row.layer), str(row.matched), int(row.samples), class_names[int(row.majority_class)],
         float(row.purity)]
        for row in drawn.itertuples()
    ]  # fmt: skip
    return PageTable.of(["layer", "community", "samples", "most are", "share of them"], rows)
