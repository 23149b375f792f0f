"""The study of attacked images, end to end on digits."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from graphs.errors import DataError, GraphError, ModelError, RunError
from graphs.tables import read_frame
from pipeline import analyze
from pipeline.data import load_data
from pipeline.models import load_model
from pipeline.options import Images, Neighbours, Network, Work
from pipeline.studies import variants
from pipeline.studies.adversarial import study_adversarial
from pipeline.studies.attacks import batches
from pipeline.studies.attacks.batches import Found
from pipeline.studies.attacks.options import Attacking, Victims
from pipeline.studies.attacks.pairs import make_pair, variants_of, write_pair
from pipeline.studies.folder import StudyFolder
from pipeline.studies.variants import Variant

MODEL = f"{Path(__file__).parent / 'attacks' / 'networks.py'}:nearest_mean"
ATTACKING = Attacking(attacks="fgsm,pgd", successes=20, eps=0.5, step=0.1, iterations=5)


def study(out, *, attacking=ATTACKING, model=MODEL, victims=None, **options):
    return study_adversarial(
        out, network=Network(model=model), victims=victims, attacking=attacking, **options
    )


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "runs" not in path.relative_to(folder).parts
    }


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return study(tmp_path_factory.mktemp("study") / "adversarial")


def test_the_curves_are_those_of_the_saved_images(done):
    layers = read_frame(done / "metrics" / "layers.parquet", "layers")
    assert layers["variant"].unique().tolist() == [
        "fgsm-clean", "fgsm", "pgd-clean", "pgd",
    ]  # fmt: skip
    for name in ("fgsm", "pgd"):
        for state in ("clean", "attacked"):
            path = done / "attacks" / name / f"{state}.npz"
            found = analyze(
                MODEL, load_data("arrays", path=path), samples=20, repeats=1, sampling="sequential"
            )
            rows = layers[(layers["attack"] == name) & (layers["state"] == state)]
            assert rows["modularity"].tolist() == found.layers["modularity"].tolist()


def test_clean_images_are_right_and_attacked_ones_wrong(done):
    model, digits = load_model(MODEL), load_data("digits")
    originals = {image.tobytes() for image in digits.images(np.arange(len(digits))).numpy()}
    for name in ("fgsm", "pgd"):
        pair = [
            load_data("arrays", path=done / "attacks" / name / f"{state}.npz")
            for state in ("clean", "attacked")
        ]
        clean, attacked = (data.images(np.arange(20)) for data in pair)
        labels = pair[0].labels
        assert labels.tolist() == pair[1].labels.tolist()
        assert pair[1].label_names == digits.label_names
        assert (model(clean).argmax(dim=1).numpy() == labels).all()
        assert (model(attacked).argmax(dim=1).numpy() != labels).all()
        assert all(image.tobytes() in originals for image in clean.numpy())


def test_the_table_the_figures_and_the_record(done):
    table = read_frame(done / "metrics" / "adversarial.parquet", "adversarial")
    layers = pd.read_parquet(done / "metrics" / "layers.parquet")
    last = layers[layers["layer_index"] == layers["layer_index"].max()].set_index("variant")
    assert table["attack"].tolist() == ["fgsm", "pgd"]
    for row in table.itertuples():
        assert row.last_layer_clean == last["modularity"][f"{row.attack}-clean"]
        assert row.last_layer_attacked == last["modularity"][row.attack]
        assert row.success_rate == row.succeeded / row.attempted
        assert row.n_nodes == 20 <= row.succeeded
    lower = (table["last_layer_attacked"] < table["last_layer_clean"]).sum()
    assert table["mean_linf"][0] == pytest.approx(0.5)
    record = json.loads((done / "study.json").read_text())
    assert (record["study"], record["state"]) == ("adversarial", "done")
    assert f"lower after the attack than before in {lower} of 2 attacks" in record["reading"]
    assert {path.name for path in (done / "figures").iterdir()} == {
        f"adversarial{part}.{kind}" for part in ("", "-images") for kind in ("png", "svg")
    }


@pytest.mark.parametrize(
    ("module", "name", "at"), [(batches, "craft", 1), (variants, "build_edges", 2)]
)
def test_interrupted_and_finished(done, tmp_path, monkeypatch, module, name, at):
    calls, whole = [], getattr(module, name)

    def interrupted(*arguments, **options):
        calls.append(1)
        if len(calls) == at + 1:
            raise KeyboardInterrupt
        return whole(*arguments, **options)

    monkeypatch.setattr(module, name, interrupted)
    with pytest.raises(KeyboardInterrupt):
        study(tmp_path / "out")
    assert not (tmp_path / "out" / "metrics" / "adversarial.parquet").exists()
    study(tmp_path / "out")
    found, wanted = files(tmp_path / "out"), files(done)
    assert found.keys() == wanted.keys()
    different = [path for path in wanted if found[path] != wanted[path]]
    assert different == []


def test_a_study_that_is_done_does_nothing_again(done, monkeypatch):
    before = files(done)
    monkeypatch.setattr(batches, "craft", None)
    monkeypatch.setattr(variants, "build_edges", None)
    study(done)
    assert files(done) == before


def test_more_successes_and_another_k_in_the_same_folder(tmp_path):
    few = Attacking(attacks="fgsm", successes=10, eps=0.5)
    out = study(tmp_path / "out", attacking=few)
    more = Attacking(attacks="fgsm", successes=15, eps=0.5)
    study(out, attacking=more, neighbours=Neighbours(k=4))
    layers = pd.read_parquet(out / "metrics" / "layers.parquet")
    assert layers["n_nodes"].unique().tolist() == [15]
    assert layers["k"].unique().tolist() == [4]
    fresh = study(tmp_path / "fresh", attacking=more, neighbours=Neighbours(k=4))
    kept = {path for path in files(fresh) if path.startswith(("attacks", "metrics"))}
    assert {path: files(out)[path] for path in kept} == {path: files(fresh)[path] for path in kept}


def test_other_images_remove_the_runs_over_those_before(tmp_path):
    data, folder = load_data("digits"), StudyFolder(tmp_path / "out", "adversarial")
    base = Variant(name="base", run="base", network=Network(model=MODEL), images=Images())
    for wanted in (4, 6):
        samples = np.arange(6)
        found = Found(attempted=6, samples=samples, pixels=1 - data.images(samples).numpy())
        pair = make_pair("fgsm", found, data, wanted=wanted)
        runs = [
            folder.run(variant.run)
            for variant in variants_of(pair, write_pair(pair, folder, data), base=base, data=data)
        ]
        assert [run.name for run in runs] == ["fgsm-clean", "fgsm"]
        assert not any(run.exists() for run in runs)
        for run in runs:
            run.mkdir(parents=True)
    write_pair(pair, folder, data)  # the same images: their runs stay
    assert all(run.exists() for run in runs)


def test_attacks_that_are_not_asked_for_again_are_named(tmp_path, caplog):
    both = Attacking(attacks="fgsm,pgd", successes=10, eps=0.5, step=0.1, iterations=5)
    out = study(tmp_path / "out", attacking=both)
    with caplog.at_level("INFO"):
        study(out, attacking=Attacking(attacks="fgsm", successes=10, eps=0.5))
    assert "not in tables and figure this time: PGD, which --attacks does not name" in caplog.text
    assert (out / "attacks" / "pgd" / "attacked.npz").exists()


def test_another_network_is_refused_and_nothing_is_lost(tmp_path):
    one = Attacking(attacks="fgsm", successes=10, eps=0.5)
    out = study(tmp_path / "out", attacking=one)
    before = files(out)
    with pytest.raises(RunError, match="holds a study of other runs or with other options"):
        study(out, model="resnet8", attacking=Attacking(attacks="pgd", successes=10))
    assert files(out) == before


def test_force_attacks_again(tmp_path, monkeypatch):
    one = Attacking(attacks="fgsm", successes=10, eps=0.5)
    out = study(tmp_path / "out", attacking=one)
    before, calls, craft = files(out), [], batches.craft
    monkeypatch.setattr(batches, "craft", lambda *a, **o: (calls.append(1), craft(*a, **o))[1])
    study(out, attacking=one, work=Work(force=True))
    assert calls
    assert files(out) == before


def test_an_attack_with_too_few_images_is_left_out_and_said(tmp_path, caplog):
    weak = Attacking(attacks="fgsm,localsearch", successes=20, eps=0.5, r=1.0)
    out = study(tmp_path / "out", attacking=weak)
    assert "Local Search is left out: it changed 0 images; a graph with k=3" in caplog.text
    reading = json.loads((out / "study.json").read_text())["reading"]
    assert "Too few images for a graph: Local Search (changed 0 of " in reading
    table = pd.read_parquet(out / "metrics" / "adversarial.parquet")
    assert table["n_nodes"].tolist() == [20, 0]
    assert table["last_layer_clean"].isna().tolist() == [False, True]
    with pytest.raises(GraphError, match="no attack changed more than k=3 images"):
        weak = Attacking(attacks="localsearch", successes=20, r=1.0)
        study(tmp_path / "none", attacking=weak)


def test_a_residual_network(tmp_path):
    one = Attacking(attacks="fgsm", successes=10)
    out = study(tmp_path / "out", attacking=one, model="resnet8")
    layers = pd.read_parquet(out / "metrics" / "layers.parquet")
    assert layers["layer"].nunique() == 4


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"attacking": Attacking(attacks="deepfool")}, DataError, "'deepfool' is unknown"),
        ({"attacking": Attacking(successes=3)}, DataError, "k=3 needs at least 4 images"),
        (
            {"attacking": Attacking(attacks="onepixel", pixels=65)},
            DataError,
            "--pixels 65 is more than the 64 of an image; give 1 to 64",
        ),
        ({"victims": Victims(seed=-1)}, DataError, "seed=-1 is negative"),
        ({"victims": Victims(dataset="arrays")}, DataError, "arrays needs its files"),
        ({"model": "resnet21"}, ModelError, "resnet21"),
    ],
)
def test_bad_input_leaves_nothing_behind(tmp_path, options, error, said):
    with pytest.raises(error, match=said):
        study(tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


@pytest.mark.data
@pytest.mark.slow
def test_attacked_photos_end_far_lower(tmp_path, data_folder):
    out = study_adversarial(
        tmp_path / "out",
        network=Network(
            model="resnet20", weights=str(data_folder / "weights" / "resnet20-12fca82f.th")
        ),
        victims=Victims(
            dataset="parquet",
            data=data_folder / "cifar10-exact" / "test.parquet",
            normalize="imagenet",
        ),
        attacking=Attacking(attacks="fgsm,localsearch", successes=40),
    )
    table = pd.read_parquet(out / "metrics" / "adversarial.parquet")
    assert (table["n_nodes"] == 40).all()
    assert (table["success_rate"] > 0.5).all()
    assert (table["last_layer_attacked"] < table["last_layer_clean"] - 0.1).all()
