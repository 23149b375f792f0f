"""Runs that are given more, changed, forced, interrupted, or taken for others."""

import os
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from graphs.errors import CorruptFileError, RunError
from graphs.files import sweep, temporary_name
from graphs.runs import Run
from pipeline.options import Features, Images, Neighbours, Network, Outputs, Work
from pipeline.run import run_stages
from pipeline.stage1_activations import dump_activations
from pipeline.stage2_edges import build_edges
from pipeline.stage3_communities import measure_graphs


def contents(folder):
    """Bytes of the metric tables."""
    return {path.name: path.read_bytes() for path in (folder / "metrics").glob("*.parquet")}


def files(folder):
    """Name, bytes and time of every file."""
    return {
        path.relative_to(folder): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def die(*_, **__):
    raise KeyboardInterrupt


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return run_stages(
        tmp_path_factory.mktemp("made") / "r",
        network=Network(model="mlp"),
        images=Images(samples=60, repeats=1),
    )


@pytest.fixture
def small_run(made, tmp_path):
    """A run that a test may change."""
    return shutil.copytree(made, tmp_path / "r")


def test_another_k_keeps_the_activations(small_run):
    before = files(small_run)
    build_edges(small_run, neighbours=Neighbours(k=4))
    assert "communities" not in Run(small_run).manifest["stages"]
    with pytest.raises(RunError, match=r"no finished stage 3 \(communities\)"):
        Run(small_run).stage("communities")
    measure_graphs(small_run)
    after = files(small_run)
    for name in before:
        if "activations" in name.parts:
            assert before[name] == after[name]
    assert pd.read_parquet(small_run / "metrics" / "layers.parquet")["k"].unique().tolist() == [4]


def test_more_repeats_and_other_layers_are_added_to_a_run(small_run):
    first = small_run / "variant=clean" / "repeat=0"
    shard = first / "activations" / "layer=000" / "part-00000.parquet"
    before = shard.stat().st_mtime_ns
    network = Network(model="mlp")
    dump_activations(small_run, network=network, images=Images(samples=60, repeats=3))
    assert shard.stat().st_mtime_ns == before
    assert (small_run / "variant=clean" / "repeat=2" / "nodes.parquet").exists()
    layer = Run(small_run).stage("activations")["sets"][0]["layers"][-1]["name"]
    run_stages(
        small_run,
        network=network,
        images=Images(samples=60, repeats=1),
        features=Features(layers=layer),
    )
    assert sorted(path.name for path in (first / "activations").iterdir()) == ["layer=000"]
    layers = pd.read_parquet(small_run / "metrics" / "layers.parquet")
    assert layers["layer"].tolist() == [layer]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1}, "seed was 0 and is now 1"),
        ({"samples": 50}, "samples was 60 and is now 50"),
        ({"split": "train"}, "split was 'test' and is now 'train'.*other data"),
    ],
)
def test_the_folder_of_another_run_is_refused(small_run, change, message):
    options = {"samples": 60, "repeats": 1} | change
    before = files(small_run)
    with pytest.raises(
        RunError, match=f"holds another run .*{message}.*; choose another --out, or --force"
    ):
        dump_activations(small_run, network=Network(model="mlp"), images=Images(**options))
    assert files(small_run) == before
    run_stages(
        small_run,
        network=Network(model="mlp"),
        images=Images(**options),
        work=Work(force=True),
    )
    assert Run(small_run).stage("communities")["state"] == "done"


def test_an_unfinished_run_of_other_inputs_is_refused_too(small_run):
    (small_run / "manifest.json").unlink()
    with pytest.raises(RunError, match="unfinished, of other inputs"):
        dump_activations(small_run, network=Network(model="mlp"), images=Images(samples=60, seed=5))


def test_rewiring_is_asked_for(small_run):
    before = files(small_run)
    measure_graphs(small_run, outputs=Outputs(rewirings=2))
    layers = pd.read_parquet(small_run / "metrics/layers.parquet")
    z = (layers["modularity_leiden"] - layers["leiden_null_mean"]) / layers["leiden_null_sd"]
    np.testing.assert_allclose(layers["leiden_z"], z)
    assert Run(small_run).stage("communities")["parameters"]["rewirings"] == 2
    assert Run(small_run).stage("communities")["parameters"]["permutations"] == 200
    name = Path("metrics/samples.parquet")
    samples = pd.read_parquet(small_run / name)
    assert before.keys() == files(small_run).keys()
    measure_graphs(small_run)
    assert files(small_run)[name][0] == before[name][0]
    assert len(samples) == 60


def test_graph_files_of_another_k_are_not_taken_for_these(small_run, monkeypatch):
    """Interrupted with k = 4 in the middle of exporting, then back to k = 3."""
    expected = contents(small_run)
    graph = small_run / "exports" / "clean-r0_union.graphml"
    first = graph.read_bytes()
    build_edges(small_run, neighbours=Neighbours(k=4))
    assert not graph.exists()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("pipeline.stage3_communities.draw_figures", die)
        measure_graphs(small_run)
    assert graph.read_bytes() != first
    build_edges(small_run)
    measure_graphs(small_run)
    assert graph.read_bytes() == first
    assert contents(small_run) == expected


