"""The three stages, end to end on small real images."""

import json
import logging
import os
import shutil
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from graphs import knn, modularity
from graphs.export import check_gephi
from graphs.runs import Run
from graphs.shards import LayerRows
from pipeline import analyze
from pipeline.data import load_data
from pipeline.options import Features, Images, Machine, Neighbours, Network, Outputs
from pipeline.run import run_stages
from pipeline.stage1_activations import dump_activations
from pipeline.stage2_edges import build_edges
from pipeline.stage3_communities import measure_graphs

NETWORK = Network(model="resnet8")
IMAGES = Images(samples=120, repeats=2)
TABLES = (
    "layers", "classes", "class_pairs", "communities", "nodes", "samples", "flows", "events",
)  # fmt: skip


def contents(folder):
    """Bytes of the metric tables."""
    return {name: (folder / "metrics" / f"{name}.parquet").read_bytes() for name in TABLES}


def files(folder):
    """Name, bytes and time of every file."""
    return {
        path.relative_to(folder): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    return run_stages(tmp_path_factory.mktemp("run") / "r8", network=NETWORK, images=IMAGES)


def test_stages_one_by_one_give_the_same_files(run_folder, tmp_path):
    out = tmp_path / "staged"
    dump_activations(out, network=NETWORK, images=IMAGES)
    build_edges(out)
    measure_graphs(out)
    assert contents(out) == contents(run_folder)
    for name, (content, _) in files(run_folder).items():
        if name.name != "manifest.json":
            assert (out / name).read_bytes() == content, name


def test_the_folder_has_the_files_of_the_contract(run_folder):
    names = {str(path.relative_to(run_folder)) for path in run_folder.rglob("*") if path.is_file()}
    assert {
        "manifest.json",
        "variant=clean/repeat=1/nodes.parquet",
        "variant=clean/repeat=1/activations/layer=003/part-00000.parquet",
        "variant=clean/repeat=1/edges/layer=003.parquet",
        "exports/clean-r1_L03_layer3-0.graphml",
        "exports/clean-r1_union.graphml",
        "exports/clean-r1_dynamic.gexf",
        "figures/curve.svg",
        "figures/curve.png",
        "figures/classes.svg",
        *(f"metrics/{name}.parquet" for name in TABLES),
    } <= names
    assert not [
        name for name in names if ".tmp" in name or ".parts" in name or "predictions" in name
    ]


def test_every_table_loads_in_pandas_with_its_columns(run_folder):
    layers = pd.read_parquet(run_folder / "metrics" / "layers.parquet")
    start = "variant repeat layer_index layer n_nodes k metric engine exact modularity"
    assert layers.columns[:10].tolist() == start.split()
    assert layers["layer"].tolist() == ["relu", "layer1.0", "layer2.0", "layer3.0"] * 2
    edges = pd.read_parquet(
        run_folder / "variant=clean" / "repeat=0" / "edges" / "layer=001.parquet"
    )
    assert edges.columns.tolist() == ["source", "target", "rank", "weight"]
    assert edges["source"].tolist() == np.repeat(np.arange(120), 3).tolist()
    assert edges["rank"].tolist() == [1, 2, 3] * 120
    assert (edges["source"] != edges["target"]).all()
    nodes = pd.read_parquet(run_folder / "variant=clean" / "repeat=0" / "nodes.parquet")
    assert nodes.columns.tolist() == "node sample label label_name predicted confidence".split()
    digits = load_data("digits")
    assert nodes["label"].tolist() == digits.labels[nodes["sample"]].tolist()
    assert nodes["confidence"].between(0.1, 1).all()


def test_modularity_is_that_of_networkx_on_the_stored_activations(run_folder):
    """From the shards, past our own graph code."""
    layers = pd.read_parquet(run_folder / "metrics" / "layers.parquet").set_index(
        ["repeat", "layer_index"]
    )
    classes = pd.read_parquet(run_folder / "metrics" / "classes.parquet")
    for repeat in (0, 1):
        place = run_folder / "variant=clean" / f"repeat={repeat}"
        labels = pd.read_parquet(place / "nodes.parquet")["label"].to_numpy()
        for index in range(4):
            shard = place / "activations" / f"layer={index:03d}" / "part-00000.parquet"
            x = np.stack(pd.read_parquet(shard)["activation"]).astype(np.float64)
            x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-8)
            similarity = x @ x.T
            np.fill_diagonal(similarity, -np.inf)
            graph = nx.Graph()
            graph.add_nodes_from(range(len(x)))
            for i, row in enumerate(similarity):
                for j in np.argsort(-row, kind="stable")[:3]:
                    weight = (
                        max(row[j], 0.0) / 2 + graph.get_edge_data(i, j, {"weight": 0.0})["weight"]
                    )
                    graph.add_edge(i, int(j), weight=weight)
            parts = [set(np.flatnonzero(labels == label)) for label in np.unique(labels)]
            expected = nx.community.modularity(graph, parts)
            assert layers.loc[(repeat, index), "modularity"] == pytest.approx(expected, abs=1e-6)
            here = (classes["repeat"] == repeat) & (classes["layer_index"] == index)
            total = classes.loc[here, "modularity_term"].sum()
            assert layers.loc[(repeat, index), "modularity"] == pytest.approx(total, abs=1e-12)


