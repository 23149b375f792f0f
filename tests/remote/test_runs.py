"""The stages with their run folder in an object store, compared with a local run."""

import logging
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import networkx as nx
import pandas as pd
import pytest

from graphs.errors import RunError
from graphs.export import check_gephi
from graphs.places import resolve_folder
from graphs.runs import METRIC_TABLES, Run
from pipeline.cli import main
from pipeline.devices import require_disk, require_writable
from pipeline.export_command import export_graphs
from pipeline.options import Images, Neighbours, Network, Work
from pipeline.report_command import write_report
from pipeline.run import run_stages
from pipeline.stage1_activations import dump_activations
from pipeline.stage2_edges import build_edges
from pipeline.studies.compare import study_compare
from pipeline.studies.similarity import study_similarity
from pipeline.studies.tsne import study_tsne

NETWORK, IMAGES = Network(model="mlp"), Images(samples=60, repeats=2)
QUIET = Work(progress=False)
OPTIONS = ["--model", "mlp", "--samples", "60", "--repeats", "2", "--no-progress"]


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """A run on this machine."""
    return run_stages(
        tmp_path_factory.mktemp("local") / "run", network=NETWORK, images=IMAGES, work=QUIET
    )


@pytest.fixture(scope="module")
def remote(bucket, store):
    """The same run in the object store, where every object has a version from here on."""
    store.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    url = f"s3://{bucket}/same/run"
    return run_stages(Path(url), network=NETWORK, images=IMAGES, work=QUIET)


@pytest.fixture
def fresh(remote):
    """A copy of the remote run, to be harmed."""
    copy = resolve_folder(f"{str(remote).removesuffix('same/run')}{uuid.uuid4().hex}/run")
    for name in remote.sizes():
        copy.fs.copy((remote / name).path, (copy / name).path)
    return copy


@pytest.fixture
def command(capsys):
    """Run the command line in this process; return exit status, output and error output."""
    logger = logging.getLogger("stratagraph")

    def run(*tokens):
        logger.handlers.clear()  # they hold the error output of an earlier test
        with pytest.raises(SystemExit) as leaving:
            main([str(token) for token in tokens])
        return leaving.value.code, *capsys.readouterr()

    yield run
    logger.handlers.clear()
    logger.propagate = True


def contents(store, folder):
    """Return version and bytes of every object below a folder, by its path from there."""
    bucket, _, prefix = str(folder).removeprefix("s3://").partition("/")
    pages = store.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
    found = {}
    for entry in (entry for page in pages for entry in page.get("Contents", [])):
        there = store.get_object(Bucket=bucket, Key=entry["Key"])
        name = entry["Key"].removeprefix(f"{prefix}/")
        found[name] = (there["VersionId"], there["Body"].read())
    return found


@pytest.mark.slow
def test_all_files_are_those_of_a_local_run(local, remote, store):
    there = {name: data for name, (_, data) in contents(store, remote).items()}
    here = {
        str(path.relative_to(local)): path.read_bytes()
        for path in local.rglob("*")
        if path.is_file()
    }
    assert there.keys() == here.keys()
    assert {f"metrics/{name}.parquet" for name in METRIC_TABLES} <= there.keys()
    assert [name for name in here if there[name] != here[name]] in ([], ["manifest.json"])
    stages = Run(remote).manifest["stages"]
    for name, entry in Run(local).manifest["stages"].items():
        assert stages[name] | {"command": ""} == entry | {"command": ""}


@pytest.mark.slow
def test_pandas_reads_the_tables_where_they_lie(local, remote):
    url = f"{remote}/metrics/layers.parquet"
    pd.testing.assert_frame_equal(
        pd.read_parquet(url), pd.read_parquet(local / "metrics" / "layers.parquet")
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("study", "options"),
    [
        (study_similarity, {"work": QUIET}),
        (study_tsne, {"work": QUIET, "perplexity": 10}),
        (study_compare, {}),
    ],
)
def test_studies_read_a_run_there_and_write_there(local, remote, bucket, tmp_path, study, options):
    name = study.__name__.removeprefix("study_")
    here = study(local, out=tmp_path / name, **options)
    there = study(Path(str(remote)), out=Path(f"s3://{bucket}/studies/{name}"), **options)
    pd.testing.assert_frame_equal(
        pd.read_parquet(f"{there}/metrics/{name}.parquet"),
        pd.read_parquet(here / "metrics" / f"{name}.parquet"),
    )
    assert (there / "figures" / f"{name}.png").exists()


