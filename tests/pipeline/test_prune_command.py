"""From a plan to the smaller network, on digits: whole, interrupted, refused."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

from graphs.proportions import wilson_interval
from graphs.tables import read_frame
from pipeline.api import analyze
from pipeline.data import load_data
from pipeline.models import load_model
from pipeline.models.weights import read_state_dict
from pipeline.pruning import latency
from pipeline.pruning.parts import find_parts, find_stages
from pipeline.pruning.plan import Plan, write_plan
from pipeline.pruning.profile import count_macs, count_parameters
from pipeline.pruning.surgery import remove_parts
from pipeline.training import Recipe, evaluate, train

SHAPE = (1, 8, 8)
QUICK = ("--epochs", 1, "--no-progress")


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """Time nothing for long."""
    monkeypatch.setattr(latency, "ROUND_SECONDS", 1e-4)


def make_plan(model, weights, *, removed, surgery="identity", **changes):
    network = load_model(str(model), weights=str(weights), input_shape=SHAPE)
    parts = find_parts(network, SHAPE)
    kept = [part.name for part in parts if part.name not in removed]
    sizes = [len(stage) for stage in find_stages(parts)]
    plan = Plan(
        model=str(model),
        weights=str(weights),
        classes=10,
        input_shape=list(SHAPE),
        dataset={
            "dataset": "digits", "data": None, "split": "test", "normalize": "auto",
            "image_size": None,
        },
        rule="increment",
        surgery=surgery,
        kept=kept,
        removed=list(removed),
        stages=sizes,
        stages_before=sizes,
        protected={},
        params_before=0,
        params_after=0,
        macs_before=0,
        macs_after=0,
        layers=[
            {
                "index": part.index, "name": part.name, "score": float(part.index),
                "shape": list(part.shape), "parameters": part.parameters, "macs": part.macs,
            }
            for part in parts
        ],
    )  # fmt: skip
    return replace(plan, **changes)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Weights of a network that knows the digits a little."""
    out = tmp_path_factory.mktemp("training")
    model = load_model("resnet14", input_shape=SHAPE)
    recipe = Recipe(epochs=2, batch_size=64, lr=0.05, milestones=(1,), weight_decay=5e-4)
    data = [load_data("digits", split=split) for split in ("train", "test")]
    return train(model, *data, out=out, recipe=recipe).weights


@pytest.fixture(scope="module")
def plan(weights, tmp_path_factory):
    path = tmp_path_factory.mktemp("plan") / "plan.json"
    return write_plan(make_plan("resnet14", weights, removed=("layer1.1", "layer3.1")), path)


def steady(folder):
    """Return the bytes of every file that no clock has written into."""
    skipped = ("history.csv", "prune.json", "prune.parquet", "model.pt2", "last.pt")
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in skipped and "costs" not in path.name
    }


@pytest.fixture(scope="module")
def whole(plan, tmp_path_factory):
    """Return the folder of an undisturbed run, its files exported."""
    from pipeline.prune_command import prune_network
    from pipeline.pruning.tuning import Tuning

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latency, "ROUND_SECONDS", 1e-4)
        out = tmp_path_factory.mktemp("whole") / "out"
        assert prune_network(plan, out, tuning=Tuning(epochs=1)) == out
    return out


def test_what_is_written(whole, weights):
    table = read_frame(whole / "metrics" / "prune.parquet", "prune")
    assert table["state"].tolist() == ["original", "surgery", "tuned"]
    assert table["step"].tolist() == [0, 1, 1]
    assert table["removed"].tolist() == ["", *["layer1.1,layer3.1"] * 2]
    test = load_data("digits")
    before = load_model("resnet14", weights=weights, input_shape=SHAPE)
    after = load_model(str(whole / "model.pt"))
    for row, model in ((table.iloc[0], before), (table.iloc[2], after)):
        assert row["accuracy"] == evaluate(model, test) == row["correct"] / len(test)
        assert tuple(row[["accuracy_low", "accuracy_high"]]) == wilson_interval(
            row["correct"], row["images"]
        )
        assert row["parameters"] == count_parameters(model)
        assert row["macs"] == count_macs(model, SHAPE).total
        assert 0 < row["seconds_1_low"] <= row["seconds_1"] <= row["seconds_1_high"]
    assert table["speedup_64"].tolist() == [1.0, *[table["speedup_64"][1]] * 2]
    assert table["accuracy"][1] < table["accuracy"][2]
    copies = read_frame(whole / "copies.parquet", "copies")
    assert copies["tensor"].tolist() == list(after.state_dict())
    assert set(copies["state"]) == {"kept"}
    record = json.loads((whole / "prune.json").read_text())
    assert (record["stratagraph"], record["state"]) == ("prune/1", "done")
    assert record["exports"].keys() == {"model.pt2", "model.onnx"}
    assert all(value <= 1e-4 for found in record["exports"].values() for value in found.values())
    assert record["states"][2]["accuracy"] == table["accuracy"][2]


