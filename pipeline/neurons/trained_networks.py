"""The networks of the published figures: trained once, then clustered and shuffled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from graphs.errors import DataError
from graphs.files import digest_file, digest_json
from graphs.neuron_graph import NeuronGraph
from graphs.spectral import normalized_cut, spectral_partition
from graphs.weight_shuffles import NullName, NullTest, compare_with_null
from pipeline.console import log
from pipeline.data import load_data
from pipeline.models import load_model
from pipeline.models.weights import read_content
from pipeline.neurons.checks import CheckSetting
from pipeline.neurons.epochs import HISTORY, PRUNED, UNPRUNED
from pipeline.neurons.mixtures import Mixture, mix
from pipeline.neurons.recipe import NeuronRecipe
from pipeline.neurons.shuffles import shuffle_graph
from pipeline.neurons.training import NeuronTraining, train_neurons
from pipeline.neurons.weight_graph import neuron_graph

CLUSTERS = 12


@dataclass(frozen=True, kw_only=True)
class Condition:
    """How the networks of one name are trained."""

    dataset: str = "mnist"
    mixture: Mixture = "none"
    model: str = "mlp-256-256-256-256"
    options: Mapping[str, Any] = field(default_factory=dict)


_SMALL = {"epochs": 10, "pruning_epochs": 10}
CONDITIONS = {
    "mnist": Condition(),
    "mnist-dropout": Condition(options={"dropout": 0.5}),
    "fashion": Condition(dataset="fashion-mnist"),
    "fashion-dropout": Condition(dataset="fashion-mnist", options={"dropout": 0.5}),
    "mnist-l1": Condition(options={"l1": 5e-5}),
    "mnist-init": Condition(options={"initial": "clusterable"}),
    "mnist-halves-same": Condition(mixture="halves-same"),
    "mnist-halves-diff": Condition(mixture="halves-diff"),
    "small": Condition(mixture="small", model="mlp-64-64-64", options=_SMALL),
    "small-rescale": Condition(
        mixture="small", model="mlp-64-64-64", options={**_SMALL, "rescale": True}
    ),
    "small-gradient": Condition(
        mixture="small",
        model="mlp-64-64-64",
        options={**_SMALL, "rescale": True, "clusterability": 0.1},
    ),
    "small-halfgradient": Condition(
        mixture="small",
        model="mlp-64-64-64",
        options={**_SMALL, "rescale": True, "clusterability": 0.05},
    ),
}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One network: its n-cut and how that stands to its shuffles."""

    ncut: float
    nulls: Mapping[NullName, NullTest]


def train_condition(setting: CheckSetting, name: str, seed: int) -> NeuronTraining:
    """Train a network of a condition, unless that is done.

    Raises
    ------
    DataError
        When there is no folder with the images.
    """
    if setting.data is None:
        raise DataError(
            "checks from 6 on but 14 need MNIST and Fashion-MNIST",
            "name the folder with --data or STRATAGRAPH_DATA",
        )
    condition = CONDITIONS[name]
    recipe, out = NeuronRecipe(seed=seed, **condition.options), setting.out / f"{name}-s{seed}"
    if done := _finished(out, recipe):
        return done
    images = {
        split: mix(
            load_data(condition.dataset, path=setting.data, split=split, normalize="none"),
            condition.mixture,
        )
        for split in ("train", "test")
    }
    shape = images["train"].input_shape
    log.info("network %s, seed %d", name, seed)
    return train_neurons(
        load_model(condition.model, classes=10, input_shape=shape),
        images["train"],
        images["test"],
        out=out,
        recipe=recipe,
        architecture={"model": condition.model, "classes": 10, "input_shape": shape},
        progress=True,
    )


def _finished(out: Path, recipe: NeuronRecipe) -> NeuronTraining | None:
    """Return a training that is done, without a look at the images."""
    pruned = out / PRUNED
    if not pruned.exists() or read_content(pruned)["recipe"] != recipe.as_dict():
        return None
    history = pd.read_csv(out / HISTORY)
    return NeuronTraining(
        unpruned=out / UNPRUNED, pruned=pruned, history=history, resumed_from=len(history)
    )


def graph_of(setting: CheckSetting, name: str, seed: int, *, pruned: bool) -> NeuronGraph:
    """Return the graph of a trained network."""
    trained = train_condition(setting, name, seed)
    side = 7 if CONDITIONS[name].mixture == "small" else 28
    weights = trained.pruned if pruned else trained.unpruned
    shape = (1, side, side)
    model = load_model(CONDITIONS[name].model, weights=weights, classes=10, input_shape=shape)
    return neuron_graph(model, shape)


def measure(
    setting: CheckSetting,
    name: str,
    seed: int,
    *,
    pruned: bool,
    nulls: Sequence[NullName] = (),
    clusters: int = CLUSTERS,
) -> Measured:
    """Cluster a trained network and its shuffles."""
    graph = graph_of(setting, name, seed, pruned=pruned)
    value = normalized_cut(graph.adjacency, spectral_partition(graph.adjacency, clusters, seed=0))
    folder = setting.out / f"{name}-s{seed}"
    state = "pruned" if pruned else "unpruned"
    tests: dict[NullName, NullTest] = {}
    if nulls:
        identity = digest_json([digest_file(folder / f"{state}.pt"), clusters])
        table = shuffle_graph(
            graph,
            nulls=nulls,
            clusters=clusters,
            shuffles=setting.shuffles,
            seed=0,
            workers=setting.workers,
            parts=folder / f"shuffles-{state}-{clusters}",
            identity=identity,
            show=True,
        )
        tests = {
            null: compare_with_null(value, table.loc[table["null"] == null, "ncut"].to_numpy())
            for null in nulls
        }
    return Measured(ncut=value, nulls=tests)
