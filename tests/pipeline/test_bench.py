"""`stratagraph bench`: verdicts by arithmetic; every benchmark once, small."""

import json
import os
import subprocess
import sys
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from graphs.errors import DataError, RunError, StratagraphError
from graphs.export import check_gephi, write_dynamic_gexf, write_layer_graphml
from graphs.modularity import modularity
from graphs.neighbors import knn
from pipeline.bench import run_benchmarks
from pipeline.benchmarks import whole_demo
from pipeline.benchmarks.graph_files import networkx_dynamic, random_dynamic
from pipeline.benchmarks.images import IMAGES, prepare
from pipeline.benchmarks.paper_algorithm import paper_modularity
from pipeline.benchmarks.registry import BENCHMARKS
from pipeline.benchmarks.result import Benchmark, summarize
from pipeline.benchmarks.setting import DATA_VARIABLE, Case, Measured, Note, Setting, alternate
from pipeline.benchmarks.table import HEADER, row_lines
from pipeline.console import log

FAST = [
    "P1",
    "P2",
    "P3",
    "P4",
    "P5",
    pytest.param("P6", marks=pytest.mark.slow),
    pytest.param("R1", marks=pytest.mark.browser),
    *"P9 C1 N1 N2".split(),
]
FACTS = {"id", "what", "value", "target", "reached", "unit", "rounds", "low", "high", "seconds"}


def benchmark(kind, target):
    return Benchmark(kind, target, "something", lambda setting: None)


def case(seconds, baseline=(), **more):
    return Case(what="a case", seconds=seconds, baseline=baseline, **more)


def row(bench, *cases, quick=False):
    return summarize("P0", bench, Measured(cases=cases, input="nothing"), quick=quick)


@pytest.fixture(autouse=True)
def no_data(monkeypatch):
    monkeypatch.delenv(DATA_VARIABLE, raising=False)


# --- verdicts ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value", "low", "high"),
    [
        # rounds of 8/2, 9/1 and 10/5: the median of ratios, not the ratio of the medians, 9/2
        ("speed-up", 4, 2, 9),
        ("overhead", 2 / 8, 1 / 9, 5 / 10),
        ("seconds", 2, 1, 5),
    ],
)
def test_value_is_the_median_over_rounds(kind, value, low, high):
    found = row(benchmark(kind, 3), case((2.0, 1.0, 5.0), (8.0, 9.0, 10.0)))
    assert (found["value"], found["low"], found["high"]) == pytest.approx((value, low, high))
    assert found["rounds"] == 3


@pytest.mark.parametrize(
    ("kind", "target", "seconds", "reached"),
    [
        ("speed-up", 4.0, 1.0, True),
        ("speed-up", 4.1, 1.0, False),
        ("overhead", 1.25, 5.0, True),
        ("overhead", 1.24, 5.0, False),
        ("seconds", 1.0, 1.0, True),
        ("seconds", 1.0, 1.01, False),
        # values of their own, whatever the times are
        ("share", 1.2, (1.2,), True),
        ("share", 1.2, (1.21,), False),
        ("excess", 0.2, (-5.0, 0.2, 9.0), True),
        ("excess", 0.2, (-5.0, 0.21, 9.0), False),
    ],
)
def test_target_is_inclusive(kind, target, seconds, reached):
    values = seconds if isinstance(seconds, tuple) else ()
    measured = case(() if values else (seconds,), (4.0,), values=values)
    assert row(benchmark(kind, target), measured)["reached"] is reached


@pytest.mark.parametrize(
    ("kind", "target", "good", "bad"),
    # (our seconds, theirs): 4/2 and 4/3 with the target 1.5; 3/3 and 4/3 with the target 1.2
    [("speed-up", 1.5, (2.0, 4.0), (3.0, 4.0)), ("overhead", 1.2, (3.0, 3.0), (4.0, 3.0))],
)
def test_the_worst_case_counts(kind, target, good, bad):
    cases = [case((ours,), (theirs,)) for ours, theirs in (good, bad)]
    assert row(benchmark(kind, target), cases[0])["reached"] is True
    found = row(benchmark(kind, target), *cases)
    assert (found["value"], found["reached"]) == (pytest.approx(4 / 3), False)
    assert [described["seconds"] for described in found["cases"]] == [[good[0]], [bad[0]]]