@pytest.mark.slow
def test_only_what_is_missing_is_made_again(fresh, store):
    before = contents(store, fresh)
    shard = "variant=clean/repeat=1/activations/layer=001/part-00000.parquet"
    edges = "variant=clean/repeat=0/edges/layer=000.parquet"
    for name in (shard, edges):
        (fresh / name).unlink()
    run_stages(fresh, network=NETWORK, images=IMAGES, work=QUIET)
    after = contents(store, fresh)
    assert after.keys() == before.keys()
    assert [name for name in after if after[name][1] != before[name][1]] in ([], ["manifest.json"])
    kept = [name for name in after if after[name][0] == before[name][0]]
    part = "variant=clean/repeat=1/activations/layer=000/part-00000.parquet"
    # a part of 60 samples is read once for all of its layers; edges are as good as they were
    assert shard not in kept
    assert edges not in kept
    assert "variant=clean/repeat=0/activations/layer=001/part-00000.parquet" in kept
    assert "variant=clean/repeat=0/edges/layer=001.parquet" in kept
    assert "variant=clean/repeat=0/nodes.parquet" in kept
    assert part not in kept


@pytest.mark.slow
def test_a_finished_run_is_not_touched(fresh, store, command):
    before = contents(store, fresh)
    status, out, err = command("run", *OPTIONS, "--out", fresh)
    assert (status, out) == (0, f"{fresh}\n")
    assert err.count("nothing to do") == 3
    after = contents(store, fresh)
    assert {name for name in after if after[name] != before[name]} <= {"manifest.json"}


@pytest.mark.slow
def test_another_run_is_refused_or_replaced(fresh, store, command):
    other = ["--model", "mlp", "--samples", "60", "--repeats", "1", "--seed", "1"]
    status, _, err = command("activations", *other, "--out", fresh)
    assert status == 1
    assert f"{fresh} holds another run (seed was 0 and is now 1); choose another --out" in err
    status, _, _ = command("activations", *other, "--out", fresh, "--force")
    assert status == 0
    names = contents(store, fresh)
    assert {name.split("/")[0] for name in names} == {"manifest.json", "variant=clean"}
    assert not [name for name in names if "repeat=1" in name or "edges" in name]


@pytest.mark.slow
def test_another_k_keeps_the_activations(fresh, store):
    before = contents(store, fresh)
    build_edges(fresh, neighbours=Neighbours(k=4), work=QUIET)
    after = contents(store, fresh)
    kept = [name for name in after if after[name] == before[name]]
    assert sorted(kept) == [
        name for name in sorted(before) if name.startswith("variant") and "edges" not in name
    ]
    assert not [name for name in after if name.startswith(("metrics", "exports", "figures"))]


@pytest.mark.slow
def test_layers_and_repeats_that_are_not_asked_for_go(fresh, store, command):
    fewer = ["--model", "mlp", "--samples", "60", "--repeats", "1", "--layers", "net.2"]
    status, _, err = command("activations", *fewer, "--out", fresh)
    assert status == 0, err
    assert f"{fresh}/variant=clean/repeat=1 is not part of this run any more" in err
    names = [name for name in contents(store, fresh) if name.startswith("variant")]
    assert sorted(names) == [
        "variant=clean/repeat=0/activations/layer=000/part-00000.parquet",
        "variant=clean/repeat=0/edges/layer=000.parquet",
        "variant=clean/repeat=0/nodes.parquet",
    ]


