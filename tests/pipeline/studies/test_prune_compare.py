"""`stratagraph study prune-compare` on the handwritten digits."""

import json
import shutil

import pandas as pd
import pytest

from graphs.errors import DataError, PlanError, RunError
from graphs.tables import read_frame
from pipeline.cli import main
from pipeline.data import load_data
from pipeline.models import load_model
from pipeline.options import Images, Neighbours, Network, Work
from pipeline.prune_command import OtherImages
from pipeline.pruning.plan import follow_plan, read_plan
from pipeline.pruning.scoring import score_subject
from pipeline.pruning.states import measure_accuracy
from pipeline.pruning.tuning import Tuning
from pipeline.run import run_stages
from pipeline.stage2_edges import build_edges
from pipeline.studies.prune_compare import WHOLE, Contest, study_prune_compare
from pipeline.studies.prune_reading import read_comparison
from pipeline.training import Recipe, train

QUIET = Work(progress=False)
CONTEST = Contest(criteria="modularity,random,tail", macs=0.8, draws=2)
TUNING = Tuning(epochs=1)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared")
    train_data, test_data = (load_data("digits", split=split) for split in ("train", "test"))
    model = load_model("resnet14", input_shape=train_data.input_shape)
    recipe = Recipe(epochs=2, lr=0.05, batch_size=64, milestones=())
    weights = train(model, train_data, test_data, out=folder / "training", recipe=recipe).weights
    return run_stages(
        folder / "run",
        network=Network(model="resnet14", weights=str(weights)),
        images=Images(samples=60, repeats=2),
        work=QUIET,
    )


def study(run, out, **changes):
    given = {"contest": CONTEST, "tuning": TUNING, "work": QUIET} | changes
    return study_prune_compare(run, out, **given)


@pytest.fixture(scope="module")
def done(run, tmp_path_factory):
    return study(run, tmp_path_factory.mktemp("study") / "compare")


def table(folder):
    return read_frame(folder / "metrics" / "prune-compare.parquet", "prune_compare")


def test_every_criterion_meets_the_budget(done):
    found = table(done)
    assert found["criterion"].tolist() == [WHOLE, "modularity", "random-0", "random-1", "tail"]
    whole, cut = found.iloc[0], found.iloc[1:]
    assert (whole["macs_left"], whole["n_removed"]) == (1.0, 0)
    assert (cut["macs_left"] <= 0.8).all()
    assert (cut["n_removed"] >= 1).all()
    assert (found["tuned_low"] <= found["tuned"]).all()
    assert (found["tuned"] <= found["tuned_high"]).all()
    assert found["original"].nunique() == 1
    # nothing is lost by a surgery that removes nothing
    assert whole["surgery"] == whole["original"]


def test_plans_can_be_followed_alone(done, run):
    found = table(done).set_index("criterion")
    plan = read_plan(done / "plans" / "tail.json")
    assert ",".join(plan.removed) == found.loc["tail", "removed"]
    model = load_model(plan.model, weights=plan.weights, input_shape=plan.input_shape)
    cut = follow_plan(model, plan)
    test_data = load_data("digits", split="test")
    accuracy = measure_accuracy(cut.model, test_data, device=next(model.parameters()).device)
    assert accuracy["accuracy"] == found.loc["tail", "surgery"]


def test_layers_alone(done, run):
    found = read_frame(done / "metrics" / "single-layers.parquet", "single_layers")
    curve = pd.read_parquet(run / "metrics" / "layers.parquet")
    mean = curve.groupby("layer_index")["modularity"].mean()
    assert found["layer"].tolist() == ["layer1.0", "layer1.1", "layer2.1", "layer3.1"]
    assert found["gain"].tolist() == pytest.approx(
        [mean[at] - mean[at - 1] for at in found["layer_index"]]
    )
    original = table(done)["original"].iloc[0]
    assert (original - found["accuracy"]).tolist() == pytest.approx(found["accuracy_lost"].tolist())
    # the last layer's Q of the whole network is the run's
    assert (found["last_q"] + found["last_q_lost"]).tolist() == pytest.approx(
        [mean.iloc[-1]] * len(found)
    )


def test_what_is_done_is_not_done_again(done, run):
    names = ["metrics/prune-compare.parquet", "metrics/single-layers.parquet", "study.json"]
    weights = [*sorted(done.glob("networks/*/tuning/weights.pt"))]
    before = [path.stat().st_mtime_ns for path in weights]
    contents = [(done / name).read_bytes() for name in names[:2]]
    assert study(run, done) == done
    assert [path.stat().st_mtime_ns for path in weights] == before
    assert [(done / name).read_bytes() for name in names[:2]] == contents
    assert json.loads((done / "study.json").read_text())["state"] == "done"


