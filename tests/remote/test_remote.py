import errno
import os
import pickle
import socket
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from s3fs import S3FileSystem

import graphs.remote
from graphs.errors import CorruptFileError, ResourceError, RunError
from graphs.files import STAGING, read_json, remove_tree, replacing, sweep, write_json
from graphs.places import resolve_folder
from graphs.runs import Run, holds
from graphs.shards import LayerRows
from graphs.tables import ShardWriter, read_frame, write_table

VALUES = 300
NODES = pd.DataFrame(
    {
        "node": np.arange(4, dtype=np.int32),
        "sample": np.arange(4),
        "label": np.array([0, 1, 0, 1], np.int32),
        "label_name": list("abab"),
        "predicted": pd.Series([0, 1, None, 1], dtype="Int32"),
        "confidence": pd.Series([0.5, None, 1, 1], dtype="Float32"),
    }
)


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """A folder for temporary files that nobody else uses."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return place


def shard(path, rows):
    """Write a shard in row groups of 256: row i of the layer holds i, i + 1, ..."""
    with ShardWriter(path, VALUES, dtype="float32", metadata={"digest": "d"}) as writer:
        for at in range(rows.start, rows.stop, 256):
            nodes = np.arange(at, min(at + 256, rows.stop), dtype=np.int32)
            writer.write(nodes, values(nodes))


def values(nodes):
    return (nodes[:, None] + np.arange(VALUES)).astype(np.float32)


def test_a_file_appears_when_the_block_ends(folder, temporary):
    path = folder / "deep" / "a.txt"
    with replacing(path) as local:
        local.write_text("whole")
        assert not path.exists()
        assert local.is_relative_to(temporary)
    assert path.read_text() == "whole"
    assert [place.name for place in path.parent.iterdir()] == ["a.txt"]
    assert os.listdir(temporary) == []
    with replacing(path) as local:
        local.write_text("other")
    assert path.read_text() == "other"
    assert folder.sizes() == {"deep/a.txt": 5}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_an_exception_the_old_file_stays_and_nothing_else(folder, temporary, error):
    write_json(folder / "a.json", {"old": 1})
    with pytest.raises(error), replacing(folder / "a.json") as local:
        local.write_text("half")
        raise error
    assert read_json(folder / "a.json") == {"old": 1}
    assert os.listdir(temporary) == []


def test_a_full_disk_for_temporary_files_is_said(folder, temporary):
    message = rf"the disk of {temporary} is full: .*a.txt is put together there; .*TMPDIR"
    with pytest.raises(ResourceError, match=message), replacing(folder / "a.txt"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert not (folder / "a.txt").exists()


def test_folders_are_listed_and_removed(folder):
    for name in ("a=1/x.json", "a=1/b/y.json", "a=2/x.json", "c.json"):
        write_json(folder / name, {})
    assert sorted(path.name for path in folder.iterdir()) == ["a=1", "a=2", "c.json"]
    assert sorted(map(str, folder.glob("a=*/*.json"))) == [
        f"{folder}/a={number}/x.json" for number in (1, 2)
    ]
    assert set(folder.glob("a=[0-1]")) == {folder / "a=1"}
    assert (folder / "a=1").is_dir()
    assert not (folder / "c.json").is_dir()
    remove_tree(folder / "a=1")
    remove_tree(folder / "nothing")
    (folder / "c.json").unlink()
    (folder / "c.json").unlink(missing_ok=True)
    assert list(folder.sizes()) == ["a=2/x.json"]
    (folder / "a=2" / "x.json").unlink()
    if (folder / "a=2").exists():  # not in an object store
        (folder / "a=2").rmdir()
    assert not (folder / "a=2").exists()
    write_json(folder / "a=3" / "x.json", {})
    remove_tree(folder)
    assert folder.sizes() == {}


def test_a_path_survives_pickling(folder):
    write_json(folder / "a.json", {"a": 1})
    copy = pickle.loads(pickle.dumps(folder))
    assert copy == folder
    assert read_json(copy / "a.json") == {"a": 1}


def test_a_table_is_the_same_bytes_as_a_local_one(folder, tmp_path):
    for path in (folder / "nodes.parquet", tmp_path / "nodes.parquet"):
        write_table(NODES, path, "nodes", metadata={"digest": "d"})
    with (folder / "nodes.parquet").open("rb") as stream:
        assert stream.read() == (tmp_path / "nodes.parquet").read_bytes()
    pd.testing.assert_frame_equal(
        read_frame(folder / "nodes.parquet", "nodes"),
        read_frame(tmp_path / "nodes.parquet", "nodes"),
    )


def test_what_is_finished_is_told_from_the_footer(folder):
    path = folder / "nodes.parquet"
    assert not holds(path, "nodes", "d")
    write_table(NODES, path, "nodes", metadata={"digest": "d"})
    assert holds(path, "nodes", "d")
    assert not holds(path, "nodes", "other")
    assert not holds(path, "edges", "d")


def test_rows_are_read_across_shards(folder):
    parts = [folder / "part-00000.parquet", folder / "part-00001.parquet"]
    for part, rows in zip(parts, (range(600), range(600, 1000)), strict=True):
        shard(part, rows)
    layer = LayerRows(parts)
    assert layer.shape == (1000, VALUES)
    for rows in (slice(0, 10), slice(500, 700), slice(255, 257), slice(0, 1000), slice(999, 1000)):
        np.testing.assert_array_equal(layer[rows], values(np.arange(1000)[rows]))


def test_a_range_of_rows_costs_a_range_of_bytes(bucket, monkeypatch):
    path = resolve_folder(f"s3://{bucket}/ranges/part-00000.parquet")
    shard(path, range(2048))
    asked = Counter()
    call = S3FileSystem._call_s3

    async def count(self, method, *arguments, **options):
        if method == "get_object":
            first, last = options["Range"].removeprefix("bytes=").split("-")
            asked["bytes"] += int(last) + 1 - int(first)
            asked["requests"] += 1
        return await call(self, method, *arguments, **options)

    monkeypatch.setattr(S3FileSystem, "_call_s3", count)
    layer = LayerRows([path])
    footer = asked.copy()
    assert footer["requests"] == 1
    assert footer["bytes"] <= 1 << 16  # what pyarrow reads of a file's end
    asked.clear()
    np.testing.assert_array_equal(layer[300:301], values(np.array([300])))
    group = 256 * (4 + 4 * VALUES)
    assert group <= asked["bytes"] - footer["bytes"] <= 1.01 * group  # and the pages' headers
    assert asked["requests"] == 2


def test_a_missing_or_cut_shard_is_an_error(folder):
    path = folder / "part-00000.parquet"
    with pytest.raises(CorruptFileError, match="part-00000.parquet is missing; run `stratagraph"):
        LayerRows([path])
    shard(path, range(300))
    with path.open("rb") as stream:
        data = stream.read()
    for cut in (data[:-100], data[:1000], b""):
        path.fs.pipe_file(path.path, cut)
        with pytest.raises(CorruptFileError, match="part-00000.parquet is truncated or damaged"):
            LayerRows([path])
        assert not holds(path, "activations", "d")
    damaged = bytearray(data)
    damaged[5000] ^= 1
    path.fs.pipe_file(path.path, bytes(damaged))
    with pytest.raises(CorruptFileError, match=r"is truncated or damaged \(.*checksum"):
        LayerRows([path])[:]


def test_only_upload_writes(folder):
    with pytest.raises(NotImplementedError, match="upload"):
        (folder / "a").open("w")


def test_what_killed_writers_left_is_swept(folder, temporary):
    for name in (f"{STAGING}{2**22 - 7}-x", f"{STAGING}{os.getpid()}-x", f"{STAGING}other", "else"):
        (temporary / name).mkdir()
        (temporary / name / "part-00000.parquet").write_text("half")
    sweep(folder)
    assert sorted(os.listdir(temporary)) == sorted(
        [f"{STAGING}{os.getpid()}-x", f"{STAGING}other", "else"]
    )


def test_a_probe_leaves_nothing(folder):
    folder.require_writable()
    folder.require_answer()
    assert folder.sizes() == {}


def test_a_run_knows_what_is_no_run(folder):
    assert Run(folder).manifest == {}
    (folder / "mine.txt").fs.makedirs(folder.path, exist_ok=True)
    (folder / "mine.txt").fs.pipe_file((folder / "mine.txt").path, b"mine")
    with pytest.raises(RunError, match="run holds files that are no run; choose another --out"):
        Run(folder)
    with pytest.raises(RunError, match=r"mine.txt is a file, not a folder; choose another --out"):
        Run(folder / "mine.txt")


def test_a_run_is_cleared_but_for_files_of_the_user(folder):
    run = Run(folder)
    write_json(folder / "notes.json", {})
    place = run.repeat("clean", 0)
    shard(place.shard(0, 0), range(10))
    write_table(NODES, place.nodes, "nodes")
    write_json(run.exports / "clean-r0_L00_relu.graphml", {})
    run.finish("edges", {"parameters": {}}, command="")
    assert run.size() == sum(
        size for name, size in folder.sizes().items() if name.endswith(".parquet")
    )
    assert run.size() > 10 * 4 * VALUES
    assert Run(folder).stage("edges")["state"] == "done"
    Run(folder).clear()
    assert list(folder.sizes()) == ["notes.json"]


def test_no_such_bucket_is_an_error(endpoint):
    folder = resolve_folder("s3://no-such-bucket/run")
    message = "s3://no-such-bucket/run cannot be {} .*does not exist.*create the bucket"
    with pytest.raises(RunError, match=message.format("reached")):
        folder.require_writable()
    with pytest.raises(RunError, match="a.json cannot be written .*bucket.*create the bucket"):
        write_json(folder / "a.json", {})


def test_without_credentials_there_is_an_error(endpoint, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    S3FileSystem.clear_instance_cache()
    with pytest.raises(RunError, match="Unable to locate credentials.; check the credentials"):
        resolve_folder("s3://bucket/run").require_writable()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            PermissionError(errno.EACCES, "Access Denied"),
            r"\(Access Denied\); check the credentials",
        ),
        (TimeoutError(), r"\(TimeoutError\); check the address, the network"),
        (ValueError("a.\nb"), r"\(a\); check the address, the network"),
        (ImportError("Install x"), r"\(Install x\); install what it names"),
    ],
)
def test_errors_of_any_file_system_become_one_line(error, message):
    folder = resolve_folder("memory://bucket/run")
    with pytest.raises(RunError, match=f"memory://bucket/run cannot be written {message}"):
        with graphs.remote.explained(folder, "written"):
            raise error


@pytest.fixture
def silent():
    """Address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_an_endpoint_that_never_answers_is_given_up(endpoint, silent, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", silent)
    monkeypatch.setattr(graphs.remote, "ANSWER_SECONDS", 1.0)
    S3FileSystem.clear_instance_cache()
    begun = time.monotonic()
    with pytest.raises(RunError, match="s3://bucket/run does not answer within 1 s; check the add"):
        Run(Path("s3://bucket/run"))
    assert time.monotonic() - begun < 10


def test_an_endpoint_that_is_not_there_is_an_error(endpoint, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    S3FileSystem.clear_instance_cache()
    with pytest.raises(
        RunError, match="s3://bucket/run (cannot be reached .Could not connect|does not answer)"
    ):
        Run(Path("s3://bucket/run"))
    # who mends the environment and asks again is not led there again
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    assert Run(Path("s3://bucket/run")).manifest == {}