@pytest.mark.slow
def test_graphs_are_exported_to_a_url_and_from_one(remote, local, bucket, store, tmp_path):
    packed = f"s3://{bucket}/packed"
    assert str(export_graphs(remote, to=Path(packed), gzip=True)) == packed
    files = contents(store, packed)
    assert {name.split("_")[-1] for name in files} >= {"union.graphml.gz", "dynamic.gexf.gz"}
    export_graphs(remote, to=tmp_path / "from", gzip=True)
    export_graphs(local, to=tmp_path / "local", gzip=True)
    for path in (tmp_path / "from").iterdir():
        assert path.read_bytes() == files[path.name][1]
        assert path.read_bytes() == (tmp_path / "local" / path.name).read_bytes()
        assert check_gephi(path) == []
    union = nx.read_graphml(tmp_path / "from" / "clean-r0_union.graphml.gz")
    assert union.number_of_nodes() == 60


@pytest.mark.slow
def test_a_page_is_made_and_replaced_at_a_url(fresh, bucket, store):
    for _ in range(2):
        assert str(write_report(fresh)) == f"{fresh}/report.html"
    page = contents(store, fresh)["report.html"][1].decode()
    assert '<div class="graph"' in page
    assert f"stratagraph plan {fresh}" in page


def test_a_local_folder_may_be_a_file_url(tmp_path, command):
    status, out, _ = command("activations", *OPTIONS, "--out", f"file://{tmp_path}/run")
    assert (status, out) == (0, f"{tmp_path}/run\n")
    assert (tmp_path / "run" / "manifest.json").exists()


@pytest.mark.parametrize(
    "stage", [["run", *OPTIONS], ["activations", *OPTIONS], ["edges"], ["communities"], ["export"]]
)
@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("foo://bucket/run", "no file system is known for foo://; use s3://"),
        ("s3://no-such-bucket/run", "does not exist); create the bucket or folder, or choose"),
        ("s3://", "s3:// names no bucket or host; write s3://bucket/folder"),
    ],
)
def test_a_wrong_url_is_one_line_before_any_work(
    stage, location, message, command, endpoint, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    status, out, err = command(*stage, "--out", location)
    if stage == ["export"] and "no-such-bucket" in location:
        # it reads first: there is no run
        message = "s3://no-such-bucket/run has no finished stage 1"
    assert (status, out) == (1, "")
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_killed_run_goes_on(bucket, store, endpoint, remote):
    """Killed while it waits for the store to take a shard; nothing of the shard is there."""
    url = f"s3://{bucket}/{uuid.uuid4().hex}/run"
    code = f"""
import os, signal, s3fs
from pathlib import Path
from pipeline.options import Images, Network
from pipeline.stage1_activations import dump_activations
put = s3fs.S3FileSystem._put_file
count = 0
async def die(self, local, path, **options):
    global count
    count += 1
    if count == 6:
        os.kill(os.getpid(), signal.SIGKILL)
    return await put(self, local, path, **options)
s3fs.S3FileSystem._put_file = die
dump_activations(Path("{url}"), network=Network(model="mlp"), images=Images(samples=60, repeats=2))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    left = contents(store, url)
    first = [name for name in left if "repeat=0" in name]
    assert len(first) == 3  # two shards and the node table
    assert len(left) == 4  # and one of the two shards of the second repeat
    dump_activations(Path(url), network=NETWORK, images=IMAGES, work=QUIET)
    after, whole = contents(store, url), contents(store, remote)
    assert len(after) == 7
    assert all(after[name] == left[name] for name in first)
    assert all(after[name][1] == whole[name][1] for name in after if name != "manifest.json")


@pytest.mark.parametrize("name", ["train", "demo"])
def test_what_is_no_run_is_kept_local(name, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ["--model", "mlp"] if name == "train" else []
    status, _, err = command(name, *options, "--out", "s3://bucket/run")
    assert status == 1
    assert "is a URL, at which only runs can lie; choose a local folder as --out" in err
    assert list(tmp_path.iterdir()) == []


def test_the_room_for_temporary_files_is_looked_at(tmp_path):
    folder = resolve_folder("memory://bucket/run")
    require_writable(folder)
    require_disk(folder, 2**60, at_once=1)
    with pytest.raises(RunError, match=r"1 EiB|\d TiB are needed in .* free; .*TMPDIR"):
        require_disk(folder, 2**60)
