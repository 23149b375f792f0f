"""The curve over a training."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import pipeline.studies.variants as variants_module
import pipeline.training.loop as loop_module
from graphs.errors import DataError, GraphError, LayerError, RunError, WeightsError
from graphs.tables import read_frame
from pipeline.options import Features, Images, Neighbours, Network
from pipeline.stage3_communities import measure_graphs
from pipeline.studies import passing
from pipeline.studies.dynamics import Epochs, Training, study_dynamics
from pipeline.studies.dynamics_reading import read_epochs

IMAGES = Images(samples=60, repeats=2)
NETWORK = Network(model="resnet8")


def test_a_training_is_followed(command, tmp_path):
    out = tmp_path / "study"
    status, _, err = command(
        [
            *("study", "dynamics", "--model", "resnet8", "--samples", 60, "--repeats", 2),
            *("--epochs", 3, "--batch-size", 64, "--lr", 0.05, "--out", out),
        ]
    )
    assert status == 0, err
    table = read_frame(out / "metrics/dynamics.parquet", "dynamics")
    assert table["epoch"].unique().tolist() == [0, 1, 2, 3]
    layers = read_frame(out / "metrics/layers.parquet", "layers")
    assert layers["variant"].unique().tolist() == [f"epoch-00{epoch}" for epoch in range(4)]
    means = layers.groupby(["epoch", "layer_index"])["modularity"]
    assert table["modularity"].tolist() == means.mean().tolist()
    assert table["sd"].tolist() == means.std().tolist()
    history = pd.read_csv(out / "training/history.csv")
    once = table.drop_duplicates("epoch")
    assert once["test_accuracy"].tolist()[1:] == pytest.approx(history["test_accuracy"].tolist())
    assert once["accuracy"].iloc[-1] > once["accuracy"].iloc[0]
    for _, rows in table.groupby("layer_index"):
        expected = stats.spearmanr(rows["accuracy"], rows["modularity"]).statistic
        assert rows["spearman"].tolist() == [pytest.approx(expected)] * 4
    assert "From epoch 0 to 3 accuracy goes from" in " ".join(err.split())
    assert err.count("share some") <= 1
    assert json.loads((out / "study.json").read_text())["parameters"]["trained"]
    assert not list(out.glob("runs/**/activations"))


def study(out, *, trained=None, every=1, near=None, recipe=None):
    return study_dynamics(
        out,
        network=NETWORK,
        images=IMAGES,
        epochs=Epochs(checkpoints=trained, every=every),
        neighbours=near,
        recipe=recipe or (None if trained else Training(epochs=2, batch_size=256)),
    )


@pytest.fixture(scope="module")
def followed(trained, tmp_path_factory):
    """A study of the checkpoints that there are."""
    return study(tmp_path_factory.mktemp("followed") / "study", trained=trained)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A study that trains its network itself."""
    return study(tmp_path_factory.mktemp("whole") / "study")


def test_a_folder_of_checkpoints(followed, trained, tmp_path, outputs, caplog):
    out = study(tmp_path / "a", trained=trained)
    table = read_frame(out / "metrics/dynamics.parquet", "dynamics")
    assert table["epoch"].unique().tolist() == [0, 1, 2]
    assert table["test_accuracy"].isna().tolist() == (table["epoch"] == 0).tolist()
    assert "there is no checkpoint 0: epoch 0 is an initialisation with seed 0" in caplog.text
    assert not (out / "training").exists()
    assert outputs(out) == outputs(followed)
    run = measure_graphs(out / "runs/epoch-002")  # without the activations
    assert list(run.glob("exports/*.graphml"))
    last = read_frame(run / "metrics/layers.parquet", "layers")["modularity"]
    layers = read_frame(out / "metrics/layers.parquet", "layers")
    assert layers.loc[layers["epoch"] == 2, "modularity"].tolist() == last.tolist()


def test_many_layers_are_not_all_named():
    rows = [
        {"epoch": e, "accuracy": e / 6, "layer_index": i, "layer": f"l{i}", "modularity": e / 15}
        for e in range(6)
        for i in range(8)
    ]
    told = read_epochs(pd.DataFrame(rows))
    assert "Over 6 epochs Q of 8 of 8 layers follows it" in told
    assert "l0, l1, l2, l3, l4, l5 and 2 more. The first layer, l0, moves: its Q by 0.33" in told


