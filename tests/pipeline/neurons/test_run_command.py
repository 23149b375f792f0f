import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from graphs.errors import GraphError, RunError
from graphs.export import check_gephi
from graphs.neuron_rows import null_rows
from graphs.spectral import newman_modularity, normalized_cut
from pipeline.models import load_model
from pipeline.neurons import shuffles as shuffling
from pipeline.neurons.reading import read_clusters
from pipeline.neurons.run_command import GraphOptions, run_neurons
from pipeline.neurons.shuffles import shuffle_graph
from pipeline.neurons.weight_graph import neuron_graph
from pipeline.options import Network, Work

SHAPE = (1, 8, 8)
QUIET = Work(progress=False)
TABLES = [
    "neurons", "neuron_clusters", "neuron_layers", "neuron_partition", "neuron_shuffles",
    "neuron_nulls",
]  # fmt: skip


def run(out, **options):
    given = {"clusters": 4, "shuffles": 6, "workers": 1, "null": "layer,degree", "work": QUIET}
    return run_neurons(
        out,
        network=Network(model="mlp"),
        graph=GraphOptions(input_shape=SHAPE),
        **{**given, **options},
    )


def tables(out):
    return {path.name: path.read_bytes() for path in (out / "metrics").glob("*.parquet")}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return run(tmp_path_factory.mktemp("neurons") / "out")


def read(out, name):
    return pd.read_parquet(out / "metrics" / f"{name}.parquet")


def test_tables_agree_with_one_another_and_with_the_graph(done):
    found = {name: read(done, name) for name in TABLES}
    neurons, row = found["neurons"], found["neuron_partition"].iloc[0]
    graph = neuron_graph(load_model("mlp", input_shape=SHAPE), SHAPE)
    labels = neurons["cluster"].to_numpy(dtype=int)
    assert row["ncut"] == pytest.approx(normalized_cut(graph.adjacency, labels))
    assert row["modularity"] == pytest.approx(newman_modularity(graph.adjacency, labels))
    assert row["n_neurons"] == len(neurons) == 64 + 128 + 64 + 10
    assert row["n_edges"] * 2 == neurons["degree"].sum()
    assert found["neuron_clusters"]["cut_share"].sum() == pytest.approx(row["ncut"])
    assert found["neuron_clusters"]["modularity_term"].sum() == pytest.approx(row["modularity"])
    assert found["neuron_clusters"]["size"].tolist() == np.bincount(labels).tolist()
    shares = found["neuron_layers"].groupby("layer_index")["share"].sum()
    assert shares.tolist() == pytest.approx([1, 1, 1, 1])
    assert found["neuron_shuffles"]["null"].tolist() == ["layer"] * 6 + ["degree"] * 6
    assert found["neuron_nulls"]["shuffles"].tolist() == [6, 6]


def test_the_record_says_what_came_out(done):
    record = json.loads((done / "study.json").read_text())
    assert record["state"] == "done"
    assert record["parameters"]["nulls"] == ["layer", "degree"]
    for words in ("n-cut", "Newman's Q", "p = ", "whole layers"):
        assert words in record["reading"]
    assert {"neurons.png", "nulls.png"} <= {path.name for path in (done / "figures").iterdir()}


def test_graph_files_hold_layers_and_clusters(done):
    for suffix in ("graphml", "gexf"):
        path = done / "exports" / f"neurons.{suffix}"
        assert check_gephi(path) == []
        assert "layer_index" in path.read_text()


def test_the_same_seed_gives_the_same_files_whatever_the_processes(done, tmp_path):
    again = run(tmp_path / "again", workers=2)
    assert tables(again) == tables(done)
    for name in ("neurons.graphml", "neurons.gexf"):
        assert (again / "exports" / name).read_bytes() == (done / "exports" / name).read_bytes()


def test_a_run_that_died_goes_on(done, tmp_path, monkeypatch):
    out = tmp_path / "out"
    work, calls = shuffling._shuffle, []

    def die(graph, job, *rest):
        calls.append(job)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return work(graph, job, *rest)

    monkeypatch.setattr(shuffling, "_shuffle", die)
    with pytest.raises(KeyboardInterrupt):
        run(out)
    assert json.loads((out / "study.json").read_text())["state"] == "begun"
    run(out)
    assert calls[3:] == [*calls[2:3], ("degree", 5, 6)]  # what was there is not done again
    assert tables(out) == tables(done)


