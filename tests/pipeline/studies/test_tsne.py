"""The pictures of samples in the plane, end to end on digits."""

import json

import numpy as np
import pytest

from graphs.errors import GraphError, LayerError, ResourceError, RunError
from graphs.tables import read_frame
from pipeline.cli import main
from pipeline.options import Images, Machine, Network
from pipeline.run import run_stages
from pipeline.studies import tsne
from pipeline.studies.tsne import choose_layers, study_tsne

IMAGES = Images(samples=60, repeats=2, seed=1)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "net"
    return run_stages(out, network=Network(model="resnet8"), images=IMAGES)


@pytest.fixture(scope="module")
def study(run, tmp_path_factory):
    return study_tsne(run, out=tmp_path_factory.mktemp("study") / "tsne", perplexity=8)


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_every_sample_of_every_layer_has_a_place(run, study):
    table = read_frame(study / "metrics" / "tsne.parquet", "tsne")
    nodes = read_frame(run / "variant=clean" / "repeat=0" / "nodes.parquet", "nodes")
    assert table["layer_index"].unique().tolist() == [0, 1, 2, 3]
    for _, rows in table.groupby("layer_index"):
        for column in ("node", "sample", "label", "label_name"):
            assert rows[column].tolist() == nodes[column].tolist()
    assert np.isfinite(table[["x", "y"]].to_numpy()).all()


def test_what_is_left_behind(run, study):
    record = json.loads((study / "study.json").read_text())
    assert record["parameters"] == {
        "run": "net", "layers": [0, 1, 2, 3], "repeat": 0, "perplexity": 8, "seed": 1,
    }  # fmt: skip
    assert "in the picture the nearest neighbour is of the same class for" in record["reading"]
    layers = read_frame(run / "metrics" / "layers.parquet", "layers")
    q = layers.query("repeat == 0")["modularity"]
    picture = (study / "figures" / "tsne.svg").read_text()
    for value in q:
        assert f"Q = {value:.2f}".replace("-", "−") in picture
    assert "digits" in picture
    assert "repeat 0" in picture
    assert record["reading"].endswith("This is repeat 0; the run's table has the means of 2.")


@pytest.mark.parametrize("at", [0, 2])
def test_interrupted_and_finished(run, study, tmp_path, monkeypatch, at):
    """In one of its four layers."""
    embed, calls = tsne.embed, []

    def interrupted(*arguments, **options):
        calls.append(1)
        if len(calls) == at + 1:
            raise KeyboardInterrupt
        return embed(*arguments, **options)

    out = tmp_path / "tsne"
    with monkeypatch.context() as patch:
        patch.setattr(tsne, "embed", interrupted)
        with pytest.raises(KeyboardInterrupt):
            study_tsne(run, out=out, perplexity=8)
    assert not (out / "metrics").exists()
    again = []
    monkeypatch.setattr(tsne, "embed", lambda *a, **o: (again.append(1), embed(*a, **o))[1])
    study_tsne(run, out=out, perplexity=8)
    assert len(again) == 4 - at
    assert files(out) == files(study)
    study_tsne(run, out=out, perplexity=8)
    assert len(again) == 4 - at
    study_tsne(run, out=out, perplexity=8, layers="0,2")
    assert len(again) == 4 - at
    study_tsne(run, out=out, perplexity=9, layers="0,2")
    assert len(again) == 6 - at


def test_layers_and_repeat_by_name(run, tmp_path):
    out = study_tsne(run, out=tmp_path / "t", layers="layer3.0", repeat=1, perplexity=5)
    table = read_frame(out / "metrics" / "tsne.parquet", "tsne")
    assert table["layer"].unique().tolist() == ["layer3.0"]
    nodes = read_frame(run / "variant=clean" / "repeat=1" / "nodes.parquet", "nodes")
    assert table["sample"].tolist() == nodes["sample"].tolist()
    assert json.loads((out / "study.json").read_text())["reading"].startswith("layer3.0: Q is ")


@pytest.mark.parametrize(
    ("count", "chosen"),
    [(1, [0]), (2, [0, 1]), (6, [0, 1, 2, 3, 4, 5]), (7, [0, 1, 2, 4, 5, 6]), (51, None)],
)
def test_default_layers_are_spread_over_the_depth(count, chosen):
    found = choose_layers(None, [str(i) for i in range(count)])
    assert found == (chosen or [0, 10, 20, 30, 40, 50])
    assert (found[0], found[-1]) == (0, count - 1)


def test_layers_are_indices_or_names():
    names = ["stem", "layer1.0", "layer1.1"]
    assert choose_layers(" layer1.1, 0,0,", names) == [0, 2]
    for given, said in (
        ("layer1.2", "no layer 'layer1.2'; give indices from 0 to 2, or names; near names: layer1"),
        ("nope", "or names; no name is near; there are stem, layer1.0, layer1.1"),
        ("3", "no layer '3'"),
        ("-1", "no layer '-1'"),
        (" , ", "names no layer; give indices or names"),
    ):
        with pytest.raises(LayerError, match=said):
            choose_layers(given, names)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({}, GraphError, "perplexity 30 needs at least 92 samples, this run has 60"),
        ({"perplexity": 8, "repeat": 2}, RunError, "has no repeat 2; give --repeat 0 to 1"),
        ({"perplexity": 8, "layers": "conv9"}, LayerError, "the run has no layer 'conv9'"),
        (
            {"perplexity": 8, "machine": Machine(memory="1MiB")},
            ResourceError,
            r"t-SNE of layer 0 \(\w+\) takes .*, --memory 1MiB is less; raise --memory",
        ),
    ],
)
def test_bad_input_is_an_error_before_any_work(run, tmp_path, options, error, said):
    with pytest.raises(error, match=said):
        study_tsne(run, out=tmp_path / "t", **options)
    assert not (tmp_path / "t").exists()


def test_a_layer_that_does_not_vary_is_named(run, tmp_path, monkeypatch):
    monkeypatch.setattr(tsne, "layer_rows", lambda item, at, machine: np.ones((60, 4)))
    with pytest.raises(Exception, match=r"layer 0 \(\w+\): all samples have the same features"):
        study_tsne(run, out=tmp_path / "t", perplexity=8)


def test_the_command(run, tmp_path, capsys):
    command = ["study", "tsne", str(run), "--out", str(tmp_path / "t"), "--perplexity", "8"]
    with pytest.raises(SystemExit) as status:
        main([*command, "--layers", "0,3"])
    assert status.value.code == 0
    assert capsys.readouterr().out == f"{tmp_path / 't'}\n"
