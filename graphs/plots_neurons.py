"""Clustered neuron graphs: layers side by side, and their n-cut beside those of shuffles."""

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray
from scipy.sparse import triu

from graphs.export.colors import class_colors
from graphs.export.neurons import neuron_places
from graphs.frames import require_columns
from graphs.neuron_graph import NeuronGraph

MOST_EDGES = 4000
NAMED = 12  # layers whose names stand below
LEGEND_CLUSTERS = 20
SHUFFLES = "0.6"


def draw_neurons(
    graph: NeuronGraph, labels: NDArray[np.integer], figure: Figure, *, title: str = ""
) -> None:
    """Draw a graph by layer and coloured by cluster, above what each layer is made of.

    Parameters
    ----------
    graph : NeuronGraph
        The graph.
    labels : ndarray of int, shape (n,)
        Cluster of each node.
    figure : Figure
        Where to draw.
    title : str
        Above it.
    """
    above, below = figure.subplots(2, 1, height_ratios=[3.2, 1], sharex=True)
    plot_neurons(graph, labels, above)
    above.set_title(title, loc="left")
    plot_composition(graph, labels, below)
    count = int(labels.max()) + 1
    if count <= LEGEND_CLUSTERS:
        marks = [
            above.scatter([], [], s=24, color=color, linewidths=0, label=str(cluster))
            for cluster, color in enumerate(class_colors(count))
        ]
        figure.legend(
            handles=marks, loc="outside right upper", frameon=False, fontsize=9, title="cluster"
        )


def plot_neurons(graph: NeuronGraph, labels: NDArray[np.integer], ax: Axes | None = None) -> Axes:
    """Draw neurons as dots, layer beside layer, and the strongest edges between them.

    Parameters
    ----------
    graph, labels
        As for `draw_neurons`.
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        Edges inside a cluster have its colour, others are grey. At most 4,000 are drawn.
    """
    if ax is None:
        ax = Figure(figsize=(8.0, 5.0), layout="constrained").subplots()
    colors = np.asarray(class_colors(int(labels.max()) + 1))
    places = neuron_places(graph, labels)
    upper = triu(graph.adjacency, format="coo")
    strongest = np.lexsort((upper.col, upper.row, -upper.data))[:MOST_EDGES]
    ends = np.column_stack((upper.row, upper.col))[strongest[::-1]]
    weight = upper.data[strongest[::-1]] / upper.data.max()
    inside = labels[ends[:, 0]] == labels[ends[:, 1]]
    # what stays inside a cluster lies above what does not
    for part, tone in (
        (~inside, np.repeat("0.8", len(ends))),
        (inside, colors[labels[ends[:, 0]]]),
    ):
        if not part.any():
            continue
        lines = LineCollection(
            list(places[ends[part]]),
            colors=tone[part].tolist(),
            alpha=np.clip(0.08 + 0.6 * weight[part], 0, 1),
            linewidths=0.5 + weight[part],
            rasterized=True,
        )
        ax.add_collection(lines)
    widest = max(np.bincount(graph.layer))
    ax.scatter(
        places[:, 0],
        places[:, 1],
        s=float(np.clip(1600 / widest, 3, 30)),
        c=colors[labels].tolist(),
        linewidths=0,
        zorder=3,
    )
    ax.set(yticks=[], ylim=(-0.01, 1.01), xlim=(-0.4, len(graph.widths) - 0.6))
    edges = graph.adjacency.nnz // 2
    said = "edges" if edges <= MOST_EDGES else f"the {MOST_EDGES:,} strongest of {edges:,} edges"
    ax.set_ylabel(f"neurons, {said}")
    sns.despine(ax=ax, left=True, bottom=True)
    ax.tick_params(axis="x", length=0)
    return ax


def plot_composition(
    graph: NeuronGraph, labels: NDArray[np.integer], ax: Axes | None = None
) -> Axes:
    """Draw which part of each layer belongs to which cluster: bars of one colour follow depth.

    Parameters
    ----------
    graph, labels
        As for `draw_neurons`.
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        A stacked bar a layer.
    """
    if ax is None:
        ax = Figure(figsize=(8.0, 2.0), layout="constrained").subplots()
    layers, count = len(graph.widths), int(labels.max()) + 1
    shares = np.zeros((count, layers))
    np.add.at(shares, (labels, graph.layer), 1)
    shares /= shares.sum(axis=0)
    bottom = np.cumsum(shares, axis=0) - shares
    for cluster, color in enumerate(class_colors(count)):
        ax.bar(range(layers), shares[cluster], 0.8, bottom[cluster], color=color, linewidth=0)
    step = -(-layers // NAMED)
    names = [
        f"{name}\n{width}" for name, width in zip(graph.layer_names, graph.widths, strict=True)
    ]
    many = layers > NAMED
    ax.set_xticks(
        range(0, layers, step),
        [name.replace("\n", ": ") if many else name for name in names[::step]],
        fontsize=8,
        rotation=30 if many else 0,
        ha="right" if many else "center",
    )
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    ax.set(ylabel="of the layer", xlabel="layer and its neurons")
    sns.despine(ax=ax, bottom=True)
    ax.tick_params(axis="x", length=0)
    return ax


def draw_nulls(shuffles: pd.DataFrame, nulls: pd.DataFrame, figure: Figure, *, ncut: float) -> None:
    """Draw the n-cuts of shuffles as histograms, a panel a null model, and the graph's as a line.

    Parameters
    ----------
    shuffles, nulls : DataFrame
        The tables ``neuron_shuffles`` and ``neuron_nulls``.
    figure : Figure
        Where to draw.
    ncut : float
        Of the graph.
    """
    require_columns(nulls, "neuron_nulls", ["null", "p", "z", "shuffles"])
    panels = figure.subplots(len(nulls), 1, sharex=True, squeeze=False).ravel()
    everything = np.append(shuffles["ncut"].to_numpy(), ncut)
    bins = np.histogram_bin_edges(everything, bins=40)
    if bins[0] == bins[-1]:
        bins = np.linspace(ncut - 0.1, ncut + 0.1, 41)
    rows: Any = nulls.itertuples(index=False)
    for ax, row in zip(panels, rows, strict=True):
        ax.hist(shuffles.loc[shuffles["null"] == row.null, "ncut"], bins=bins, color=SHUFFLES)
        ax.axvline(ncut, color="C3", linewidth=2)
        z = "" if np.isnan(row.z) else f"z = {row.z:.1f}, ".replace("-", "−")
        ax.set_title(
            f"{row.null}: {z}p = {row.p:.2g} ({row.shuffles} shuffles)", loc="left", fontsize=10
        )
        ax.set_ylabel("shuffles")
        ax.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        sns.despine(ax=ax)
    panels[-1].set_xlabel("normalised cut; the network's is the red line")