def test_a_whole_faster_than_its_part_is_no_verdict():
    assert row(benchmark("overhead", 1.35), case((8.0,), (10.0,)))["reached"] is None
    assert row(benchmark("overhead", 1.35), case((9.8,), (10.0,)))["reached"] is True


def test_fast_but_wrong_reaches_nothing():
    assert row(benchmark("speed-up", 2), case((1,), (9,), agrees=False))["reached"] is False


def test_quick_run_gives_no_verdict():
    assert row(benchmark("speed-up", 2), case((1,), (9,)), quick=True)["reached"] is None


def test_sides_take_turns_and_tidying_is_not_timed():
    seen = []
    ours, theirs = alternate(
        lambda: seen.append("o"), lambda: seen.append("t"), rounds=2, tidy=lambda: seen.append("-")
    )
    assert "".join(seen) == "-o-t-t-o"
    assert len(ours) == len(theirs) == 2
    assert min(ours + theirs) > 0


def test_figures_beside_the_comparison_are_printed_and_kept():
    note = Note(what="the disk alone", value=0.0123, low=0.01, high=123.4, unit="s")
    bare = Note(what="operations", value=1234.5)
    points = ({"what": "a", "seconds": 1.5},)
    measured = Measured(cases=(case((1,), (9,)),), input="", notes=(note, bare), points=points)
    found = summarize("P0", benchmark("speed-up", 2), measured, quick=False)
    assert [line.split() for line in row_lines(found)[1:]] == [
        "the disk alone 0.012s 0.01 to 123".split(),
        "operations 1234".split(),
    ]
    assert found["notes"][0]["value"] == 0.0123
    assert json.loads(json.dumps(found))["points"] == [{"what": "a", "seconds": 1.5}]


def test_table_fits_into_80_columns():
    for name, known in BENCHMARKS.items():
        cases = (case((1.234,) * 3, (12345.6,) * 3), case((1.0,) * 3, (0.00123,) * 3))
        notes = (Note(what="x" * 31, value=1234.5, low=0.001, high=12345, unit="x"),)
        measured = Measured(cases=cases, input="", notes=notes)
        for line in row_lines(summarize(name, known, measured, quick=False)):
            assert len(line) <= 80
    assert len(HEADER) <= 80


# --- what is compared -------------------------------------------------------------------------


def test_paper_algorithm_agrees_with_ours():
    rng = np.random.default_rng(0)
    values, labels = rng.random((60, 20), np.float32), rng.integers(0, 3, 60)
    ours = knn(values, 3, engine="reference")
    expected = float(modularity(ours.indices, ours.weights, labels))
    assert paper_modularity(values, labels, k=3) == pytest.approx(expected, abs=1e-6)


def test_networkx_graphml_has_the_same_content(tmp_path):
    dynamic, attributes = random_dynamic(30)
    ours = write_layer_graphml(dynamic, 1, tmp_path / "ours.graphml", attributes=attributes)
    nx.write_graphml(nx.read_graphml(ours), tmp_path / "theirs.graphml")
    first, second = nx.read_graphml(ours), nx.read_graphml(tmp_path / "theirs.graphml")
    assert dict(first.nodes(data=True)) == dict(second.nodes(data=True))
    assert sorted(first.edges(data="weight")) == sorted(second.edges(data="weight"))
    assert len(first.edges) == len(dynamic.snapshots[1].edges)


def test_networkx_gexf_has_the_weight_of_every_layer(tmp_path):
    dynamic, attributes = random_dynamic(30)
    ours = write_dynamic_gexf(dynamic, tmp_path / "ours.gexf", attributes=attributes)
    assert check_gephi(ours) == []
    theirs = tmp_path / "theirs.gexf"
    nx.write_gexf(networkx_dynamic(ours, dynamic), theirs, version="1.3")
    found = nx.read_gexf(theirs, version="1.3")
    links = [value for *_, data in found.edges(data=True) for value in data["weight_by_layer"]]
    assert len(links) == sum(len(layer.edges) for layer in dynamic.snapshots)
    assert sum(weight for weight, _, _ in links) == pytest.approx(
        sum(layer.weights.sum() for layer in dynamic.snapshots)
    )
    spells = sum(len(data["spells"]) for *_, data in found.edges(data=True))
    assert spells == len(links)


def test_enlarged_digits_are_all_different(tmp_path):
    work = prepare(Setting(scratch=tmp_path), 1900)
    data = work.load()
    assert data.input_shape == (3, 32, 32)
    assert len({image.tobytes() for image in data.raw(np.arange(1900))}) == 1900
    assert work.network.weights == "random"
    assert "no real data" in work.text


