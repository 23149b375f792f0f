import os
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphs.errors import ResourceError, RunError
from pipeline.devices import (
    format_bytes,
    parse_bytes,
    require_disk,
    require_writable,
    resolve_device,
)

no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")


def test_auto_and_cpu():
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert resolve_device().type == resolve_device(" AUTO ").type


@no_gpu
@pytest.mark.parametrize("name", ["cuda", "cuda:0"])
def test_no_gpu(name):
    with pytest.raises(ResourceError, match=f"'{name}' was asked for but .*; use --device cpu or"):
        resolve_device(name)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_gpu():
    assert resolve_device("cuda").type == "cuda"
    assert resolve_device("cuda:0").index == 0
    with pytest.raises(ResourceError, match=r"there are .* GPU"):
        resolve_device("cuda:99")


@pytest.mark.parametrize("name", ["gpu", "", "cuda:x", "tpu", "cuda1"])
def test_unknown_device(name):
    with pytest.raises(ResourceError, match=f"device '{name}' is unknown; choose auto, cpu or cu"):
        resolve_device(name)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4GiB", 4 * 2**30),
        ("500MB", 500 * 10**6),
        ("1.5 kib", 1536),
        ("2 kB", 2000),
        ("1TB", 10**12),
        ("1TiB", 2**40),
        ("100B", 100),
        ("12", 12),
        (12, 12),
    ],
)
def test_parse_bytes(text, size):
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "GiB", "4GX", "-1GiB", "four", "1e9", "4G", "1,5GB", "nan"])
def test_no_size(text):
    with pytest.raises(ResourceError, match=f"'{text}' is no size in bytes; write 4GiB"):
        parse_bytes(text)


@pytest.mark.parametrize("text", ["0", "0GiB", "0.5", "0.1B"])
def test_no_positive_size(text):
    with pytest.raises(ResourceError, match=f"'{text}' is no positive number of bytes"):
        parse_bytes(text)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "0.977 KiB"),
        (1536, "1.5 KiB"),
        (2**30, "1 GiB"),
        (6.25 * 2**30, "6.25 GiB"),
        (5000 * 2**40, "5000 TiB"),
    ],
)
def test_format_bytes(count, text):
    assert format_bytes(count) == text


@given(st.integers(1, 2**50))
def test_sizes_survive_writing_to_three_digits(count):
    assert parse_bytes(format_bytes(count)) == pytest.approx(count, rel=0.006)


def test_disk(tmp_path):
    require_disk(tmp_path / "not" / "yet", 1)
    with pytest.raises(
        ResourceError, match=r"[0-9]+ TiB are needed in .*/not/yet, .* are free; free some space"
    ):
        require_disk(tmp_path / "not" / "yet", 2**60)
    assert not (tmp_path / "not").exists()


def test_writable(tmp_path):
    require_writable(tmp_path)
    require_writable(tmp_path / "not" / "yet")
    assert list(tmp_path.iterdir()) == []


def test_folder_under_a_file(tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(
            RunError, match=r"file.* cannot be written to .Not a directory.; choose"
        ):
            require_writable(folder)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_folder_that_takes_no_files():
    with pytest.raises(RunError, match="/proc/run cannot be written to"):
        require_writable(Path("/proc/run"))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(RunError, match=r"cannot be written to \(Permission denied\)"):
        require_writable(tmp_path / "run")
