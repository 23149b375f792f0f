import importlib
import inspect
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.cli import COMMANDS, main

ROOT = Path(__file__).parents[2]
# the command line, which says when it begins
LOADS = "from pipeline.cli import main\nprint(flush=True)\nmain()"


def run_python(*arguments, **options):
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_leads_to_a_function_whose_docstring_is_its_help(name, capsys, monkeypatch):
    path, help_line = COMMANDS[name]
    module, _, function = path.partition(":")
    target = getattr(importlib.import_module(module), function)
    assert inspect.getdoc(target).splitlines()[0] == help_line
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as status:
        main([*name.split(), "--help"])
    assert not status.value.code
    shown = capsys.readouterr().out
    assert " ".join(help_line.split()[:4]) in " ".join(shown.split())
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_a_description(name, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit):
        main([*name.split(), "--help"])
    rows = [line.strip("│ *").strip() for line in capsys.readouterr().out.splitlines()]
    options = [row for row in rows if row.startswith("--")]
    assert options
    bare = [row for row in options if len(row.split("  ")) < 2 and "--debug" not in row]
    assert bare == []


def test_help_needs_no_torch():
    code = """
import sys
from pipeline.cli import main
try:
    main(["--help"])
except SystemExit:
    print("torch" in sys.modules, "pandas" in sys.modules)
"""
    done = run_python("-c", code)
    assert done.stdout.splitlines()[-1] == "False False"
    assert all(name.split()[0] in done.stdout for name in COMMANDS)


def test_fixed_option_names_of_run(capsys):
    """Scripts outside rely on these names."""
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    shown = capsys.readouterr().out
    names = """model weights dataset data split normalize samples repeats sampling seed layers pool
    dtype k metric engine memory device out force progress no-progress""".split()
    assert [name for name in names if f"--{name}" not in shown] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--out", "x"], "--model"),
        (["run", "--model", "mlp", "--out", "x", "--dataset", "cifar"], "cifar"),
        (["run", "--model", "mlp", "--out", "x", "--k", "three"], "three"),
        (["run", "--model", "mlp", "--out", "x", "--sample", "5"], "--sample"),
        (["frobnicate"], "frobnicate"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(arguments, message, capsys):
    with pytest.raises(SystemExit) as status:
        main(arguments)
    assert status.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("stratagraph: ")
    assert len(error.splitlines()) == 1
    assert message in error


def test_an_error_is_one_line_and_debug_shows_the_traceback(tmp_path, capsys):
    command = ["edges", "--out", str(tmp_path / "none")]
    for more, has_traceback in (([], False), (["--debug"], True)):
        with pytest.raises(SystemExit) as status:
            main([*command, *more])
        assert status.value.code == 1
        error = capsys.readouterr().err
        assert error.splitlines()[-1].startswith("stratagraph: error: ")
        assert ("Traceback" in error) is has_traceback


def test_a_command_prints_the_path_of_its_result(tmp_path, capsys):
    out = tmp_path / "run"
    with pytest.raises(SystemExit) as status:
        main(["run", "--model", "mlp", "--samples", "60", "--repeats", "1", "--out", str(out)])
    assert status.value.code == 0
    captured = capsys.readouterr()
    assert captured.out == f"{out}\n"
    assert "Q goes from" in captured.err
    manifest = json.loads((out / "manifest.json").read_text())
    assert set(manifest["stages"]) == {"activations", "edges", "communities"}


def test_the_stage_scripts_are_doors_to_the_same_functions(tmp_path):
    """Each by module name, the last by path."""
    out = tmp_path / "run"
    first = ["--model", "mlp", "--samples", "60", "--repeats", "1", "--out", out]
    for script in (
        ["-m", "pipeline.stage1_activations", *first],
        ["-m", "pipeline.stage2_edges", "--out", out, "--k", "2"],
        [ROOT / "pipeline" / "stage3_communities.py", out],
    ):
        done = run_python(*script, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{out}\n"
    assert (out / "metrics" / "layers.parquet").exists()


def test_interrupted_runs_leave_with_130_and_go_on(tmp_path):
    out = tmp_path / "run"
    command = [
        "-m",
        "pipeline.cli",
        "run",
        "--model",
        "resnet8",
        "--repeats",
        "1",
        "--out",
        str(out),
    ]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, *command], stderr=subprocess.PIPE, text=True, env=environment
    ) as child:
        for line in child.stderr:
            if line.startswith("stage 1"):
                break
        time.sleep(0.05)
        child.send_signal(signal.SIGINT)
        rest = child.stderr.read()
    assert child.returncode == 130, rest
    assert rest.splitlines()[-1] == "stratagraph: interrupted; the same command goes on from here"
    assert list(out.rglob("*.tmp")) == []
    assert run_python(*command).returncode == 0


