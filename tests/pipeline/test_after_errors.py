"""After an error: the remedy works, the same command goes on, and nothing of the user's is lost."""

import os
import re
import signal
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

MODELS = Path(__file__).with_name("bad_models.py")
SMALL = ("--samples", "20", "--repeats", "1")
GOOD = ("--model", f"{MODELS}:good")
REPEAT = "variant=clean/repeat=0"
SHARD = f"{REPEAT}/activations/layer=000/part-00000.parquet"
TABLES = ("layers", "classes", "communities", "nodes", "flows", "events")
COMMANDS = {
    "activations": ("activations", *GOOD, *SMALL),
    "edges": ("edges",),
    "communities": ("communities",),
}

needs_root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="mounting a small disk needs root on Linux"
)


def metrics(out):
    """Bytes of the metric tables."""
    return {name: (out / "metrics" / f"{name}.parquet").read_bytes() for name in TABLES}


@pytest.fixture
def undisturbed(folder_after, tmp_path):
    folder_after("communities", tmp_path / "undisturbed")
    return metrics(tmp_path / "undisturbed")


def test_some_rows_of_zeros_are_a_note_and_are_counted(command, tmp_path):
    network = ("--model", f"{MODELS}:three_zero", "--layers", "relu,fault")
    status, _, error = command(["run", *network, *SMALL, "--out", tmp_path / "out"])
    assert status == 0
    notes = [line for line in error.splitlines() if line.startswith("note: ")]
    assert notes == [
        "note: layer 1 (fault): 3 of 20 rows are zero; their similarity to everything is 0"
    ]
    edges = pq.read_schema(tmp_path / "out" / REPEAT / "edges" / "layer=001.parquet").metadata
    assert edges[b"stratagraph.zero_rows"] == b"3"
    layers = pd.read_parquet(tmp_path / "out/metrics/layers.parquet")
    assert layers.set_index("layer")["zero_rows"].to_dict() == {"relu": 0, "fault": 3}
    assert layers["modularity"].notna().all()


