"""A small dynamic graph with known numbers, and how to make others."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from graphs.export import ExportAttributes, check_gephi
from graphs.snapshots import DynamicGraph, Snapshot

Layer = Mapping[tuple[int, int], float]
MakeDynamic = Callable[..., DynamicGraph]

# weights that a binary fraction holds exactly
LAYERS: list[Layer] = [
    {(0, 1): 0.5, (0, 2): 0.25},
    {(0, 1): 0.75, (2, 3): 1.0},
    {(0, 1): 0.125, (1, 3): 0.5, (2, 3): 0.25},
]


def make(
    layers: Sequence[Layer] = LAYERS,
    *,
    samples: Sequence[int] = (3, 5, 8, 13),
    labels: Sequence[int] = (0, 0, 1, 1),
    names: Mapping[int, object] | None = None,
    predicted: Sequence[object] | None = None,
    name: str = "clean-r0",
    layer_names: Sequence[str] = ("conv1", "layer1.2", "fc"),
    indices: Sequence[int] | None = None,
) -> DynamicGraph:
    names = {0: "cat", 1: "dog"} if names is None else names
    nodes = pd.DataFrame(
        {
            "node": range(len(samples)),
            "sample": samples,
            "label": labels,
            "label_name": [names[label] for label in labels],
        }
    )
    if predicted is not None:
        nodes["predicted"] = pd.array(predicted, dtype="Int32")
    snapshots = []
    for position, layer in enumerate(layers):
        pairs = sorted(layer)
        snapshots.append(
            Snapshot(
                layer_index=position if indices is None else indices[position],
                layer=layer_names[position] if position < len(layer_names) else f"l{position}",
                n_nodes=len(samples),
                edges=np.array(pairs, dtype=np.int32).reshape(-1, 2),
                weights=np.array([layer[pair] for pair in pairs], dtype=np.float64),
            )
        )
    return DynamicGraph(name=name, nodes=nodes, snapshots=tuple(snapshots))


@pytest.fixture(scope="session")
def make_dynamic() -> MakeDynamic:
    return make


@pytest.fixture(scope="session")
def dynamic() -> DynamicGraph:
    return make(predicted=[0, 1, 1, None])


@pytest.fixture(scope="session")
def attributes() -> ExportAttributes:
    return ExportAttributes(
        layout=np.array([[-500.0, 0.25], [500.0, -10.5], [0.0, 12.0], [3.5, 7.0]]),
        communities=np.array([[0, 0, 0, 1], [0, 0, 1, 1], [0, 0, 1, -1]], dtype=np.int32),
        modularity=[-0.125, 0.5, 0.25],
        k=2,
        metric="cosine",
    )


@pytest.fixture(scope="session")
def truth() -> list[dict[tuple[str, str], float]]:
    """Weight of every edge of every layer, under the names that the files use."""
    ids = ["s3", "s5", "s8", "s13"]
    return [{(ids[a], ids[b]): weight for (a, b), weight in layer.items()} for layer in LAYERS]


@pytest.fixture(scope="session")
def fired() -> Callable[[Path], set[str]]:
    """Tell which rules a file breaks."""

    def rules(path: Path) -> set[str]:
        found = [re.search(r"\(([a-z-]+): ", sentence) for sentence in check_gephi(path)]
        return {match[1] for match in found if match}

    return rules