def test_more_shuffles_keep_those_that_are_there(done, tmp_path, monkeypatch):
    out = tmp_path / "out"
    shutil.copytree(done, out)
    jobs = []
    work = shuffling._shuffle
    monkeypatch.setattr(
        shuffling, "_shuffle", lambda graph, job, *rest: jobs.append(job) or work(graph, job, *rest)
    )
    run(out, shuffles=10)
    assert jobs == [("layer", 5, 10), ("degree", 5, 10)]
    before, after = read(done, "neuron_shuffles"), read(out, "neuron_shuffles")
    first = after[after["shuffle"] < 6].reset_index(drop=True)
    pd.testing.assert_frame_equal(first, before)


def test_another_network_is_refused_unless_forced(done, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(done, out)
    with pytest.raises(RunError, match="other runs or with other options; choose another --out"):
        run(out, clusters=5)
    assert tables(out) == tables(done)
    run(out, clusters=5, shuffles=0, work=Work(force=True, progress=False))
    assert sorted(path.stem for path in (out / "figures").iterdir()) == ["neurons"] * 2
    assert read(out, "neuron_partition")["clusters"].tolist() == [5]
    assert not (out / "metrics" / "neuron_nulls.parquet").exists()


def test_pruned_weights_leave_neurons_without_cluster(tmp_path):
    model = load_model("mlp", input_shape=SHAPE)
    with torch.no_grad():
        model.net[1].weight[:, :8] = 0  # the first row of pixels
    torch.save(model.state_dict(), tmp_path / "pruned.pt")
    out = run_neurons(
        tmp_path / "out",
        network=Network(model="mlp", weights=str(tmp_path / "pruned.pt")),
        graph=GraphOptions(input_shape=SHAPE),
        clusters=3,
        shuffles=0,
        work=QUIET,
    )
    neurons = read(out, "neurons")
    assert neurons["cluster"].isna().tolist() == [True] * 8 + [False] * (len(neurons) - 8)
    assert read(out, "neuron_partition")["n_dropped"].tolist() == [8]


def test_convolutional_networks_are_clustered_by_channel(tmp_path):
    out = run_neurons(
        tmp_path / "out",
        network=Network(model="resnet8"),
        clusters=3,
        shuffles=2,
        null="layer",
        workers=1,
        work=QUIET,
    )
    layers = read(out, "neuron_layers").drop_duplicates("layer_index")
    assert layers["width"].tolist() == [16, 16, 16, 32, 32, 64, 64]
    assert layers["layer"].tolist()[0] == "conv1"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clusters": 0}, "clusters=0 divide nothing"),
        ({"clusters": 267}, "clusters=267 need at least 267 nodes with edges, this graph has 266"),
        ({"shuffles": -1}, "--shuffles -1 is no number of shuffles"),
        ({"null": "weights"}, "no null model 'weights'; choose from layer, layer_nonzero, degree"),
        ({"null": ","}, "--null names no null model"),
        ({"workers": 0}, "--workers 0 do no work"),
        ({"seed": -1}, "--seed -1 is negative"),
    ],
)
def test_bad_options_are_refused_before_anything_is_written(tmp_path, options, message):
    with pytest.raises(GraphError, match=message):
        run(tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_shuffles_that_fall_apart_are_told():
    table = pd.DataFrame(
        {"null": "layer", "ncut": [2.0, 3.0], "n_clusters": 4, "n_components": [5, 7]}
    )
    nulls = null_rows(3.0, table)
    assert nulls["n_components"].tolist() == [6]
    partition = {"clusters": 5, "n_clusters": 4, "ncut": 3.0, "modularity": 0.2, "n_nodes": 9}
    partition |= {"n_components": 1, "whole_layer_clusters": 0, "layer_ami": 0.0, "n_weightless": 2}
    told = read_clusters(pd.DataFrame([partition]), nulls)
    assert "1 of the 5 stayed empty." in told
    assert "2 clusters of nearly dead neurons without weight say nothing: --drop neg" in told
    assert "It is not surely below that of shuffled weights: layer 2.50 on average" in told
    assert "Shuffles of layer fall apart" in told
    assert "None of the 4 clusters is made of whole layers (adj" in told


def test_shuffles_in_memory_need_no_folder():
    graph = neuron_graph(load_model("mlp", input_shape=SHAPE), SHAPE)
    options = {"nulls": ["layer_nonzero"], "clusters": 3, "seed": 1, "workers": 1}
    found = shuffle_graph(graph, shuffles=3, **options)
    assert found["shuffle"].tolist() == [0, 1, 2]


def test_the_group_without_a_command_runs(command, tmp_path):
    given = "--model mlp --input-shape 1 8 8 --clusters 2 --shuffles 0 --no-progress"
    status, out, error = command(["neurons", *given.split(), "--out", tmp_path / "out"])
    assert (status, out.strip()) == (0, str(tmp_path / "out"))
    assert "266 neurons in 4 layers" in error
    assert all(len(line) <= 80 or "/" in line for line in error.splitlines())
