"""What an analysis in memory found: its tables and graphs, and what to do with them."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from torch import nn

from graphs.cards import card
from graphs.curves import TOLERANCE
from graphs.errors import GraphError
from graphs.export import export_dynamic
from graphs.neighbors import Device, KnnGraph
from graphs.places import resolve_folder
from graphs.plots import plot_classes, plot_curve
from graphs.plots_flow import plot_flow
from graphs.plots_pairs import plot_class_pairs
from graphs.snapshots import DynamicGraph
from pipeline.console import plural
from pipeline.devices import resolve_device
from pipeline.figures import inline_svg
from pipeline.pruning.choosing import choose_by_rule
from pipeline.pruning.plan import Plan, Surgery
from pipeline.pruning.planning import make_plan
from pipeline.pruning.rules import Rule, RuleName
from pipeline.pruning.subject import open_analyzed
from pipeline.summary import curve_rows, curve_table, paragraphs

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class Analysis:
    """What `pipeline.api.analyze` found.

    Attributes
    ----------
    layers, classes, class_pairs, communities, nodes, samples, flows, events : DataFrame
        The metric tables, with the columns of the files in ``RUN/metrics``.
    graphs : tuple of DynamicGraph
        One a repeat.
    knn_graphs : tuple of tuple of KnnGraph
        The directed lists behind them: by repeat, by layer.
    label_names : tuple of str
        Name of every class.
    model : Module
        The network.
    input_shape : tuple of int
        Channels, height, width of its images.
    """

    layers: pd.DataFrame
    classes: pd.DataFrame
    class_pairs: pd.DataFrame
    communities: pd.DataFrame
    nodes: pd.DataFrame
    samples: pd.DataFrame
    flows: pd.DataFrame
    events: pd.DataFrame
    graphs: tuple[DynamicGraph, ...]
    knn_graphs: tuple[tuple[KnnGraph, ...], ...]
    label_names: tuple[str, ...]
    model: nn.Module
    input_shape: tuple[int, ...]

    def plot(self, what: Literal["curve", "classes", "class_pairs", "flow"] = "curve") -> "Axes":
        """Draw the modularity curve, its terms by class and layer, or links between classes.

        ``"flow"`` draws how the samples of the first repeat flow through Leiden communities.

        Raises
        ------
        GraphError
            For anything else.
        """
        if what == "curve":
            return plot_curve(self.layers)
        if what == "classes":
            return plot_classes(self.classes)
        if what == "class_pairs":
            return plot_class_pairs(self.class_pairs)
        if what == "flow":
            flows, communities = (
                table[table["repeat"] == 0] for table in (self.flows, self.communities)
            )
            return plot_flow(flows, communities, classes=dict(enumerate(self.label_names)))
        raise GraphError(
            f"there is no figure {what!r}", "choose 'curve', 'classes', 'class_pairs' or 'flow'"
        )

    def plan(
        self,
        rule: RuleName = "increment",
        *,
        threshold: float = TOLERANCE,
        surgery: Surgery = "identity",
        device: Device = "auto",
    ) -> Plan:
        """Plan which layers to remove; `pipeline.pruning.plan.follow_plan` does it.

        Parameters
        ----------
        rule, threshold, surgery
            As in `stratagraph plan`.
        device
            Where the latency is measured.

        Raises
        ------
        PlanError
            When nothing would be removed, or the layers are not the network's blocks.
        """
        by_repeat = self.layers.set_index(["repeat", "layer_index"])["modularity"]
        curves = by_repeat.sort_index().to_numpy(np.float64).reshape(len(self.graphs), -1)
        names = self.layers.drop_duplicates("layer_index")["layer"].tolist()
        subject = open_analyzed(self.model, self.input_shape, names=names, curves=curves)
        choice = choose_by_rule(subject, Rule(name=rule, threshold=threshold))
        return make_plan(subject, choice, surgery=surgery, device=resolve_device(device))

    def export(self, folder: str | Path, *, gzip: bool = False, seed: int = 0) -> list[Path]:
        """Write the graphs of every repeat for Gephi, igraph and NetworkX; return the files."""
        files: list[Path] = []
        for repeat, graph in enumerate(self.graphs):
            layers = self.layers.loc[self.layers["repeat"] == repeat]
            matched = self.nodes.loc[self.nodes["repeat"] == repeat, "matched"]
            files += export_dynamic(
                graph,
                resolve_folder(folder),
                communities=matched.to_numpy().reshape(len(graph.snapshots), -1),
                modularity=layers["modularity"].tolist(),
                class_names=dict(enumerate(self.label_names)),
                k=self.knn_graphs[repeat][0].k,
                metric=self.knn_graphs[repeat][0].metric,
                gzip=gzip,
                seed=seed,
            )
        return files

    def _repr_html_(self) -> str:
        shown = {"modularity": "Q", "spread": "sd", "z": "z", "communities": "communities"}
        rows = curve_rows(self.layers)
        there = [name for name in shown if name in rows[0]]
        picture = inline_svg(lambda ax: plot_curve(self.layers, ax), size=(7.0, 3.6))
        repeats, samples = len(self.graphs), self.graphs[0].n_nodes
        return card(
            f"{plural(len(rows), 'layer')}, {samples:,} samples x {plural(repeats, 'repeat')}, "
            f"{len(self.label_names)} classes",
            [
                [row["layer_index"], row["layer"], *(_figure(name, row[name]) for name in there)]
                for row in rows
            ],
            headers=["", "layer", *(shown[name] for name in there)],
            notes=paragraphs(self.layers, self.class_pairs, self.samples),
            picture=picture,
        )

    def __str__(self) -> str:
        told = paragraphs(self.layers, self.class_pairs, self.samples)
        return "\n\n".join([curve_table(self.layers), *told])


def _figure(name: str, value: object) -> object:
    """Round what is no share of one to whole numbers."""
    return round(float(str(value))) if name in ("z", "communities") else value
