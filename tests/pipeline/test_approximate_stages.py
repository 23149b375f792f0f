"""Approximate neighbours through the stages: what is written, said, and done again."""

import logging

import numpy as np
import pandas as pd
import pytest

from graphs.errors import GraphError, ResourceError
from graphs.runs import Run
from pipeline import analyze
from pipeline.data import load_data
from pipeline.edge_files import read_edges
from pipeline.options import Images, Machine, Neighbours, Network
from pipeline.run import run_stages
from pipeline.stage1_activations import dump_activations
from pipeline.stage2_edges import build_edges
from pipeline.stage3_communities import measure_graphs

NETWORK = Network(model="resnet8")
IMAGES = Images(samples=150, repeats=1)
OPTIONS = Neighbours(k=3, engine="ivf", recall=0.9, project=300)
EDGES = "variant=clean/repeat=0/edges"


def layers_of(folder):
    return pd.read_parquet(folder / "metrics" / "layers.parquet")


@pytest.fixture(scope="module")
def activations(tmp_path_factory):
    return dump_activations(tmp_path_factory.mktemp("run") / "r", network=NETWORK, images=IMAGES)


@pytest.fixture
def approximate(activations, caplog):
    with caplog.at_level(logging.INFO, "stratagraph"):
        build_edges(activations, neighbours=OPTIONS)
    measure_graphs(activations)
    return activations


def test_the_layers_table_says_how_approximate_it_is(approximate):
    layers = layers_of(approximate)
    assert layers["engine"].unique().tolist() == ["ivf"]
    assert not layers["exact"].any()
    assert layers["recall"].between(0.9, 1).all()
    # every sample was looked at
    assert layers["recall_error"].tolist() == [0.0] * 4
    # 1,024, 1,024, 512 and 256 values a sample
    assert layers["project"].tolist() == [300, 300, 300, 0]
    assert layers["project_q_shift"].isna().tolist() == [False, False, False, True]
    assert (layers["project_q_shift"].iloc[:3].abs() < 0.2).all()


def test_exact_engines_have_recall_one(activations):
    build_edges(activations, neighbours=Neighbours(k=3))
    measure_graphs(activations)
    layers = layers_of(activations)
    assert layers["exact"].all()
    assert (layers["recall"].unique(), layers["recall_error"].unique()) == ([1.0], [0.0])
    assert layers["project"].unique().tolist() == [0]


def test_it_is_said_for_every_layer_once(approximate, caplog):
    build_edges(approximate, neighbours=Neighbours(k=4, engine="ivf", recall=0.9, project=300))
    said = [record.getMessage() for record in caplog.records if "recall" in record.getMessage()]
    assert len(said) % 4 == 0
    assert said[-4].startswith(
        "layer 0 (relu): 1024 values a sample projected to 300: Q changes by"
    )
    assert "engine ivf, nlist=18 nprobe=" in said[-4]
    assert said[-1].startswith("layer 3 (layer3.0): 256 values a sample, not projected; engine ivf")


def test_edges_remember_what_was_measured(approximate):
    graph = read_edges(approximate / EDGES / "layer=000.parquet", 150)
    row = layers_of(approximate).iloc[0]
    assert (graph.recall, graph.project) == (row["recall"], row["project"])
    assert graph.project_q_shift == row["project_q_shift"]
    assert graph.setting.startswith("nlist=18 nprobe=")
    parameters = Run(approximate).stage("edges")["parameters"]
    assert parameters == {
        "k": 3, "metric": "cosine", "engine": "ivf", "recall": 0.9, "project": 300, "seed": 0,
    }  # fmt: skip


def test_only_other_options_link_again(approximate):
    path = approximate / EDGES / "layer=000.parquet"
    before = path.stat().st_mtime_ns
    build_edges(approximate, neighbours=OPTIONS)
    assert path.stat().st_mtime_ns == before
    build_edges(approximate, neighbours=Neighbours(k=3, engine="ivf", recall=0.5, project=300))
    assert path.stat().st_mtime_ns != before


def test_analyze_gives_the_tables_of_the_stages(approximate):
    options = {"engine": "ivf", "recall": 0.9, "project": 300}
    found = analyze("resnet8", load_data("digits"), samples=150, repeats=1, **options)
    pd.testing.assert_frame_equal(
        found.layers, layers_of(approximate), check_dtype=False, rtol=1e-9, atol=1e-9
    )


def test_a_cosine_of_projected_features_is_that_of_pearson_too(activations):
    options = Neighbours(k=3, metric="pearson", project=300)
    build_edges(activations, neighbours=options)
    measure_graphs(activations)
    assert layers_of(activations)["metric"].unique().tolist() == ["pearson"]
    assert np.isfinite(layers_of(activations)["modularity"]).all()


def test_too_little_memory_names_the_layer(activations):
    # 150 rows of 1,024 float32 twice are 1.2 MB
    with pytest.raises(ResourceError, match=r"layer 0 \(relu\): engine hnsw keeps all 150 rows"):
        build_edges(
            activations, neighbours=Neighbours(engine="hnsw"), machine=Machine(memory="1MiB")
        )


@pytest.mark.parametrize("options", [{"recall": 2.0}, {"engine": "faiss", "recall": 0.9}])
def test_wrong_options_are_refused_before_stage_1(options, tmp_path):
    neighbours = Neighbours(**({"engine": "ivf"} | options))
    with pytest.raises(GraphError, match="--recall"):
        run_stages(tmp_path / "r", network=NETWORK, images=IMAGES, neighbours=neighbours)
    assert not (tmp_path / "r").exists()
