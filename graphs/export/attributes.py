"""What the files say of the nodes: the columns that Gephi shows beside the graph."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from graphs.errors import ExportError
from graphs.export.colors import class_colors
from graphs.export.text import gephi_text
from graphs.snapshots import DynamicGraph, Snapshot

ColumnType = Literal["boolean", "int", "long", "double", "string"]


@dataclass(frozen=True, kw_only=True)
class ExportAttributes:
    """What is known of a dynamic graph beside its edges; all of it may be left out.

    Attributes
    ----------
    layout : ndarray of float64, shape (n, 2), optional
        One place a node for all layers (`joint_layout`).
    communities : ndarray of int, shape (L, n), optional
        Community of each node in each layer, from 0, matched between layers; negative for none.
    modularity : sequence of float, length L, optional
        Modularity of the true classes in each layer.
    class_names : mapping of int to str, optional
        Names of classes that may be predicted but have no sample among the nodes.
    k, metric : optional
        How the neighbours were found.
    """

    layout: NDArray[np.float64] | None = None
    communities: NDArray[np.integer] | None = None
    modularity: Sequence[float] | None = None
    class_names: Mapping[int, str] | None = None
    k: int | None = None
    metric: str | None = None

    def check(self, dynamic: DynamicGraph) -> None:
        """Compare the shapes with those of the graph.

        Raises
        ------
        ExportError
            When something has another length than the graph, or a coordinate is not finite.
        """
        layers, nodes = len(dynamic.snapshots), dynamic.n_nodes
        wanted = {"layout": (nodes, 2), "communities": (layers, nodes), "modularity": (layers,)}
        for name, shape in wanted.items():
            value = getattr(self, name)
            if value is not None and np.shape(value) != shape:
                raise ExportError(
                    f"{name} has the shape {np.shape(value)}, the graph {dynamic.name} needs "
                    f"{shape}",
                    "compute it from this graph",
                )
        if self.layout is not None and not np.isfinite(self.layout).all():
            raise ExportError(
                f"the layout of {dynamic.name} holds NaN or infinite coordinates",
                "compute it with joint_layout",
            )


@dataclass(frozen=True)
class Column:
    """One attribute: its name, its GraphML type and one text a row, None where it is missing."""

    name: str
    type: ColumnType
    values: Sequence[str | None]


def node_ids(dynamic: DynamicGraph) -> list[str]:
    """Return ``s<sample>`` for every node: the same in every layer and every file.

    Raises
    ------
    ExportError
        When a sample stands in the node table twice.
    """
    samples = dynamic.nodes["sample"].tolist()
    if len(set(samples)) != len(samples):
        twice = next(sample for sample, count in Counter(samples).items() if count > 1)
        raise ExportError(
            f"sample {twice} is in the node table of {dynamic.name} more than once",
            "draw every sample once a repeat",
        )
    return [f"s{sample}" for sample in samples]


def check_layers(dynamic: DynamicGraph) -> None:
    """Refuse layer indices that would give two layers one name.

    Raises
    ------
    ExportError
        When two layers have the same index.
    """
    indices = [snapshot.layer_index for snapshot in dynamic.snapshots]
    if len(set(indices)) != len(indices):
        raise ExportError(
            f"the layers of {dynamic.name} have the indices {indices}, some of them twice",
            "number the layers in depth order",
        )


def node_labels(dynamic: DynamicGraph) -> list[str]:
    """Return what is written beside a node: its id and its class name."""
    names = _class_names(dynamic, None)
    return [
        f"{node} {names[label]}".rstrip()
        for node, label in zip(node_ids(dynamic), dynamic.labels.tolist(), strict=True)
    ]


def node_colors(dynamic: DynamicGraph) -> list[str]:
    """Return one colour a node, by class."""
    classes, number = np.unique(dynamic.labels, return_inverse=True)
    colors = class_colors(len(classes))
    return [colors[index] for index in number.tolist()]


def static_columns(dynamic: DynamicGraph, attributes: ExportAttributes) -> list[Column]:
    """Return the columns that are the same in every layer: classes, predictions, sample."""
    nodes, labels = dynamic.nodes, dynamic.labels.tolist()
    names = _class_names(dynamic, attributes.class_names)
    columns = [
        Column("class_id", "int", [str(label) for label in labels]),
        Column("class_name", "string", [names[label] or None for label in labels]),
        Column("sample_index", "long", [str(sample) for sample in nodes["sample"].tolist()]),
    ]
    if "predicted" in nodes and nodes["predicted"].notna().any():
        known = nodes["predicted"].astype("Int64")
        guesses = known.astype(object).where(known.notna(), None).tolist()
        right = [
            None if guess is None else _boolean(guess == label)
            for guess, label in zip(guesses, labels, strict=True)
        ]
        columns += [
            Column("pred_id", "int", [None if guess is None else str(guess) for guess in guesses]),
            Column("pred_name", "string", [names.get(guess) or None for guess in guesses]),
            Column("correct", "boolean", right),
        ]
    return columns


def layer_columns(
    dynamic: DynamicGraph, position: int, *, attributes: ExportAttributes
) -> list[Column]:
    """Return the columns that differ between layers: strength, degree, community."""
    strength, degree = _strength_and_degree(dynamic.snapshots[position])
    columns = [
        Column("strength", "double", doubles(strength)),
        Column("degree", "int", [str(value) for value in degree.tolist()]),
    ]
    if attributes.communities is not None:
        column = community_column("community", attributes.communities[position])
        columns.insert(0, column)
    return columns


def community_column(name: str, communities: NDArray[np.integer]) -> Column:
    """Return community numbers as a column; a negative number means none."""
    values = [str(value) if value >= 0 else None for value in communities.tolist()]
    return Column(name, "int", values)


def place_columns(dynamic: DynamicGraph, attributes: ExportAttributes) -> list[Column]:
    """Return x and y, where there is a layout, and the colour: properties in Gephi, no columns."""
    columns = [Column("color", "string", node_colors(dynamic))]
    if attributes.layout is not None:
        x, y = attributes.layout.T
        columns = [Column("x", "double", doubles(x)), Column("y", "double", doubles(y)), *columns]
    return columns


def doubles(values: Iterable[float]) -> list[str | None]:
    """Write numbers in their shortest exact form; what is not finite is missing.

    Examples
    --------
    >>> doubles([0.1, 2.0, float("nan")])
    ['0.1', '2.0', None]
    """
    numbers = values.tolist() if isinstance(values, np.ndarray) else values
    return [repr(value) if math.isfinite(value) else None for value in numbers]


def _boolean(value: bool) -> str:  # noqa: FBT001  the value is what the function is about
    return "true" if value else "false"


def _strength_and_degree(snapshot: Snapshot) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    ends = snapshot.edges.T.ravel()
    twice = np.concatenate((snapshot.weights, snapshot.weights))
    strength = np.zeros(snapshot.n_nodes)
    np.add.at(strength, ends, twice)
    return strength, np.bincount(ends, minlength=snapshot.n_nodes).astype(np.int64)


def _class_names(dynamic: DynamicGraph, more: Mapping[int, str] | None) -> dict[int | None, str]:
    found: dict[int | None, str] = {}
    for source in (more or {}), _label_names(dynamic):
        for label, name in source.items():
            found[label] = gephi_text(name, what=f"class {label}")
    return found


def _label_names(dynamic: DynamicGraph) -> dict[int, str]:
    pairs = dict(zip(dynamic.labels.tolist(), dynamic.nodes["label_name"].tolist(), strict=True))
    return {label: "" if pd.isna(name) else str(name) for label, name in pairs.items()}