@pytest.mark.parametrize("moment", [0.1, 0.3, 1.0, 3.0])
def test_interrupted_while_modules_load(tmp_path, moment):
    command = ["run", "--model", "resnet32", "--samples", "596", "--out", str(tmp_path / "run")]
    with subprocess.Popen(
        [sys.executable, "-c", LOADS, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        child.stdout.readline()
        time.sleep(moment)
        child.send_signal(signal.SIGINT)
        error = child.stderr.read()
    assert child.returncode == 130, error
    assert error.splitlines()[-1] == "stratagraph: interrupted; the same command goes on from here"
    assert "Traceback" not in error


def test_ctrl_c_stays_ignored_where_it_was():
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import signal; signal.signal(2, signal.SIG_IGN)\n{LOADS}",
            "bench",
            "--help",
        ],
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        child.stdout.readline()
        child.send_signal(signal.SIGINT)
        assert "Time stratagraph" in child.stdout.read()
    assert child.returncode == 0


def test_main_leaves_the_handler_of_its_process_alone(capsys):
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(SystemExit):
        main(["export", "nowhere"])
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_that_an_import_turned_into_an_error(capsys, monkeypatch):
    def stopped() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as stop:
            raise ImportError("initialization failed") from stop

    monkeypatch.setattr("pipeline.export_command.export_graphs", stopped)
    with pytest.raises(SystemExit) as status:
        main(["export"])
    assert status.value.code == 130
    assert capsys.readouterr().err == (
        "stratagraph: interrupted; the same command goes on from here\n"
    )


def test_inspect_lists_the_layers(capsys):
    for more in ([], ["--format", "csv"]):
        with pytest.raises(SystemExit) as status:
            main(["inspect", "resnet20", *more])
        assert status.value.code == 0
        shown = capsys.readouterr().out
        assert all(f"layer{stage}.{block}" in shown for stage in (1, 2, 3) for block in (0, 1, 2))
    rows = shown.splitlines()
    assert rows[0] == "index,name,type,shape,values,parameters,macs"
    assert len(rows) == 1 + 10


def test_export_writes_the_graphs_again(tmp_path, capsys):
    out = tmp_path / "run"
    with pytest.raises(SystemExit):
        main(["run", "--model", "mlp", "--samples", "60", "--repeats", "1", "--out", str(out)])
    with pytest.raises(SystemExit) as status:
        main(["export", str(out), "--to", str(tmp_path / "again")])
    assert status.value.code == 0
    first = {path.name: path.read_bytes() for path in (out / "exports").iterdir()}
    assert {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()} == first
    with pytest.raises(SystemExit):
        main(
            [
                "export",
                str(out),
                "--to",
                str(tmp_path / "packed"),
                "--gzip",
                "--representation",
                "timestamp",
            ]
        )
    assert (tmp_path / "packed" / "clean-r0_dynamic.gexf.gz").exists()


def test_train_gives_weights_that_run_takes(tmp_path, capsys):
    folder = tmp_path / "training"
    command = [
        "train",
        "--model",
        "mlp",
        "--out",
        str(folder),
        "--epochs",
        "3",
        "--batch-size",
        "32",
    ]
    with pytest.raises(SystemExit) as status:
        main(command)
    assert status.value.code == 0
    captured = capsys.readouterr()
    assert captured.out == f"{folder / 'weights.pt'}\n"
    assert "test accuracy 0." in captured.err
    with pytest.raises(SystemExit) as status:
        weights = ["--weights", str(folder / "weights.pt"), "--out", str(tmp_path / "run")]
        main(["run", "--model", "mlp", "--samples", "60", "--repeats", "1", *weights])
    assert status.value.code == 0