@pytest.mark.data
def test_real_images_are_those_of_the_data_set(tmp_path, data_folder):
    work = prepare(Setting(scratch=tmp_path, data=data_folder), 5)
    assert work.load().labels.tolist() == [3, 8, 8, 0, 6]  # cat, ship, ship, airplane, frog
    assert Path(work.network.weights).is_file()
    assert (data_folder / IMAGES).is_file()
    assert "CIFAR-10" in work.text


# --- the command ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAST)
def test_each_benchmark_runs(name, tmp_path, capsys):
    out = run_benchmarks(tmp_path / "bench.json", only=name.lower(), quick=True)
    (found,) = json.loads(out.read_text())
    assert found.keys() >= FACTS
    assert (found["id"], found["reached"]) == (name, None)
    assert found["target"] == BENCHMARKS[name].target
    assert found["low"] <= found["value"] <= found["high"]
    assert all(described["agrees"] for described in found["cases"])
    assert {"cpu_count", "threads", "versions"} <= found["machine"].keys()
    assert {"torch", "numpy"} <= found["machine"]["versions"].keys()
    assert capsys.readouterr().out.splitlines()[1].startswith(name)
    assert [path.name for path in tmp_path.iterdir()] == ["bench.json"]


# the demo itself is tested elsewhere: here it trains one network for one epoch
SHORT = """
from dataclasses import replace
import pipeline.demo
pipeline.demo.MODELS = pipeline.demo.MODELS[:1]
pipeline.demo.RECIPE = replace(pipeline.demo.RECIPE, epochs=1, milestones=())
"""


@pytest.mark.slow
def test_demo_is_timed(tmp_path, monkeypatch):
    monkeypatch.setattr(whole_demo, "START", f"{SHORT}\n{whole_demo.START}")
    out = run_benchmarks(tmp_path / "bench.json", only="P8", quick=True)
    (found,) = json.loads(out.read_text())
    assert (found["unit"], found["baseline_seconds"]) == ("s", [])
    assert found["value"] > 1


def test_benchmarks_come_in_the_order_of_the_registry(tmp_path):
    out = run_benchmarks(tmp_path / "bench.json", only="p5, P4", quick=True)
    assert [found["id"] for found in json.loads(out.read_text())] == ["P4", "P5"]


@pytest.mark.slow
def test_command_line(tmp_path):
    command = [sys.executable, "-c", whole_demo.START, "bench", "--only", "P4", "--quick"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "b.json")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == HEADER
    assert done.stdout.splitlines()[-1] == str(tmp_path / "b.json")
    assert json.loads((tmp_path / "b.json").read_text())[0]["id"] == "P4"


@pytest.mark.parametrize("load", [0.2, 3.0])
def test_busy_machine_is_told(load, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setattr(log, "propagate", True)
    run_benchmarks(tmp_path / "b.json", only="P4", quick=True)
    assert ("other work runs on this machine (load 3.0)" in caplog.text) is (load == 3.0)


@pytest.mark.parametrize("only", ["P0", "P1,P00"])
def test_unknown_benchmark(only, tmp_path):
    with pytest.raises(StratagraphError, match=r"no benchmark 'P0+'; choose from P1, P2"):
        run_benchmarks(tmp_path / "b.json", only=only)


def test_no_benchmark(tmp_path):
    with pytest.raises(StratagraphError, match=r"--only names no benchmark; choose from P1"):
        run_benchmarks(tmp_path / "b.json", only=" , ")


def test_missing_data_folder(tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"nowhere does not exist; check --data"):
        run_benchmarks(tmp_path / "b.json", data=tmp_path / "nowhere")
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "elsewhere"))
    with pytest.raises(DataError, match="elsewhere does not exist"):
        run_benchmarks(tmp_path / "b.json")


def test_unwritable_results(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"cannot be written"):
        run_benchmarks(tmp_path / "file" / "b.json", only="P4", quick=True)


def test_failing_demo_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(whole_demo, "START", "import sys; sys.exit('no room for the demo')")
    with pytest.raises(RunError, match=r"ended with status 1: no room for the demo; try it alone"):
        run_benchmarks(tmp_path / "b.json", only="P8", quick=True)
    assert not (tmp_path / "b.json").exists()
