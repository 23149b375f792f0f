import subprocess
import sys
from pathlib import Path

import pytest
from upath import UPath

from graphs.errors import RunError
from graphs.places import remote, resolve_folder


@pytest.mark.parametrize("given", ["runs/first", Path("runs/first"), "/tmp/a b", "C:/run", "a:b/c"])
def test_paths_stay_paths(given):
    found = resolve_folder(given)
    assert isinstance(found, Path)
    assert found == Path(given)
    assert remote(found) is None


@pytest.mark.parametrize(
    "given", ["file:///tmp/a%20b", "file://localhost/tmp/a%20b", Path("file:///tmp/a%20b")]
)
def test_a_file_url_is_a_path(given):
    assert resolve_folder(given) == Path("/tmp/a b")


@pytest.mark.parametrize(
    "given", ["s3://bucket/a/run", "s3://bucket/a/run/", "S3://bucket/a/run", "s3:/bucket/a/run"]
)
def test_a_url_stays_one_however_it_is_written(given):
    for location in (given, Path(given), resolve_folder(given)):
        found = resolve_folder(location)
        assert remote(found) is found
        assert str(found) == "s3://bucket/a/run"
        assert str(found / "metrics" / "layers.parquet") == f"{found}/metrics/layers.parquet"
    assert (found.name, str(found.parent)) == ("run", "s3://bucket/a")


def test_the_options_of_a_upath_are_kept():
    found = resolve_folder(UPath("s3://bucket/run", endpoint_url="http://127.0.0.1:9"))
    assert (found / "a").storage_options["endpoint_url"] == "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("foo://bucket/run", "foo://bucket/run: no file system is known for foo://; use s3://"),
        ("cache::s3://b/run", "no file system is known for cache::s3://; use s3://"),
        ("gs://bucket/run", r"package for gs:// is not installed \(.*gcsfs.*\); install it"),
        ("s3://", "s3:// names no bucket or host; write s3://bucket/folder"),
        (Path("s3://"), "s3:// names no bucket or host; write s3://bucket/folder"),
        ("s3://bucket/run*", r"run\* holds a wildcard .*; choose another name"),
        ("s3://bucket/run[1]", r"holds a wildcard .*; choose another name"),
        ("file://host/run", "names the host 'host'; write file:///host/"),
    ],
)
def test_a_wrong_url_is_an_error_before_anything_is_asked(location, message):
    with pytest.raises(RunError, match=message):
        resolve_folder(location)


def run_without(package, code):
    """Run code where a package cannot be imported."""
    block = f"""
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == {package!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name={package!r})
sys.meta_path.insert(0, Blocker())
"""
    command = [sys.executable, "-c", block + code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("package", "message"),
    [
        ("upath", "s3://b/run: folders at a URL need the package upath; install it with pip ins"),
        ("fsspec", "s3://b/run: folders at a URL need the package fsspec; install it with pip"),
        ("s3fs", "s3://b/run: the package for s3:// is not installed (Install s3fs to access S3);"),
    ],
)
def test_a_missing_package_is_named(package, message):
    code = """
from graphs.errors import RunError
from graphs.places import resolve_folder
assert resolve_folder("runs/first").name == "first"
try:
    resolve_folder("s3://b/run")
except RunError as error:
    print(error)
"""
    done = run_without(package, code)
    assert done.stdout.startswith(message), done.stderr
    assert "pip install -e '.[remote]'" in done.stdout


def test_local_runs_import_no_fsspec():
    code = """
import sys, graphs, graphs.runs, graphs.shards, graphs.export
graphs.runs.Run(graphs.runs.resolve_folder("nowhere"))
print(sorted({"fsspec", "upath", "s3fs"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
