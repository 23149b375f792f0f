"""A plan that lies in a run speaks of the run as it was when the plan was made."""

import json
import shutil
from types import SimpleNamespace

import pytest

from graphs.errors import PlanError, RunError
from graphs.runs import Run
from pipeline.options import Images, Neighbours, Network, Work
from pipeline.plan_command import plan_pruning
from pipeline.pruning.options import Goal
from pipeline.pruning.origin import digest_run, require_current
from pipeline.pruning.plan import read_plan
from pipeline.report.pruning import plan_section
from pipeline.run import run_stages
from pipeline.stage1_activations import dump_activations
from pipeline.stage2_edges import build_edges
from pipeline.stage3_communities import measure_graphs

QUIET = Work(progress=False)
NETWORK, IMAGES = Network(model="resnet14"), Images(samples=40, repeats=1)
TWO = Images(samples=40, repeats=2)
GOAL = Goal(criterion="tail", remove=1)


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """A run with a plan in it."""
    out = tmp_path_factory.mktemp("origin") / "run"
    run = run_stages(out, network=NETWORK, images=IMAGES, work=QUIET)
    plan_pruning(run, goal=GOAL)
    return run


@pytest.fixture
def run(planned, tmp_path):
    return shutil.copytree(planned, tmp_path / "run")


def check(run):
    path = run / "plan.json"
    require_current(read_plan(path), path)


def test_a_run_that_is_as_it_was(run):
    assert read_plan(run / "plan.json").made_from == digest_run(Run(run))
    check(run)
    # the plan looks at nothing of stage 3, and the same links are the same
    build_edges(run, work=Work(progress=False, force=True))
    measure_graphs(run, work=QUIET)
    check(run)


def relink(run):
    build_edges(run, neighbours=Neighbours(k=5), work=QUIET)


def add_repeat(run):
    dump_activations(run, network=NETWORK, images=TWO, work=QUIET)
    build_edges(run, work=QUIET)


def make_anew(run):
    images = Images(samples=40, repeats=1, seed=1)
    run_stages(run, network=NETWORK, images=images, work=Work(progress=False, force=True))


@pytest.mark.parametrize("change", [relink, add_repeat, make_anew])
def test_a_run_that_has_changed(change, run, tmp_path, command, capsys):
    change(run)
    capsys.readouterr()  # what the stages said
    path, out = run / "plan.json", tmp_path / "out"
    before = path.read_bytes()
    status, _, said = command(["prune", path, out, "--epochs", 1])
    assert status == 1
    assert "plan.json was made from another state of the run" in said
    assert f"make it again: stratagraph plan {run}; or, to follow it all the same, move" in said
    assert len(said.strip().splitlines()) == 1
    assert not out.exists()
    assert path.read_bytes() == before
    # either remedy helps
    elsewhere = shutil.copy(path, tmp_path / "plan.json")
    require_current(read_plan(elsewhere), elsewhere)
    plan_pruning(run, goal=GOAL)
    check(run)


def test_a_run_that_is_not_finished_any_more(run):
    dump_activations(run, network=NETWORK, images=TWO, work=QUIET)
    said = r"not finished any more: .* has no finished stage 2 \(edges\); run `stratagraph edges"
    with pytest.raises(PlanError, match=f"{said}.*; then make the plan again: stratagraph plan"):
        check(run)


def test_a_run_of_which_a_killed_stage_left_no_manifest(run):
    (run / "manifest.json").unlink()
    with pytest.raises(PlanError, match=r"not finished any more: .* has no finished stage 1"):
        check(run)


@pytest.mark.parametrize("content", ['{"name": "an app"}', "[]", "no JSON"])
def test_a_manifest_of_something_else(run, tmp_path, content):
    elsewhere = tmp_path / "app" / "plan.json"
    elsewhere.parent.mkdir()
    shutil.copy(run / "plan.json", elsewhere)
    (elsewhere.parent / "manifest.json").write_text(content)
    plan = read_plan(elsewhere)
    assert plan.made_from
    assert require_current(plan, elsewhere) is None  # not judged
    (elsewhere.parent / "variant=clean").mkdir()  # with this it is the manifest of a run
    with pytest.raises(RunError, match=r"manifest\.json"):
        require_current(plan, elsewhere)


def test_the_page_shows_no_plan_of_another_state(run):
    item = SimpleNamespace(run=Run(run), address=str(run))
    assert plan_section(item).figures
    relink(run)
    shown = plan_section(SimpleNamespace(run=Run(run), address=str(run)))
    assert not shown.figures
    assert "was made from another state of the run" in shown.missing
    assert shown.command == f"stratagraph plan {run}"


def test_plans_of_before_are_read_and_not_judged(run):
    path = run / "plan.json"
    content = json.loads(path.read_text())
    del content["made_from"]
    path.write_text(json.dumps(content))
    relink(run)
    assert read_plan(path).made_from == ""
    check(run)