def test_analyze_gives_the_tables_of_the_stages(run_folder, tmp_path):
    found = analyze("resnet8", load_data("digits"), samples=120, repeats=2)
    for name in TABLES:
        stored = pd.read_parquet(run_folder / "metrics" / f"{name}.parquet")
        ours = getattr(found, name)
        pd.testing.assert_frame_equal(ours, stored, check_dtype=False, rtol=1e-9, atol=1e-9)
    exported = found.export(tmp_path)
    assert len(exported) == 2 * (4 + 2)
    assert exported[0].read_bytes() == (run_folder / "exports" / exported[0].name).read_bytes()
    assert found.plot().get_ylabel().startswith("modularity")
    assert found.plot("classes").get_xlabel() == "layer"
    assert "Q goes from" in str(found)


def test_every_export_is_clean_by_the_gephi_rules(run_folder):
    exports = sorted((run_folder / "exports").iterdir())
    assert len(exports) == 2 * (4 + 2)
    assert {path.name: check_gephi(path) for path in exports if check_gephi(path)} == {}


def test_a_second_run_does_nothing(run_folder):
    before = files(run_folder)
    run_stages(run_folder, network=NETWORK, images=IMAGES)
    after = files(run_folder)
    changed = [str(name) for name in before if before[name] != after.get(name)]
    assert changed in ([], ["manifest.json"])
    assert set(before) == set(after)


def test_the_manifest_records_what_the_run_is_made_from(run_folder):
    manifest = json.loads((run_folder / "manifest.json").read_text())
    assert manifest["stratagraph"] == "run/1"
    assert {stage: entry["state"] for stage, entry in manifest["stages"].items()} == dict.fromkeys(
        ("activations", "edges", "communities"), "done"
    )
    parameters = manifest["stages"]["activations"]["parameters"]
    assert (parameters["model"], parameters["samples"], parameters["seed"]) == ("resnet8", 120, 0)
    assert parameters["data"] == load_data("digits").digest()
    assert {"torch", "numpy", "igraph"} <= set(manifest["versions"])


def test_memory_and_dtype_and_pooling(tmp_path):
    """Blocks of few rows give what one block gives; float16 and pooling change the size."""
    images = Images(samples=150, repeats=1)
    whole = run_stages(tmp_path / "a", network=NETWORK, images=images, outputs=Outputs(gzip=True))
    tight = run_stages(
        tmp_path / "b", network=NETWORK, images=images, machine=Machine(memory="1MiB")
    )
    one, other = (pd.read_parquet(out / "metrics" / "layers.parquet") for out in (whole, tight))
    np.testing.assert_allclose(one["modularity"], other["modularity"], atol=1e-6)
    assert (whole / "exports" / "clean-r0_dynamic.gexf.gz").exists()
    features = Features(dtype="float16", pool="avg", layers="layer*.0")
    small = run_stages(tmp_path / "c", network=NETWORK, images=images, features=features)
    rows = LayerRows([small / "variant=clean/repeat=0/activations/layer=000/part-00000.parquet"])
    assert rows.shape == (150, 16)
    q = pd.read_parquet(small / "metrics" / "layers.parquet")["modularity"]
    labels = pd.read_parquet(small / "variant=clean/repeat=0/nodes.parquet")["label"]
    graph = knn(rows[0:150], 3)
    assert float(modularity(graph.indices, graph.weights, labels)) == pytest.approx(q[0])


