"""Trained against untrained."""

import json
import shutil
import weakref

import pytest

import pipeline.studies.variants as variants_module
from graphs.errors import ModelError
from graphs.tables import read_frame
from pipeline.models import load_model
from pipeline.models.weights import read_state_dict
from pipeline.options import Images, Network
from pipeline.studies import untrained
from pipeline.studies.epochs import initial_model
from pipeline.studies.untrained import Untrained, study_random
from pipeline.training.checkpoints import digest_state

IMAGES = Images(samples=60, repeats=2)


def study(out, trained, *, seeds=2, network=None):
    return study_random(
        out,
        network=network or Network(model="resnet8", weights=str(trained / "weights.pt")),
        images=IMAGES,
        untrained=Untrained(seeds=seeds),
    )


@pytest.fixture(scope="module")
def whole(trained, tmp_path_factory):
    """A trained network and two untrained, undisturbed."""
    return study(tmp_path_factory.mktemp("whole") / "study", trained)


def test_a_trained_network_and_two_untrained(command, trained, tmp_path):
    out = tmp_path / "study"
    status, _, err = command(
        [
            *("study", "random", "--model", "resnet8", "--weights", trained / "weights.pt"),
            *("--samples", 60, "--repeats", 2, "--seeds", 2, "--out", out),
        ]
    )
    assert status == 0, err
    table = read_frame(out / "metrics/random.parquet", "random")
    assert table["variant"].tolist() == ["trained", "random-0", "random-1"]
    assert table["seed"].isna().tolist() == [True, False, False]
    assert table["seed"].tolist()[1:] == [0, 1]
    layers = read_frame(out / "metrics/layers.parquet", "layers")
    for name, rows in layers.groupby("variant", sort=False):
        mean = rows.groupby("layer_index")["modularity"].mean()
        found = table.set_index("variant").loc[name]
        assert found["range"] == pytest.approx(mean.max() - mean.min())
        assert found["last_q"] == pytest.approx(mean.iloc[-1])
    a, b = (read_state_dict(out / f"weights/random-{seed}.pt") for seed in range(2))
    assert not a["conv1.weight"].equal(b["conv1.weight"])
    assert "over depth (2 seeds), that of the trained one" in " ".join(err.split())
    assert json.loads((out / "study.json").read_text())["state"] == "done"
    assert not list(out.glob("runs/**/activations"))
    assert list(out.glob("runs/trained/variant=clean/repeat=1/edges/*.parquet"))


def test_interrupted_and_run_again(whole, trained, tmp_path, monkeypatch, outputs):
    calls = []
    build = variants_module.build_edges

    def interrupted(*args, **kwargs):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return build(*args, **kwargs)

    monkeypatch.setattr(variants_module, "build_edges", interrupted)
    with pytest.raises(KeyboardInterrupt):
        study(tmp_path / "again", trained)
    assert not (tmp_path / "again/metrics").exists()
    study(tmp_path / "again", trained)
    assert len(calls) == 4  # trained is not measured again
    assert outputs(tmp_path / "again") == outputs(whole)
    study(tmp_path / "again", trained)
    assert len(calls) == 4
    study(tmp_path / "again", trained, seeds=3)
    assert len(calls) == 5
    assert len(read_frame(tmp_path / "again/metrics/random.parquet", "random")) == 4


def test_a_damaged_table_is_measured_again(whole, trained, tmp_path, outputs):
    out = shutil.copytree(whole, tmp_path / "study")
    (out / "variants/random-0/layers.parquet").write_bytes(b"PAR1")
    study(out, trained)
    assert outputs(out) == outputs(whole)


def test_what_cannot_be_compared_is_an_error(trained, tmp_path):
    with pytest.raises(ModelError, match="resnet8 with --weights random is untrained itself"):
        study(tmp_path / "study", trained, network=Network(model="resnet8"))
    with pytest.raises(ModelError, match="--seeds 0 draws no network; give at least 1"):
        study(tmp_path / "study", trained, seeds=0)
    fixed = tmp_path / "fixed.py"
    fixed.write_text(
        "from torch import manual_seed, nn\n\n\ndef net():\n    manual_seed(0)\n"
        "    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), "
        "nn.Linear(144, 10))\n"
    )
    with pytest.raises(ModelError, match="has the same weights with different seeds"):
        study(tmp_path / "study", trained, network=Network(model=f"{fixed}:net"))
    assert not (tmp_path / "study").exists()


def test_one_network_is_held_at_a_time(trained, tmp_path, monkeypatch):
    drawn, alive = [], []

    def draw(*arguments, **options):
        alive.append(sum(model() is not None for model in drawn))
        model = initial_model(*arguments, **options)
        drawn.append(weakref.ref(model))
        return model

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(untrained, "initial_model", draw)
    monkeypatch.setattr(untrained, "measure_passing", stop)
    with pytest.raises(KeyboardInterrupt):
        study(tmp_path / "study", trained, seeds=3)
    assert len(list((tmp_path / "study/weights").glob("random-*.pt"))) == 3
    assert set(alive) == {0}


def test_initialisations_are_those_of_load_model(whole):
    shape = (1, 8, 8)
    for seed in range(2):
        expected = load_model("resnet8", input_shape=shape, seed=seed)
        found = load_model(
            "resnet8", input_shape=shape, weights=whole / f"weights/random-{seed}.pt", seed=9
        )
        assert digest_state(found) == digest_state(expected)


@pytest.mark.slow
@pytest.mark.data
def test_untrained_networks_stay_flat_on_real_images(data_folder, tmp_path):
    """One of the published laws, on ResNet20 and exact CIFAR-10 images."""
    out = study_random(
        tmp_path / "study",
        network=Network(
            model="resnet20", weights=str(data_folder / "weights/resnet20-12fca82f.th")
        ),
        images=Images(
            dataset="parquet",
            data=data_folder / "cifar10-exact/test.parquet",
            normalize="imagenet",
            samples=500,
            repeats=1,
        ),
        untrained=Untrained(seeds=1),
    )
    table = read_frame(out / "metrics/random.parquet", "random").set_index("variant")
    assert table.loc["trained", "range"] > 0.6
    assert table.loc["random-0", "range"] < 0.15
    assert table.loc["trained", "spearman"] > 0.8