def test_another_k_needs_the_activations_again(followed, trained, tmp_path, outputs):
    shutil.copytree(followed, tmp_path / "a")
    study(tmp_path / "a", trained=trained, near=Neighbours(k=5))
    study(tmp_path / "b", trained=trained, near=Neighbours(k=5))
    assert outputs(tmp_path / "a") == outputs(tmp_path / "b")


def test_what_is_refused_leaves_a_finished_study_as_it_was(
    followed, trained, tmp_path, monkeypatch
):
    out = shutil.copytree(followed, tmp_path / "study")
    before = {path: path.read_bytes() for path in out.rglob("*.json")}
    with pytest.raises(RunError, match="epoch-000 holds another run .*samples was 60 and is now 5"):
        study_dynamics(
            out,
            network=NETWORK,
            images=replace(IMAGES, samples=50),
            epochs=Epochs(checkpoints=trained),
        )
    assert {path: path.read_bytes() for path in out.rglob("*.json")} == before
    assert json.loads((out / "study.json").read_text())["state"] == "done"

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(variants_module, "build_edges", interrupted)
    study(out, trained=trained)  # nothing is measured again
    with pytest.raises(KeyboardInterrupt):
        study(out, trained=trained, near=Neighbours(k=5))
    assert json.loads((out / "study.json").read_text())["state"] == "begun"
    measured = sorted(path.parent.name for path in out.glob("variants/*/done.json"))
    assert measured == ["epoch-001", "epoch-002"]


def test_thinned(trained, tmp_path):
    out = study(tmp_path / "study", trained=trained, every=2)
    assert len(list((out / "runs").iterdir())) == 2


@pytest.mark.parametrize(
    ("module", "function", "moment"),
    [(loop_module, "run_epoch", 2), (variants_module, "build_edges", 2)],
)
def test_interrupted_and_run_again(whole, tmp_path, monkeypatch, outputs, module, function, moment):
    calls = []
    original = getattr(module, function)

    def interrupted(*args, **kwargs):
        calls.append(1)
        if len(calls) == moment:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    monkeypatch.setattr(module, function, interrupted)
    with pytest.raises(KeyboardInterrupt):
        study(tmp_path / "again")
    study(tmp_path / "again")
    assert outputs(tmp_path / "again") == outputs(whole)
    # nothing was done twice: 2 epochs, or 3 measured networks, and the call that failed
    assert len(calls) == {"run_epoch": 2, "build_edges": 3}[function] + 1


