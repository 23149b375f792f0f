"""What people see of a command's progress on a terminal, and what programs read with --json."""

import json
import os
import pty
import re
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest

from graphs.errors import GraphError
from pipeline.cli import main
from pipeline.console import fill, log, show_table, text_width, warnings_as_events
from pipeline.events import send_event, switch_events
from pipeline.progress import Bar, progress_bar, skip_stage, stage

RUN = ["run", "--model", "mlp", "--samples", "60", "--repeats", "1"]


@pytest.fixture
def sent(capsys):
    """Give what was sent since the last call, event by event."""
    switch_events(on=True)
    yield lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    switch_events(on=False)


def call(arguments, capsys):
    with pytest.raises(SystemExit) as status:
        main([*map(str, arguments)])
    captured = capsys.readouterr()
    return status.value.code, captured.out, [json.loads(line) for line in captured.err.splitlines()]


def test_a_run_tells_its_stages_in_order(tmp_path, capsys):
    status, out, told = call([*RUN, "--out", tmp_path / "run", "--json"], capsys)
    assert status == 0
    assert out == f"{tmp_path / 'run'}\n"
    steps = [(event["event"], event.get("stage")) for event in told]
    wanted = [
        ("started", "run"),
        *[
            (what, f"run/{name}")
            for name in ("activations", "edges", "communities")
            for what in ("started", "progress", "finished")
        ],
        ("finished", "run"),
        ("result", None),
    ]
    assert [step for step in dict.fromkeys(steps) if step in wanted] == wanted
    assert told[-1]["value"] == str(tmp_path / "run")
    elapsed = [event["elapsed"] for event in told]
    assert elapsed == sorted(elapsed)
    # of every task, the last event says that all of it is done
    last = {event["task"]: event for event in told if event["event"] == "progress"}
    assert list(last) == ["reading", "linking", "measuring", "exporting"]
    for event in last.values():
        assert event["done"] == event["total"]
        assert event["remaining"] == 0
        assert event["rate"] > 0
    assert last["reading"]["unit"] == "images"
    assert last["reading"]["total"] == 60
    # 60 images, float32
    assert last["reading"]["bytes"] == last["linking"]["total_bytes"] > 0
    tables = {event["table"]: event for event in told if event["event"] == "summary"}
    assert {"layers", "stages"} <= tables.keys()
    assert tables["layers"]["reading"].startswith("Classes")
    assert [row["stage"] for row in tables["stages"]["rows"]] == [
        "activations",
        "edges",
        "communities",
    ]
    # a second time nothing is left to do
    _, _, told = call([*RUN, "--out", tmp_path / "run", "--json"], capsys)
    assert [event["stage"] for event in told if event["event"] == "skipped"] == [
        "run/activations",
        "run/edges",
        "run/communities",
    ]


@pytest.mark.parametrize(
    ("arguments", "status", "kind"),
    [
        ([*RUN, "--k", "60"], 1, "GraphError"),
        ([*RUN, "--k", "three"], 2, "UsageError"),
        (["run", "--modell", "mlp"], 2, "UsageError"),
    ],
)
def test_errors_are_events_and_keep_their_status(arguments, status, kind, tmp_path, capsys):
    found, out, told = call([*arguments, "--out", tmp_path / "run", "--json"], capsys)
    assert (found, out) == (status, "")
    assert told[-1]["event"] == "error"
    assert (told[-1]["status"], told[-1]["kind"]) == (status, kind)
    assert told[-1]["problem"]
    assert told[-1]["remedy"]
    assert "traceback" not in told[-1]


def test_debug_puts_the_traceback_into_the_event(tmp_path, capsys):
    arguments = ["edges", "--out", tmp_path / "none", "--json", "--debug"]
    _, _, told = call(arguments, capsys)
    assert told[-1]["traceback"].startswith("Traceback")


def test_an_interrupt_is_an_event(monkeypatch, capsys):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.train_command.load_data", stop)
    status, _, told = call(["train", "--model", "mlp", "--out", "x", "--json"], capsys)
    assert status == 130
    assert told[-1]["event"] == "interrupted"
    assert told[-1]["status"] == 130


def test_without_json_nothing_is_sent(capsys):
    send_event("note", text="nothing")
    with progress_bar("reading", 3, show=True, unit="images") as advance:
        advance(3)
    assert capsys.readouterr().err == ""