def test_scores_are_kept_until_something_changes(done, run, tmp_path, monkeypatch):
    own = shutil.copytree(done, tmp_path / "study")
    path = own / "metrics" / "criteria.parquet"
    scores = read_frame(path, "criteria")
    assert scores["criterion"].unique().tolist() == ["modularity", "random-0", "random-1", "tail"]
    assert len(scores) == 4 * 2 * 7  # criteria, repeats, layers
    before = path.read_bytes()
    asked = []

    def score(subject, names, **options):
        asked.append(names)
        return score_subject(subject, names, **options)

    monkeypatch.setattr("pipeline.studies.prune_compare.score_subject", score)
    plans = {place.name: read_plan(place).removed for place in own.glob("plans/*.json")}
    shutil.rmtree(own / "plans")
    study(run, own)
    assert not asked
    assert {place.name: read_plan(place).removed for place in own.glob("plans/*.json")} == plans
    assert path.read_bytes() == before
    # a table that is of another study, damaged or gone is made again
    path.write_bytes(before[:100])
    study(run, own)
    assert len(asked) == 1
    assert path.read_bytes() == before
    with pytest.raises(RunError, match="holds a study of other runs or with other options"):
        study(run, own, tuning=Tuning(epochs=1, seed=1))
    assert len(asked) == 1
    assert path.read_bytes() == before


def test_another_contest_in_the_folder_is_refused(done, run):
    with pytest.raises(RunError, match="holds a study of other runs or with other options"):
        study(run, done, tuning=Tuning(epochs=2))


def test_a_run_that_was_linked_anew_is_another_study(done, run, tmp_path):
    linked = shutil.copytree(run, tmp_path / "run")
    build_edges(linked, neighbours=Neighbours(k=5), work=QUIET)
    with pytest.raises(RunError, match="holds a study of other runs or with other options"):
        study(linked, done)


def test_images_are_looked_for_before_anything_is_scored(run, tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.studies.prune_compare.score_subject", None)
    images = OtherImages(dataset="parquet", data=tmp_path / "none")
    with pytest.raises(DataError, match="none does not exist; check --data"):
        study(run, tmp_path / "study", images=images)


def test_the_command(done, run, capsys, tmp_path):
    asked = ["--criteria", "modularity,random,tail", "--macs", "0.8", "--draws", "2"]
    with pytest.raises(SystemExit) as ended:
        main(["study", "prune-compare", str(run), str(done), *asked, "--epochs", "1"])
    assert ended.value.code == 0
    said = capsys.readouterr().err
    assert "the whole network, tuned alike" in " ".join(said.split())
    lines = [line for line in said.splitlines() if str(done) not in line]
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("contest", "said"),
    [
        (Contest(criteria="modularty"), "no criterion 'modularty'; near names: modularity"),
        (Contest(criteria="tail", macs=0.01), "cannot be met"),
        (Contest(criteria="tail", macs=1.5), "no share of the network"),
        (Contest(criteria=" , "), "no criterion"),
    ],
)
def test_mistakes(run, contest, said, tmp_path):
    with pytest.raises(PlanError, match=said):
        study(run, tmp_path / "study", contest=contest)
    assert not (tmp_path / "study").exists()


def row(name, tuned, *, left=0.5):
    return {
        "criterion": name, "tuned": tuned, "tuned_low": tuned - 0.02, "tuned_high": tuned + 0.02,
        "macs_left": left, "removed": name,
    }  # fmt: skip


def test_the_reading_is_honest():
    rows = [row(WHOLE, 0.95, left=1.0), row("modularity", 0.8), row("tail", 0.9)]
    compared = pd.DataFrame([*rows, row("random-0", 0.83), row("random-1", 0.85)])
    single = pd.DataFrame(
        {"gain": [0.1, 0.2, 0.3, 0.4], "last_q_lost": [4, 3, 2, 1], "accuracy_lost": [1, 2, 3, 4]}
    )
    said = read_comparison(compared, single, epochs=3)
    assert "Best is tail, outside the intervals of all others." in said
    assert "Modularity is 4.0 points below the mean of 2 random draws (83.0% to 85.0%)." in said
    assert "1.00 (95 % interval 1.00 to 1.00) with its gain in Q" in said
    assert "-1.00 (95 % interval -1.00 to -1.00) with the Q lost" in said
    close = pd.DataFrame([*rows[:2], row("tail", 0.81)])
    assert "Best is tail; its interval overlaps that of modularity." in read_comparison(
        close, single.iloc[:2], epochs=1
    )
    same = single.assign(accuracy_lost=0.0)
    assert "the same for all layers." in read_comparison(close, same, epochs=1)
    assert "Too few layers" in read_comparison(close, single.iloc[:2], epochs=1)


def test_criteria_that_remove_the_same_are_one_network():
    rows = [row(WHOLE, 0.95, left=1.0), row("modularity", 0.8), row("tail", 0.8)]
    rows[2]["removed"] = "modularity"
    single = pd.DataFrame(columns=["gain", "last_q_lost", "accuracy_lost"])
    said = read_comparison(pd.DataFrame(rows), single, epochs=1)
    assert "Best is modularity and tail (the same network) and nothing else was tried." in said