def test_interrupted_run_goes_on_with_the_same_command(command, tmp_path, monkeypatch):
    sets = ("--samples", "20", "--repeats", "2")
    argv = ["run", "--model", f"{MODELS}:interrupts", *sets, "--out", tmp_path / "out"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with monkeypatch.context() as environment:
        environment.setenv("STRATAGRAPH_TEST_INTERRUPT", "1")
        status, output, error = command(argv)
    assert status == 130
    assert output == ""
    assert error.splitlines()[-1] == (
        "stratagraph: interrupted; the same command goes on from here"
    )
    assert "Traceback" not in error
    assert not list(tmp_path.rglob("*.tmp"))
    assert not (tmp_path / "out/manifest.json").exists()
    first = (tmp_path / "out" / SHARD).stat()

    status, _, error = command(argv)
    assert status == 0
    assert "20 of 40 are there" in error
    assert (tmp_path / "out" / SHARD).stat().st_mtime_ns == first.st_mtime_ns
    command([*argv[:-1], tmp_path / "undisturbed"])
    assert metrics(tmp_path / "out") == metrics(tmp_path / "undisturbed")


def test_damaged_shard_is_written_again_once_it_is_deleted(
    command, folder_after, undisturbed, tmp_path
):
    out = tmp_path / "out"
    folder_after("activations", out)
    content = bytearray((out / SHARD).read_bytes())
    content[len(content) // 2] ^= 1
    (out / SHARD).write_bytes(content)
    again = ["run", *GOOD, *SMALL, "--out", out]
    status, _, error = command(again)
    assert status == 1
    assert f"{out / SHARD} is truncated or damaged" in error
    (out / SHARD).unlink()
    assert command(again)[0] == 0
    assert metrics(out) == undisturbed


@needs_root
@pytest.mark.parametrize(
    ("stage", "free"),
    [
        # at a shard, the predictions, the node table
        *(("activations", kib) for kib in (20, 24, 28)),
        # at the edges, the manifest
        *(("edges", kib) for kib in (0, 4)),
        # at a layer's first table and its last, the graph files, the tables, the figures
        *(("communities", kib) for kib in (0, 24, 40, 64, 96, 128, 160)),
    ],
)
def test_full_disk_and_then_enough(command, folder_after, undisturbed, disk, stage, free):
    place, leave = disk
    out = place / "out"
    before = {"edges": "activations", "communities": "edges"}.get(stage)
    if before:
        folder_after(before, out)
    leave(free << 10)
    argv = [*COMMANDS[stage], "--out", out]
    status, _, error = command(argv)
    assert status == 1
    assert re.fullmatch(
        r"stratagraph: error: the disk is full: .* could not be written; free some space or choose "
        "another --out; what is finished is kept",
        error.splitlines()[-1],
    )
    assert not list(out.rglob("*.tmp"))
    for path in out.rglob("*.parquet"):
        pq.read_table(path, page_checksum_verification=True)
    (place / "filler").unlink()
    for left in list(COMMANDS)[list(COMMANDS).index(stage) :]:
        assert command([*COMMANDS[left], "--out", out])[0] == 0
    assert metrics(out) == undisturbed


def test_debug_shows_the_traceback_above_the_line(command, tmp_path):
    status, _, error = command(["edges", "--out", tmp_path / "out", "--debug"])
    assert status == 1
    assert error.startswith("Traceback (most recent call last):")
    assert error.splitlines()[-1].startswith("stratagraph: error: ")


def test_home_folder_in_the_name_of_a_model_file(command, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(MODELS.parent))
    argv = ["activations", "--model", "~/bad_models.py:good", *SMALL, "--out", tmp_path / "out"]
    assert command(argv)[0] == 0


def test_other_weights_of_the_same_name_are_another_run(command, bad_file, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    bad_file("good.pt")
    network = ("--model", "resnet8", "--weights", "~/good.pt")
    argv = ["activations", *network, *SMALL, "--out", tmp_path / "out"]
    assert command(argv)[0] == 0
    bad_file("halved.pt").replace(tmp_path / "good.pt")
    status, _, error = command(argv)
    assert status == 1
    assert "holds another run (other weights_file)" in error


@pytest.mark.parametrize("table", TABLES)
def test_metric_table_cut_short_does_not_pass_as_finished(
    command, folder_after, undisturbed, tmp_path, table
):
    out = tmp_path / "out"
    folder_after("communities", out)
    path = out / "metrics" / f"{table}.parquet"
    path.write_bytes(path.read_bytes()[:-40])
    assert command(["communities", "--out", out])[0] == 0
    assert metrics(out) == undisturbed


def test_figures_that_were_deleted_are_drawn_again(command, folder_after, tmp_path):
    out = tmp_path / "out"
    folder_after("communities", out)
    (out / "figures/curve.svg").unlink()
    assert command(["communities", "--out", out])[0] == 0
    assert (out / "figures/curve.svg").exists()


@needs_root
def test_forced_run_that_is_refused_leaves_the_old_one(command, folder_after, disk):
    place, leave = disk
    folder_after("communities", place / "out")
    leave(64 << 10)
    large = ("--model", "vgg16", "--samples", "500", "--repeats", "5")
    status, _, error = command(["run", *large, "--force", "--out", place / "out"])
    assert status == 1
    assert "MiB are needed" in error
    assert (place / "out/manifest.json").exists()
    assert metrics(place / "out")


@pytest.mark.parametrize(
    "again", [("run", *GOOD, *SMALL, "--force"), ("communities", "--gzip")], ids=["force", "gzip"]
)
def test_files_of_the_user_beside_the_exports_stay(command, folder_after, tmp_path, again):
    out = tmp_path / "out"
    folder_after("communities", out)
    own = out / "exports" / "clean-r0_dynamic.gephi"
    own.write_text("a project saved in Gephi")
    assert command([*again, "--out", out])[0] == 0
    assert own.exists()


@pytest.mark.data
def test_weights_of_another_network(command, data_folder, tmp_path):
    weights = data_folder / "weights" / "resnet20-12fca82f.th"
    images = ("--dataset", "parquet", "--data", data_folder / "cifar10-exact" / "test.parquet")
    argv = ["run", *images, "--weights", weights, *SMALL, "--out", tmp_path / "out"]
    status, _, error = command([*argv, "--model", "resnet32"])
    assert status == 1
    assert "does not fit resnet32: missing: layer1.3.conv1.weight" in error
    status, _, error = command([*argv, "--model", "resnet14"])
    assert status == 1
    assert "does not fit resnet14: unexpected: layer1.2.conv1.weight" in error
    assert not (tmp_path / "out").exists()


@pytest.mark.data
def test_download_that_broke_off(command, data_folder, tmp_path):
    whole = (data_folder / "cifar10-exact" / "test.parquet").open("rb")
    with whole:
        (tmp_path / "test.parquet").write_bytes(whole.read(1 << 20))
    images = ("--dataset", "parquet", "--data", tmp_path / "test.parquet")
    status, _, error = command(
        ["run", "--model", "resnet20", *images, *SMALL, "--out", tmp_path / "out"]
    )
    assert status == 1
    assert "test.parquet is no readable Parquet file, or cut short" in error
    assert error.count("\n") == 1