def test_values_are_what_json_knows(sent):
    send_event("summary", table="x", rows=[{"a": np.float64("nan"), "b": np.int32(3)}],
               path=os.sep, flag=np.bool_(True), nothing=None)  # fmt: skip
    (event,) = sent()
    assert event["rows"] == [{"a": None, "b": 3}]
    assert event["path"] == os.sep
    assert event["flag"] is True


def test_remaining_time_goes_by_bytes(sent, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    bar = Bar("linking", 4, unit="layers", size=1000)
    now[0] = 10.0
    bar(1, 800)
    (event,) = sent()
    # 800 bytes took 10 s: 200 take 2.5
    assert event["remaining"] == 2.5
    assert (event["bytes"], event["total_bytes"]) == (800, 1000)
    assert event["rate"] == 0.1


def test_stages_are_timed_with_their_parts(sent):
    with stage("ablation") as whole:
        with stage("k-05"), stage("edges"):
            skip_stage()
        with pytest.raises(GraphError), stage("k-07"):
            raise GraphError("no", "yes")
    assert [part.name for part in whole.parts] == ["k-05"]
    assert whole.seconds >= whole.parts[0].seconds >= whole.parts[0].parts[0].seconds
    assert [(event["event"], event["stage"]) for event in sent()] == [
        ("started", "ablation"),
        ("started", "ablation/k-05"),
        ("started", "ablation/k-05/edges"),
        ("skipped", "ablation/k-05/edges"),
        ("finished", "ablation/k-05"),
        ("started", "ablation/k-07"),
        ("finished", "ablation"),
    ]


def test_a_stage_within_itself_is_the_same(sent):
    with stage("run") as command, stage("run") as whole:
        with stage("edges"):
            pass
    assert whole is command
    assert [part.name for part in command.parts] == ["edges"]
    assert len(sent()) == 4


def test_every_command_is_a_stage(tmp_path, capsys):
    _, _, told = call(["export", tmp_path / "none", "--json"], capsys)
    assert [event["event"] for event in told] == ["started", "error"]
    assert told[0]["stage"] == "export"


def test_quiet_parts_of_a_study_show_no_tables(sent):
    before = log.level
    try:
        log.setLevel("INFO")
        show_table("layers", "text", rows=[])
        log.setLevel("WARNING")
        show_table("layers", "text", rows=[])
    finally:
        log.setLevel(before)
    assert [event["event"] for event in sent()] == ["summary"]


def test_warnings_of_libraries_are_events(sent):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with warnings_as_events():
            warnings.warn("two\nlines", stacklevel=1)
    assert [event["text"] for event in sent()] == ["two lines"]


def test_text_fits_where_no_terminal_is():
    assert text_width() == 79
    assert fill("a " * 38 + "100 %").splitlines()[1] == "100 %"


def test_a_bar_within_another_goes_when_its_work_fails(monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with progress_bar("variants", 2, show=True, unit="variants") as outer:
        with pytest.raises(GraphError), progress_bar("reading", 2, show=True, unit="images"):
            raise GraphError("no", "yes")
        assert [task.description for task in outer._display[0].tasks] == ["variants"]


BARS = """
import time
from pipeline.progress import progress_bar
with progress_bar("variants", 2, show=True, unit="variants") as outer:
    for _ in range(2):
        with progress_bar("reading", 12_000, show=True, unit="images", size=10**9) as inner:
            for _ in range(2):
                inner(6_000)
                time.sleep(0.15)
        outer(1)
"""


@pytest.mark.parametrize("columns", [60, 80])
def test_bars_fit_the_terminal(columns):
    # a terminal of its own: rich asks it for its width
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "LINES": "24", "TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-c", BARS], stderr=theirs, stdout=subprocess.PIPE, env=environment
    )
    os.close(theirs)
    text = b""
    try:
        while chunk := os.read(ours, 4096):
            text += chunk
    except OSError:  # the other side is closed
        pass
    assert process.communicate()[0] == b""
    assert process.returncode == 0
    # colours take no room, all other sequences move the cursor
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-ln-z]", "\n", re.sub(r"\x1b\[[0-9;]*m", "", text.decode()))
    lines = [line for line in re.split(r"[\r\n]+", shown) if line.strip()]
    assert max(map(len, lines)) <= columns
    assert "12,000/12,000 images" in shown
    assert "2/2 variants" in shown
    assert ("iB/s" in shown) is (columns == 80)
