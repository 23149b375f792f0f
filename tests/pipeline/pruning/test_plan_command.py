"""`stratagraph plan` on a run of the handwritten digits."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from graphs.errors import PlanError
from graphs.tables import read_frame
from pipeline.api import analyze
from pipeline.cli import main
from pipeline.data import load_data
from pipeline.models import load_model
from pipeline.options import Features, Images, Network, Work
from pipeline.plan_command import plan_pruning
from pipeline.pruning.criteria import CRITERIA
from pipeline.pruning.options import Alone, Goal
from pipeline.pruning.plan import read_plan
from pipeline.run import run_stages

QUIET = Work(progress=False)
GOAL = Goal(rule="running_maximum")  # the untrained network's curve falls


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return run_stages(
        tmp_path_factory.mktemp("plan") / "run",
        network=Network(model="resnet14"),
        images=Images(samples=60, repeats=2),
        work=QUIET,
    )


def command(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["plan", *map(str, arguments)])
    said = capsys.readouterr()
    return ended.value.code, said.err


def test_a_plan_of_a_run(run, tmp_path):
    path = plan_pruning(run, goal=GOAL, out=tmp_path / "plan.json")
    plan = read_plan(path)
    curve = pd.read_parquet(run / "metrics" / "layers.parquet").groupby("layer_index")["modularity"]
    found = [layer["modularity"] for layer in plan.layers]
    assert found == pytest.approx(curve.mean().tolist())
    before = np.maximum.accumulate(found)[:-1]
    movable = [layer for layer in plan.layers if layer["problem"] is None]
    assert len(movable) == 4
    for layer in plan.layers:
        if layer["problem"]:  # what cannot go has no rate
            assert layer["removed_in_bootstrap"] is None
            assert layer["removed_in_repeats"] is None
    for layer, highest in zip(plan.layers[1:], before, strict=True):
        stays = layer["modularity"] > highest or layer["name"] in plan.protected
        assert layer["kept"] == stays
    for layer in movable:
        assert 0 <= layer["removed_in_bootstrap"] <= 1
        assert layer["removed_in_repeats"] in (0, 0.5, 1)
    assert plan.dataset["dataset"] == "digits"
    assert plan.input_shape == [1, 8, 8]


def test_the_plan_lies_in_the_run(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "copy")
    assert plan_pruning(copy, goal=GOAL) == copy / "plan.json"


def test_the_same_seed_gives_the_same_plan(run, tmp_path):
    plans = []
    for name in ("one", "two"):
        content = json.loads(
            plan_pruning(run, goal=GOAL, out=tmp_path / f"{name}.json").read_text()
        )
        del content["latency"]  # what clocks say
        said = [line for line in content["warnings"] if not line.startswith("uneven times")]
        content["warnings"] = said
        plans.append(content)
    assert plans[0] == plans[1]


def test_all_criteria(run, tmp_path, capsys):
    code, said = command(
        [run, "--criterion", "all", "--macs", 0.8, "--out", tmp_path / "p"], capsys
    )
    assert code == 0
    assert max(map(len, said.splitlines())) <= 80
    scores = read_frame(tmp_path / "criteria.parquet", "criteria")
    names = scores["criterion"].unique().tolist()
    assert [name for name in names if not name.startswith("random-")] == [
        name for name in CRITERIA if name != "random"
    ]
    assert [name for name in names if name.startswith("random-")] == [
        "random-0", "random-1", "random-2",
    ]  # fmt: skip
    agreement = read_frame(tmp_path / "agreement.parquet", "agreement")
    assert len(agreement) == len(names) * (len(names) - 1) / 2
    assert agreement["jaccard"].between(0, 1).all()
    assert (tmp_path / "criteria.png").stat().st_size > 10_000
    # by each criterion the same layers as when it is asked alone
    plan = read_plan(
        plan_pruning(run, goal=Goal(criterion="tail", macs=0.8), out=tmp_path / "tail.json")
    )
    rows = scores[(scores["criterion"] == "tail") & scores["removed"]]
    assert rows["layer"].unique().tolist() == plan.removed


def test_all_criteria_without_a_budget_remove_half_of_what_can_go(run, tmp_path, capsys):
    code, said = command([run, "--criterion", "all", "--out", tmp_path / "p"], capsys)
    assert code == 0
    assert "no budget: each removes 1 of the 3 layers that can go" in said
    scores = read_frame(tmp_path / "criteria.parquet", "criteria")
    first = scores[scores["repeat"] == 0]
    assert set(first.groupby("criterion")["removed"].sum()) == {1}


def test_what_is_left_of_a_budget_is_told(run, tmp_path, capsys):
    asked = [run, "--params", 0.9, "--criterion", "tail", "--out", tmp_path / "plan.json"]
    code, said = command(asked, capsys)
    plan = read_plan(tmp_path / "plan.json")
    left = f"{plan.params_after / plan.params_before:.1%}"
    assert code == 0
    assert f"\nbudget      90.0% of the parameters; {left} left, as layers go whole\n" in said
    _, said = command([run, "--remove", 1, "--out", tmp_path / "one.json"], capsys)
    assert "budget" not in said  # the table counts the layers


def test_a_budget_alone_goes_by_modularity(run, tmp_path):
    plans = [
        read_plan(plan_pruning(run, goal=goal, out=tmp_path / f"{place}.json"))
        for place, goal in enumerate((Goal(macs=0.8), Goal(macs=0.8, criterion="modularity")))
    ]
    assert plans[0].removed == plans[1].removed
    assert plans[0].rule == "modularity"


def test_the_terminal_is_80_columns(run, tmp_path, capsys):
    code, said = command(
        [run, "--rule", "running_maximum", "--out", tmp_path / "plan.json"], capsys
    )
    assert code == 0
    assert max(map(len, said.splitlines())) <= 80
    assert "parameters" in said


def test_an_analysis_plans_as_the_run_does(run, tmp_path):
    model = load_model("resnet14", input_shape=(1, 8, 8))
    found = analyze(model, load_data("digits"), samples=60, repeats=2)
    plan, expected = (
        found.plan("running_maximum"),
        read_plan(plan_pruning(run, goal=GOAL, out=tmp_path / "plan.json")),
    )
    assert (plan.kept, plan.removed) == (expected.kept, expected.removed)
    assert found.model is model


def test_a_network_alone(tmp_path):
    path = plan_pruning(
        alone=Alone(model="resnet14"), goal=Goal(stages="1,2,1"), out=tmp_path / "plan.json"
    )
    plan = read_plan(path)
    assert (plan.surgery, plan.stages) == ("depth", [1, 2, 1])


def test_a_network_alone_has_its_plan_here(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    asked = ["--model", "resnet14", "--stages", "1,2,1"]
    told = "without a run, the plan is written here: "
    code, said = command(asked, capsys)
    assert code == 0
    assert f"{told}{tmp_path / 'plan.json'}\n" in said
    assert read_plan(tmp_path / "plan.json").stages == [1, 2, 1]
    code, said = command([*asked, "--out", "mine.json"], capsys)
    assert code == 0
    assert told not in said
    assert (tmp_path / "mine.json").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "there is no network to plan for"),
        (["--model", "resnet14"], "a rule needs a curve"),
        (["--model", "resnet14", "--criterion", "cka", "--macs", 0.5],
         "criterion cka needs samples and their features; give a run"),
        (["--model", "resnet14", "--criterion", "modularity", "--macs", 0.5], "needs a curve"),
        (["--model", "resnet14", "--criterion", "tial", "--macs", 0.5], "near names: tail"),
        (["--model", "resnet14", "--criterion", "tail"], "needs a budget"),
        (["--model", "resnet14", "--macs", 0.5], "criterion modularity needs a curve"),
        (["RUN", "--rule", "plateau", "--macs", 0.5], "--rule and --macs choose layers each in"),
        (["--model", "resnet14", "--stages", "2,x"], "'2,x' is no list of numbers"),
        (["--model", "resnet14", "--stages", "3,1,1"], "does not fit the stages"),
        (["--model", "resnet14", "--criterion", "tail", "--macs", 0.01], "cannot be met"),
        (["--model", "resnet14", "--criterion", "tail", "--macs", 0.5, "--params", 0.5],
         "--macs and --params are two budgets"),
        (["--model", "resnet14", "--stages", "1,1,1", "--rule", "plateau"],
         "--rule and --stages choose layers each in its way"),
        (["RUN", "--model", "resnet14"], "of its own, --model would not be read; leave out the"),
        (["RUN", "--weights", "x.pt", "--classes", 5], "--weights, --classes would not be read"),
        (["RUN", "--seed", -1], "--seed -1 is negative; give 0 or more"),
        (["RUN", "--draws", -1], "--draws -1 is negative; give 0 or more"),
        (["RUN", "--remove", 1, "--draws", 20],
         "--draws would not be read with --criterion modularity"),
        (["RUN", "--criterion", "tail", "--remove", 1, "--threshold", 0.1],
         "--threshold would not be read with --criterion tail; leave it out"),
        (["RUN", "--macs", 0.8, "--threshold", 0.1, "--patience", 3],
         "--threshold, --patience would not be read with --criterion modularity"),
        (["RUN", "--rule", "running_maximum", "--threshold", 0.1],
         "--threshold would not be read with --rule running_maximum"),
        (["RUN", "--patience", 3], "--patience would not be read with --rule increment"),
        (["RUN", "--stages", "1,2,1", "--patience", 3], "would not be read with --stages"),
        (["RUN", "--criterion", "all", "--surgery", "depth"],
         "--surgery would not be read with --criterion all"),
        (["RUN", "--threshold", "nan"], "--threshold nan is no number"),
        (["RUN", "--threshold", 9], "lies outside what the layers add"),
        (["nowhere"], "there is no folder"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(run, arguments, said, tmp_path, capsys):
    given = [run if word == "RUN" else word for word in arguments]
    code, error = command([*given, "--out", tmp_path / "plan.json"], capsys)
    assert code == 1
    assert said in error
    assert len(error.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_run_of_other_layers_is_refused(tmp_path):
    other = run_stages(
        tmp_path / "run",
        network=Network(model="resnet14"),
        images=Images(samples=40, repeats=1),
        features=Features(layers="layer1.*"),
        work=QUIET,
    )
    with pytest.raises(PlanError, match=r"the run has 2 layers \(--layers layer1.\*\)"):
        plan_pruning(other)


def test_other_weights_than_the_runs_are_refused(tmp_path):
    import torch

    weights = tmp_path / "weights.pt"
    torch.save(load_model("resnet14", input_shape=(1, 8, 8)).state_dict(), weights)
    made = run_stages(
        tmp_path / "run",
        network=Network(model="resnet14", weights=str(weights)),
        images=Images(samples=40, repeats=1),
        work=QUIET,
    )
    torch.save(load_model("resnet14", input_shape=(1, 8, 8), seed=1).state_dict(), weights)
    with pytest.raises(PlanError, match="are not those that .* was made from"):
        plan_pruning(made)


def test_only_a_plan_is_replaced(run, tmp_path, capsys):
    path = plan_pruning(run, goal=GOAL, out=tmp_path / "plan.json")
    code, said = command([run, "--rule", "running_maximum", "--out", path], capsys)
    assert code == 0
    assert f"the plan {path} is replaced" in said
    other = tmp_path / "manifest.json"
    other.write_text("{}")
    with pytest.raises(PlanError, match=r"manifest\.json is there already and is no plan"):
        plan_pruning(run, goal=GOAL, out=other)
    assert other.read_text() == "{}"


def test_seeds_draw_other_orders(run, tmp_path):
    goal = Goal(criterion="random", remove=2)
    scores = [
        [layer["score"] for layer in read_plan(
            plan_pruning(run, goal=goal, seed=seed, out=tmp_path / f"{place}.json")
        ).layers]
        for place, seed in enumerate((1, 1, 2))
    ]  # fmt: skip
    assert scores[0] == scores[1] != scores[2]


def test_folders_are_told_from_plans_and_runs(run, tmp_path):
    with pytest.raises(PlanError, match=r"is a folder, not a plan; give its file: .*plan\.json"):
        read_plan(run)
    (tmp_path / "prune.json").write_text("{}")
    with pytest.raises(PlanError, match=r"is a pruned network, not a run; make a run .*model\.pt"):
        plan_pruning(tmp_path)