def test_again_nothing_is_done_twice(whole, plan, tmp_path, command, monkeypatch):
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    monkeypatch.setattr("pipeline.pruning.steps.train", None)
    monkeypatch.setattr("pipeline.pruning.steps.measure_costs", None)
    status, said, notes = command(["prune", plan, out, *QUICK])
    assert (status, said.strip()) == (0, str(out))
    assert f"{out} is done" in notes
    assert "The tuned network's accuracy is" in notes
    lines = notes.replace(str(out), "OUT").splitlines()
    assert max(map(len, lines)) <= 80
    assert steady(out) == steady(whole)


@pytest.mark.parametrize("writes", [1, 3, 5, 7, 9, 11])
def test_interrupted_and_run_again(whole, plan, tmp_path, command, monkeypatch, writes):
    out, left = tmp_path / "out", [writes]
    own = Path.replace

    def die(self, target):
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return own(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", die)
        assert command(["prune", plan, out, *QUICK, "--no-export"])[0] == 130
    assert json.loads((out / "prune.json").read_text())["state"] == "begun" if writes > 1 else True
    assert command(["prune", plan, out, *QUICK, "--no-export"])[0] == 0
    expected = {k: v for k, v in steady(whole).items() if "onnx" not in k and "export" not in k}
    assert steady(out) == expected


@pytest.mark.slow
def test_killed_and_run_again(whole, plan, tmp_path, command):
    out = tmp_path / "out"
    argv = ["prune", str(plan), str(out), *map(str, QUICK), "--no-export"]
    child = subprocess.Popen([sys.executable, "-m", "pipeline.cli", *argv])
    while not (out / "tuning" / "last.pt").exists() and child.poll() is None:
        time.sleep(0.005)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert command(argv)[0] == 0
    assert (out / "model.pt").read_bytes() == (whole / "model.pt").read_bytes()
    assert not list(out.rglob(".*.tmp"))


def test_layer_by_layer(weights, tmp_path, command):
    path, out = tmp_path / "plan.json", tmp_path / "out"
    dataset = {"samples": 60, "repeats": 2, "k": 4}
    good = make_plan("resnet14", weights, removed=("layer1.1", "layer3.1"))
    write_plan(replace(good, dataset=good.dataset | dataset), path)
    argv = ["prune", path, out, *QUICK, "--no-export", "--iterative"]
    status, _, notes = command(argv)
    assert status == 0
    assert "tuned 2" in notes
    table = pd.read_parquet(out / "metrics" / "prune.parquet")
    assert table["step"].tolist() == [0, 1, 1, 2, 2]
    assert table["parameters"].is_monotonic_decreasing
    # the lowest of the plan's scores that can go; then what adds least to Q of the tuned network
    original = load_model("resnet14", weights=weights, input_shape=SHAPE)
    parts = find_parts(original, SHAPE)
    first = remove_parts(original, parts, ["layer1.0"], input_shape=SHAPE).model
    first.load_state_dict(read_state_dict(out / "tuning" / "01" / "weights.pt"))
    found = analyze(first, load_data("digits"), samples=60, repeats=2, k=4)
    curve = found.layers.groupby("layer")["modularity"].mean()
    gains = {name: curve[name] - curve[name[:-1] + "0"] for name in ("layer2.1", "layer3.1")}
    second = min(gains, key=gains.get)
    assert table["removed"].tolist() == ["", *["layer1.0"] * 2, *[second] * 2]
    before = steady(out)
    shutil.rmtree(out / "tuning" / "02")
    (out / "done" / "02-tuned.json").unlink()
    (out / "model.pt").unlink()
    assert command(argv)[0] == 0
    assert steady(out) == before
    accuracy = evaluate(load_model(str(out / "model.pt")), load_data("digits"))
    assert accuracy == table["accuracy"].iloc[-1]


def test_depth_surgery_and_a_teacher(weights, tmp_path, command):
    path = tmp_path / "plan.json"
    write_plan(make_plan("resnet14", weights, removed=("layer2.0",), surgery="depth"), path)
    out = tmp_path / "out"
    argv = ["prune", path, out, *QUICK, "--no-export", "--distill", 0.5]
    assert command(argv)[0] == 0
    copies = read_frame(out / "copies.parquet", "copies")
    assert set(copies["state"]) == {"kept", "copied", "initialised"}
    load_model(str(out / "model.pt"))
    status, _, notes = command([*argv[:-1], 0.25])
    assert status == 1
    assert "holds another pruned network: distill was 0.5, now 0.25; choose another" in notes
    assert command([*argv, "--iterative"])[0] == 1


def test_a_pruned_network_is_pruned_again(whole, tmp_path, command):
    path, out = tmp_path / "plan.json", tmp_path / "out"
    model = whole / "model.pt"
    write_plan(make_plan(model, "random", removed=("layer2.1",)), path)
    assert command(["prune", path, out, *QUICK, "--no-export"])[0] == 0
    about = torch.load(out / "model.pt", weights_only=True)["architecture"]
    assert about["model"] == "resnet14"
    assert about["removed"] == (("layer1.1", "layer3.1"), ("layer2.1",))
    assert evaluate(load_model(str(out / "model.pt")), load_data("digits")) > 0.5


def test_tuning_that_harms_is_said(plan, tmp_path, command):
    argv = ["prune", plan, tmp_path / "out", *QUICK, "--no-export", "--weight-decay", 0.9]
    status, _, notes = command([*argv, "--lr", 0.2])
    assert status == 0
    assert "note: tuning lowered the accuracy: try a lower --lr, or more --epochs" in notes


def test_without_the_extra_the_rest_is_done(plan, tmp_path, command, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    status, _, notes = command(["prune", plan, tmp_path / "out", *QUICK])
    assert status == 0
    assert "note: no model.onnx: ONNX files need more packages" in notes
    assert ".[onnx]" in notes
    assert (tmp_path / "out" / "model.pt2").exists()
    assert not (tmp_path / "out" / "model.onnx").exists()


def refused(command, argv):
    status, _, notes = command(["prune", *argv, "--no-export", "--no-progress"])
    assert status == 1
    return notes


def test_another_folder_is_left_alone(whole, plan, tmp_path, command):
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    before = steady(out)
    said = refused(command, [plan, out, "--epochs", 2])
    assert (
        "holds another pruned network: epochs was 1, now 2; milestones was 1, now 2; choose" in said
    )
    assert steady(out) == before
    assert command(["prune", plan, out, "--epochs", 2, "--no-export", "--force"])[0] == 0
    assert not (out / "model.onnx").exists()
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("mine")
    assert "holds files that are no pruned network" in refused(command, [plan, other])
    assert "thesis.tex cannot be written to" in refused(command, [plan, other / "thesis.tex"])
    (other / "prune.json").write_text("{}")
    assert "prune.json is not of the form prune/1" in refused(command, [plan, other])
    assert (other / "thesis.tex").read_text() == "mine"


def test_bad_input_is_said_before_any_work(weights, plan, tmp_path, command):
    out, path = tmp_path / "out", tmp_path / "plan.json"
    good = make_plan("resnet14", weights, removed=("layer1.1",))
    cases = [
        (replace(good, dataset={}), [], "plan names no images: .*; give --dataset and --data"),
        (replace(good, model="vgg8"), [], "does not fit"),
        (replace(good, input_shape=[3, 32, 32]), [], r"of shape \(3, 32, 32\), these are \(1, 8"),
        (replace(good, weights="gone.pt"), [], "weights file gone.pt does not exist"),
        (good, ["--weights", "gone.th"], "weights file gone.th does not exist"),
        (good, ["--distill", 2], "weight of 2 is not possible"),
        (good, ["--epochs", 0], "epochs=0 is not possible"),
        (replace(good, layers=good.layers[:3]), [], "does not say of each layer whether"),
    ]
    for bad, options, message in cases:
        write_plan(bad, path)
        assert re.search(message, refused(command, [path, out, *options]))
    assert "there is no plan" in refused(command, [tmp_path / "none.json", out])
    assert not out.exists()


def test_one_file_cannot_be_both_splits(weights, bad_file, tmp_path, command):
    path = tmp_path / "plan.json"
    images = bad_file("good.npz")
    dataset = {"dataset": "arrays", "data": str(images), "split": "test", "normalize": "auto"}
    bad = make_plan("resnet14", weights, removed=("layer1.1",), dataset=dataset)
    write_plan(bad, path)
    said = refused(command, [path, tmp_path / "out"])
    assert "training and test images are the same" in said
    assert "give --data a folder with both splits" in said
