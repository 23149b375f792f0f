import json
import os
import shutil
import subprocess

import pytest

from graphs.errors import ResourceError, RunError, StratagraphError
from graphs.files import digest_file, digest_json, read_json, replacing, write_json


def test_a_file_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "deep" / "a.txt"
    with replacing(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
        assert temporary.parent == path.parent
    assert path.read_text() == "whole"
    assert os.listdir(path.parent) == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_an_exception_the_old_file_stays_and_nothing_else(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(error), replacing(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        RunError, match="cannot be written: (Not a directory|File exists); choose another --out"
    ):
        write_json(tmp_path / "file" / "a.json", {})


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 64 kB."""
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("mounting a small disk needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let a test mount a disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_an_error_and_leaves_nothing(small_disk):
    with pytest.raises(ResourceError, match="the disk is full: .*a.bin could not be written"):
        with replacing(small_disk / "a.bin") as temporary:
            temporary.write_bytes(b"0" * 200_000)
    assert os.listdir(small_disk) == []


def test_json_keeps_its_order_and_reads_back(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": ["é"]})
    assert list(json.loads((tmp_path / "a.json").read_text("utf-8"))) == ["b", "a"]
    assert read_json(tmp_path / "a.json") == {"b": 1, "a": ["é"]}


@pytest.mark.parametrize("text", ["{", "[1]", "\x00"])
def test_what_is_no_json_object_is_an_error(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(RunError, match=r"a\.json (cannot be read|holds no JSON object).*delete it"):
        read_json(tmp_path / "a.json")


def test_digests_tell_contents_apart(tmp_path):
    for name, text in (("a", "one"), ("b", "one"), ("c", "two")):
        (tmp_path / name).write_text(text)
    a, b, c = (digest_file(tmp_path / name) for name in "abc")
    assert a == b != c
    assert digest_json([1, 2]) != digest_json([2, 1])


def test_errors_are_one_line_and_survive_pickling():
    import pickle

    error = RunError("a\nb", "do  c")
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error) == "a b; do c"
    assert isinstance(copy, StratagraphError)
