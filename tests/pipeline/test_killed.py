"""What is killed at any moment and run again ends where an undisturbed stage or study ends."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from graphs.runs import Run

STAGES = ("activations", "edges", "communities")
TABLES = ("layers", "classes", "communities", "nodes", "flows", "events")
MOMENTS = 10
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def children():
    """Ask for a stage to be run in a child process: (stage, folder, step to die at)."""
    script = Path(__file__).with_name("kill_stages.py")
    with subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:

        def ask(stage, out, kill_at=None):
            job = {"stage": stage, "out": str(out), "kill_at": kill_at}
            server.stdin.write(json.dumps(job) + "\n")
            server.stdin.flush()
            return json.loads(server.stdout.readline())

        yield ask
        server.stdin.close()


@pytest.fixture(scope="module")
def undisturbed(children, tmp_path_factory):
    """For each stage: the folder before it and after it, and the steps that it takes."""
    root = tmp_path_factory.mktemp("undisturbed")
    out, before, after, steps = root / "run", {}, {}, {}
    for stage in STAGES:
        before[stage], after[stage] = root / f"before-{stage}", root / f"after-{stage}"
        if out.exists():
            shutil.copytree(out, before[stage])
        answer = children(stage, out)
        assert answer["status"] == 0
        steps[stage] = answer["steps"]
        shutil.copytree(out, after[stage])
    return before, after, steps


def files(folder):
    """Bytes of every file but the manifest, which names the command."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }


def finished(folder):
    """Files that a rerun must not write again, with the time of their last change."""
    return {
        path: path.stat().st_mtime_ns
        for path in folder.rglob("*.parquet")
        if not path.name.startswith(".") and path.parent.name != "metrics"
    }


@pytest.mark.parametrize("moment", range(MOMENTS))
@pytest.mark.parametrize("stage", STAGES)
def test_killed_and_run_again(children, undisturbed, tmp_path, stage, moment):
    before, after, steps = undisturbed
    out = tmp_path / "run"
    if before[stage].exists():
        shutil.copytree(before[stage], out)
    # evenly over all steps, the first and the last among them
    step = 1 + round(moment * (steps[stage] - 1) / (MOMENTS - 1))
    assert children(stage, out, step)["status"] == -9
    if Run(out).recorded(stage):  # killed while clearing up: the tables must be there
        assert {f"metrics/{name}.parquet" for name in TABLES} <= set(files(out))
    done = finished(out)
    assert children(stage, out)["status"] == 0
    for path, changed in done.items():
        if stage != "activations" and path.exists():
            assert path.stat().st_mtime_ns == changed, f"{path} was written again"
    assert files(out) == files(after[stage])
    if moment == MOMENTS // 2:  # the stages after it take what it left
        for later in STAGES[STAGES.index(stage) + 1 :]:
            assert children(later, out)["status"] == 0
            assert files(out) == files(after[later])


def test_finished_parts_of_stage_1_are_not_computed_again(children, undisturbed, tmp_path):
    """Killed late: the parts whose predictions are there keep their shards."""
    _, _, steps = undisturbed
    out = tmp_path / "run"
    assert children("activations", out, round(steps["activations"] * 0.8))["status"] == -9
    repeats = sorted((out / "variant=clean").iterdir())
    kept = {
        path: path.stat().st_mtime_ns
        for repeat in repeats
        if (repeat / "nodes.parquet").exists()
        for path in repeat.rglob("part-*.parquet")
    }
    assert kept
    assert children("activations", out)["status"] == 0
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_a_study_is_killed_and_run_again(children, tmp_path):
    """Killed twice on its way, in one folder."""
    whole = tmp_path / "whole"
    answer = children("ablation", whole)
    assert answer["status"] == 0
    out, killed = tmp_path / "killed", 0
    for share in (0.4, 0.5):  # of all steps; what is done is not done again
        killed += children("ablation", out, round(share * answer["steps"]))["status"] == -9
    assert killed == 2
    assert not (out / "metrics" / "ablation.parquet").exists()
    assert children("ablation", out)["status"] == 0
    found, wanted = files(out), files(whole)
    assert found.keys() == wanted.keys()
    assert [name for name in wanted if found[name] != wanted[name]] == []
