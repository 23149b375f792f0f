import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from graphs.errors import ResourceError, RunError
from graphs.files import temporary_name
from pipeline.training import checkpoints

CPU = torch.device("cpu")


def test_round_trip(tmp_path):
    content = {"format": checkpoints.FORMAT, "state_dict": {"w": torch.rand(3)}, "at": (1, "a")}
    checkpoints.save(tmp_path / "last.pt", content)
    loaded = checkpoints.load(tmp_path / "last.pt", device=CPU)
    assert torch.equal(loaded["state_dict"]["w"], content["state_dict"]["w"])
    assert loaded["at"] == (1, "a")
    assert [path.name for path in tmp_path.iterdir()] == ["last.pt"]


def test_damaged(tmp_path):
    path = tmp_path / "last.pt"
    checkpoints.save(path, {"format": checkpoints.FORMAT, "w": torch.rand(1000)})
    whole = path.read_bytes()
    for content in (b"", b"text", whole[:100], whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(RunError, match=r"last.pt is damaged .*; remove it or begin anew with"):
            checkpoints.load(path, device=CPU)


@pytest.mark.parametrize("content", [{"format": "stratagraph.checkpoint/2"}, {"a": 1}, [1, 2]])
def test_other_format(tmp_path, content):
    torch.save(content, tmp_path / "last.pt")
    with pytest.raises(RunError, match=r"is of format .*, 'stratagraph.checkpoint/1' is expected"):
        checkpoints.load(tmp_path / "last.pt", device=CPU)


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    torch.save(nn.Linear(1, 1), tmp_path / "last.pt")
    with pytest.raises(RunError, match=r"last.pt is damaged"):
        checkpoints.load(tmp_path / "last.pt", device=CPU)


def test_folder_in_the_place_of_the_file(tmp_path):
    (tmp_path / "a.pt").mkdir()
    with pytest.raises(RunError, match=r"a.pt cannot be written: Is a directory; choose"):
        checkpoints.save(tmp_path / "a.pt", {})
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk(tmp_path):
    (tmp_path / "a.pt").write_bytes(b"old")
    # The temporary file is a device that is always full.
    (tmp_path / temporary_name("a.pt")).symlink_to("/dev/full")
    with pytest.raises(ResourceError, match=r"the disk is full: .*a.pt could not be written"):
        checkpoints.save(tmp_path / "a.pt", {"weight": torch.zeros(9)})
    assert (tmp_path / "a.pt").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_folder_that_takes_no_files():
    with pytest.raises(RunError, match=r"/proc/a.pt cannot be written"):
        checkpoints.save(Path("/proc/a.pt"), {})


def test_differences_are_listed(tmp_path):
    path = tmp_path / "last.pt"
    checkpoints.require_same(path, saved={"lr": 0.1}, now={"lr": 0.1})
    with pytest.raises(
        RunError, match=r"last.pt belongs to another training: lr was 0.1, now 0.2; model was aaaa"
    ):
        checkpoints.require_same(
            path, saved={"lr": 0.1, "model": "a" * 64}, now={"lr": 0.2, "model": "b" * 64}
        )


def test_digest_of_a_network():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).to(torch.bfloat16)
    before = checkpoints.digest_state(model)
    assert checkpoints.digest_state(model) == before
    with torch.no_grad():
        model[0].weight[1, 1] += 1
    assert checkpoints.digest_state(model) != before