def test_chance_and_samples_are_told_and_written(run_folder, tmp_path, caplog):
    out = tmp_path / "told"
    shutil.copytree(run_folder, out)
    layers = pd.read_parquet(out / "metrics/layers.parquet")
    assert layers["modularity_p"].between(1 / 201, 1).all()
    assert (layers["modularity_low"] < layers["modularity"]).all()
    assert (layers["modularity"] < layers["modularity_high"]).all()
    assert layers["leiden_z"].isna().all()
    pairs = pd.read_parquet(out / "metrics/class_pairs.parquet")
    same = pairs.loc[pairs["class_a"] == pairs["class_b"]]
    classes = pd.read_parquet(out / "metrics/classes.parquet")
    np.testing.assert_allclose(
        same["observed"] - same["expected"], classes["modularity_term"], atol=1e-12
    )
    with caplog.at_level(logging.INFO, "stratagraph"):
        measure_graphs(out)  # nothing to do: told all the same
    text = " ".join(caplog.text.split())
    assert "Q is above that of 200 permutations of the labels" in text
    assert "pairs of classes are apart in the last layer, layer3.0" in text
    assert "of 240 samples" in text


def test_double_precision_networks_run(tmp_path):
    (tmp_path / "net.py").write_text(
        "from pipeline.models import load_model\n\n\n"
        "def net():\n    return load_model('resnet8', input_shape=(1, 8, 8)).double()\n"
    )
    network = Network(model=f"{tmp_path}/net.py:net")
    out = run_stages(tmp_path / "run", network=network, images=Images(samples=40, repeats=1))
    assert pd.read_parquet(out / "metrics" / "layers.parquet")["modularity"].notna().all()


@pytest.mark.data
@pytest.mark.parametrize(
    ("repeat", "expected"),
    [
        (0, ".110718 .045985 -.007503 .167513 .206003 .221380 .261649 .413273 .503630 .789470"),
        (1, ".163207 .059072 .027567 .173648 .229366 .266644 .303261 .470641 .546518 .787331"),
    ],
)
def test_resnet20_gives_the_values_of_the_published_code(
    data_folder, published_run, repeat, expected
):
    """Lu et al.'s released code on the same weights and images."""
    layers = pd.read_parquet(published_run / "metrics" / "layers.parquet")
    found = layers.loc[layers["repeat"] == repeat, "modularity"]
    np.testing.assert_allclose(found, [float(q) for q in expected.split()], atol=2e-6)


@pytest.fixture(scope="module")
def published_run(tmp_path_factory):

    data = Path(os.environ["STRATAGRAPH_DATA"])
    return run_stages(
        tmp_path_factory.mktemp("published") / "r20",
        network=Network(model="resnet20", weights=str(data / "weights" / "resnet20-12fca82f.th")),
        images=Images(
            dataset="parquet",
            data=data / "cifar10-exact" / "test.parquet",
            normalize="imagenet",
            sampling="sequential",
            samples=500,
            repeats=2,
        ),
        features=Features(layers="reference"),
        outputs=Outputs(published=data / "published_curves.csv"),
    )


def test_the_manifest_says_how_neighbours_were_proven(run_folder, tmp_path, caplog):
    out = tmp_path / "proven"
    shutil.copytree(run_folder, out)
    with caplog.at_level(logging.INFO, "stratagraph"):
        build_edges(out, neighbours=Neighbours(k=4, engine="certified"))
    entry = Run(out).stage("edges")
    proofs = entry["proofs"]
    # 120 rows in 2 repeats of 4 layers
    layers = len(Run(out).stage("activations")["sets"][0]["layers"])
    assert sum(proofs["products"].values()) == 2 * layers
    assert proofs["certified"] + proofs["repaired"] + proofs["recomputed"] == 120 * 2 * layers
    assert entry["engine"].startswith("certified, ")
    assert " products on the " in entry["engine"]
    assert f"stage 2: engine {entry['engine']}" in caplog.messages
    build_edges(out, neighbours=Neighbours(k=4, engine="certified"))  # nothing to do
    again = Run(out).stage("edges")
    assert (again["engine"], again["proofs"]) == (entry["engine"], proofs)
    # one layer is missing, and linked again: the run as a whole is what it was
    (out / "variant=clean" / "repeat=0" / "edges" / "layer=003.parquet").unlink()
    build_edges(out, neighbours=Neighbours(k=4, engine="certified"))
    again = Run(out).stage("edges")
    assert (again["engine"], again["proofs"]) == (entry["engine"], proofs)
    build_edges(out, neighbours=Neighbours(k=4, engine="faiss"))
    assert "proofs" not in Run(out).stage("edges")
    assert not list(out.glob("variant=*/repeat=*/edges/*.json"))