def test_measures_of_another_k_are_not_taken_for_these(small_run, monkeypatch):
    expected = contents(small_run)
    build_edges(small_run, neighbours=Neighbours(k=4))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("pipeline.graph_sets.export_dynamic", die)
        measure_graphs(small_run)
    parts = small_run / "metrics" / ".parts"
    kept = parts.with_name("kept")
    parts.rename(kept)
    build_edges(small_run)
    kept.rename(parts)  # as if a kill had come before they were cleared
    measure_graphs(small_run)
    assert contents(small_run) == expected


def test_shards_of_another_run_are_refused(small_run, tmp_path):
    shard = "variant=clean/repeat=0/activations/layer=000/part-00000.parquet"
    other = dump_activations(
        tmp_path / "other", network=Network(model="mlp"), images=Images(samples=60, seed=9)
    )
    (small_run / shard).write_bytes((other / shard).read_bytes())
    with pytest.raises(CorruptFileError, match="is not from this run's stage 1; run stage 1"):
        build_edges(small_run, neighbours=Neighbours(k=5))


def test_a_missing_last_shard_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.dumping.PART_ROWS", 32)
    out = tmp_path / "run"
    dump_activations(out, network=Network(model="mlp"), images=Images(samples=60, repeats=1))
    (out / "variant=clean/repeat=0/activations/layer=000/part-00001.parquet").unlink()
    with pytest.raises(CorruptFileError, match=r"layer 0 .* has 32 of 60 samples .*run stage 1"):
        build_edges(out)
    dump_activations(out, network=Network(model="mlp"), images=Images(samples=60, repeats=1))
    assert build_edges(out) == out


def test_what_left_the_run_is_removed(small_run, caplog):
    network = Network(model="mlp")
    run_stages(small_run, network=network, images=Images(samples=60, repeats=2))
    run_stages(
        small_run,
        network=network,
        images=Images(samples=60, repeats=1),
        features=Features(
            layers=Run(small_run).stage("activations")["sets"][0]["layers"][0]["name"]
        ),
    )
    assert "repeat=1 is not part of this run any more" in caplog.text
    place = small_run / "variant=clean"
    assert [path.name for path in place.iterdir()] == ["repeat=0"]
    assert [path.name for path in (place / "repeat=0" / "edges").iterdir()] == ["layer=000.parquet"]
    assert not list((small_run / "exports").glob("clean-r1*"))


def test_a_forced_run_that_is_killed_while_clearing_can_be_run_again(small_run, monkeypatch):
    images = Images(samples=50, repeats=1)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("graphs.files.shutil.rmtree", die)
        dump_activations(
            small_run, network=Network(model="mlp"), images=images, work=Work(force=True)
        )
    run_stages(small_run, network=Network(model="mlp"), images=images, work=Work(force=True))
    assert Run(small_run).stage("communities")["state"] == "done"


def test_temporary_files_of_others_stay(small_run):
    dead = temporary_name("a.parquet").replace(f"-{os.getpid()}.", "-999999.")
    names = [".notes.tmp", ".notes.20241231235959.tmp", temporary_name("a.parquet"), dead]
    for name in names:
        (small_run / name).touch()
    Run(small_run).sweep()
    assert [(small_run / name).exists() for name in names] == [True, True, True, False]


def test_temporary_files_of_other_machines_stay_for_a_day(tmp_path, monkeypatch):
    with monkeypatch.context() as there:
        there.setattr("graphs.files.platform.node", lambda: "another")
        name = temporary_name("a.parquet").replace(f"-{os.getpid()}.", "-999999.")
    path = tmp_path / name
    path.touch()
    sweep(tmp_path)
    assert path.exists()
    yesterday = time.time() - 90_000
    os.utime(path, (yesterday, yesterday))
    sweep(tmp_path)
    assert not path.exists()


def test_a_changed_file_beside_the_models_own_is_another_run(tmp_path):
    factory = "from blocks import Net\n\n\ndef net():\n    return Net()\n"
    blocks = """
from torch import nn


class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
"""
    (tmp_path / "net.py").write_text(factory)
    network, images = Network(model=f"{tmp_path}/net.py:net"), Images(samples=40, repeats=1)
    (tmp_path / "blocks.py").write_text(blocks)
    dump_activations(tmp_path / "run", network=network, images=images)
    (tmp_path / "blocks.py").write_text(blocks.replace("nn.ReLU()", "nn.LeakyReLU()"))
    sys.modules.pop("blocks", None)  # a new process would read the file again
    with pytest.raises(RunError, match=r"holds another run \(other modules\)"):
        dump_activations(tmp_path / "run", network=network, images=images)