def test_what_cannot_be_followed_is_an_error_before_the_training(trained, tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.studies.dynamics.train_epochs", None)
    out, options = tmp_path / "study", {"network": NETWORK}
    with pytest.raises(GraphError, match="k=60 needs at least 61 samples"):
        study_dynamics(out, images=IMAGES, neighbours=Neighbours(k=60), **options)
    with pytest.raises(DataError, match="9000"):
        study_dynamics(out, images=Images(samples=9000), **options)
    with pytest.raises(LayerError, match="conv9"):
        study_dynamics(out, features=Features(layers="conv9"), **options)
    with pytest.raises(RunError, match="--every 0 keeps no epoch"):
        study_dynamics(out, epochs=Epochs(every=0), **options)
    with pytest.raises(RunError, match="is done: --epochs, --lr would not be read; leave"):
        study(out, trained=trained, recipe=Training(epochs=2, lr=0.1))
    assert not out.exists()


def test_another_training_is_refused(whole, tmp_path):
    out = shutil.copytree(whole, tmp_path / "study")
    with pytest.raises(RunError, match="belongs to another training: lr was 0.01, now 0.1"):
        study(out, recipe=Training(epochs=2, batch_size=256, lr=0.1))


def test_a_damaged_checkpoint_is_named(whole, tmp_path):
    out = shutil.copytree(whole, tmp_path / "study")
    damaged = out / "training" / "epoch-001.pt"
    damaged.write_bytes(damaged.read_bytes()[:3000])
    with pytest.raises(WeightsError, match=r"epoch-001\.pt is not a whole file .*; --force trains"):
        study(out)
    damaged.unlink()
    with pytest.raises(WeightsError, match=r"epoch-001\.pt does not exist; --force trains"):
        study(out)


@pytest.mark.parametrize("last", [0.5, 0.4])
def test_a_sentence_where_accuracy_does_not_rise(last):
    rows = {"epoch": [0, 1, 2], "accuracy": [0.5, 0.3, last], "layer_index": 0, "layer": "fc"}
    told = read_epochs(pd.DataFrame(rows).assign(modularity=[0.5, 0.3, last]))
    assert told.startswith(
        f"From epoch 0 to 2 accuracy goes from 0.50 to {last:.2f}: it does not rise, so there is "
        "nothing for Q to follow. The first layer, fc, moves"
    )
    assert "follows it" not in told


def test_a_sentence_without_accuracy():
    rows = {"epoch": [0, 1], "accuracy": np.nan, "layer_index": 0, "layer": "fc"}
    told = read_epochs(pd.DataFrame(rows).assign(modularity=[0.1, 0.12]))
    assert told == (
        "From epoch 0 to 1 no accuracy is known: the network gives no logits. The first layer, "
        "fc, stays: its Q by 0.02, from 0.10 to 0.12; the last, fc, goes from 0.10 to 0.12."
    )


def test_tables_of_another_setting_that_was_killed_are_not_taken(tmp_path, monkeypatch):
    """k = 3, then k = 5 killed after its first tables, then k = 3 again."""
    options = {
        "network": Network(model="resnet8"),
        "images": Images(samples=60, repeats=1),
        "recipe": Training(epochs=1, batch_size=64),
    }
    out = study_dynamics(tmp_path / "s", neighbours=Neighbours(k=3), **options)
    wanted = (out / "metrics" / "layers.parquet").read_bytes()

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(passing, "write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            study_dynamics(out, neighbours=Neighbours(k=5), **options)
    study_dynamics(out, neighbours=Neighbours(k=3), **options)
    assert (out / "metrics" / "layers.parquet").read_bytes() == wanted


def test_a_layer_follows_from_0_8_on_if_it_moves():
    # ranks of 9 with 24 as the sum of squares: 1 - 6 * 24 / (9 * 80) = 0.8
    order = [3, 2, 1, 0, 5, 4, 7, 6, 8]
    rows = {"epoch": range(9), "accuracy": [0.1 * (epoch + 1) for epoch in range(9)]}
    parts = [
        pd.DataFrame(rows | {"layer_index": at, "layer": name, "modularity": q})
        for at, (name, q) in enumerate({"still": [0.5 + 0.001 * rank for rank in order],
                                        "deep": [0.1 * rank for rank in order]}.items())
    ]  # fmt: skip
    said = read_epochs(pd.concat(parts))
    assert (
        "Over 9 epochs Q of 1 of 2 layers follows it (rank correlation 0.80 or more): deep" in said
    )


@pytest.mark.parametrize(
    ("epochs", "said"),
    [
        (2, "2 epochs are too few to say which layers follow it. The first"),
        (3, "3 epochs are too few to say which layers follow it; the rank correlation of Q with it "
            "goes from -1.00 (stem) to 1.00 (fc). The first"),
        (5, "5 epochs are too few to say which layers follow it; the rank correlation"),
        (6, "Over 6 epochs Q of 1 of 2 layers follows it (rank correlation 0.80 or more): fc."),
    ],
)  # fmt: skip
def test_a_layer_is_said_to_follow_from_six_epochs_on(epochs, said):
    """Of 3 or 4 epochs, a layer that has nothing to do with accuracy reaches 0.8 in 1 of 6."""
    rising = [0.1 * (epoch + 1) for epoch in range(epochs)]
    rows = {"epoch": range(epochs), "accuracy": rising}
    parts = [
        pd.DataFrame(rows | {"layer_index": at, "layer": layer, "modularity": q})
        for at, (layer, q) in enumerate({"stem": rising[::-1], "fc": rising}.items())
    ]
    told = read_epochs(pd.concat(parts))
    assert f"{rising[-1]:.2f}. {said}" in told
    assert ("follows it" in told) == (epochs >= 6)
