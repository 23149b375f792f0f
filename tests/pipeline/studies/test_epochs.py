"""Checkpoints by number, and the training that makes them."""

import shutil

import pytest
import torch

from graphs.errors import RunError, WeightsError
from pipeline.data import load_data
from pipeline.models import load_model
from pipeline.models.weights import read_state_dict
from pipeline.options import Images, Machine, Network, Work
from pipeline.studies.epochs import find_epochs, thin_out, train_epochs
from pipeline.training import Recipe, evaluate


@pytest.fixture
def model():
    return load_model("resnet8", input_shape=(1, 8, 8))


@pytest.fixture
def state(model):
    return model.state_dict()


def test_files_are_sorted_by_the_number_in_their_name(tmp_path, model, state):
    for name in ("net-10.pth", "net-9.pth", "run2_net_11.th"):
        torch.save(state, tmp_path / name)
    for name in ("last.pt", "notes-3.txt", ".hidden-4.pt"):
        (tmp_path / name).write_text("passed over")
    found = find_epochs(tmp_path, model=model)
    assert [(epoch.number, epoch.weights.name) for epoch in found] == [
        (9, "net-9.pth"), (10, "net-10.pth"), (11, "run2_net_11.th"),
    ]  # fmt: skip
    assert [epoch.name for epoch in found] == ["epoch-009", "epoch-010", "epoch-011"]
    assert {epoch.test_accuracy for epoch in found} == {None}


def test_checkpoints_of_ours_know_their_accuracy(trained, model):
    found = find_epochs(trained, model=model)
    assert [epoch.number for epoch in found] == [1, 2]
    expected = evaluate(load_model_from(found[1].weights), load_data("digits", split="test"))
    assert found[1].test_accuracy == expected


def load_model_from(path):
    return load_model("resnet8", input_shape=(1, 8, 8), weights=path)


@pytest.mark.parametrize("wrong", [93.2, -0.1, float("nan")])
def test_accuracies_that_are_no_shares_are_left_out(tmp_path, model, state, caplog, wrong):
    """All of the folder: in percent, those of the first epochs may look like shares."""
    for number, accuracy in enumerate((0.9, wrong, wrong), start=1):
        content = {"state_dict": state, "test_accuracy": accuracy}
        torch.save(content, tmp_path / f"epoch-{number}.pt")
    found = find_epochs(tmp_path, model=model)
    assert [epoch.test_accuracy for epoch in found] == [None] * 3
    assert caplog.messages == [
        f"epoch-2.pt says test_accuracy {wrong:g}, which is no share from 0 to 1: "
        "test accuracies of this folder are left out"
    ]


def test_what_is_no_folder_of_checkpoints_is_an_error(tmp_path, model, state):
    with pytest.raises(RunError, match="nothing is no folder; give --checkpoints a folder"):
        find_epochs(tmp_path / "nothing", model=model)
    with pytest.raises(RunError, match="holds no checkpoint with a number in its name"):
        find_epochs(tmp_path, model=model)
    torch.save(state, tmp_path / "a-1.pt")
    torch.save(state, tmp_path / "b-01.pth")
    with pytest.raises(RunError, match=r"a-1\.pt and b-01\.pth in .* are both epoch 1"):
        find_epochs(tmp_path, model=model)
    (tmp_path / "b-01.pth").unlink()
    torch.save({"other": torch.zeros(1)}, tmp_path / "a-2.pt")
    with pytest.raises(WeightsError, match=r"a-2\.pt does not fit"):
        find_epochs(tmp_path, model=model)


def test_training_starts_from_the_weights_of_epoch_0(tmp_path, model):
    network, images = Network(model="resnet8"), Images()
    recipe = Recipe(epochs=1, batch_size=256)
    options = {"images": images, "recipe": recipe, "machine": Machine(), "work": Work()}
    found = train_epochs(tmp_path / "a", network=network, **options)
    assert [epoch.weights.name for epoch in found] == ["epoch-000.pt", "epoch-001.pt"]
    start = read_state_dict(found[0].weights)
    assert all(start[name].equal(value) for name, value in model.state_dict().items())
    assert found[0].test_accuracy == evaluate(model, load_data("digits", split="test"))
    # the same again, from that checkpoint
    again = train_epochs(
        tmp_path / "b", network=Network(model="resnet8", weights=str(found[0].weights)), **options
    )
    assert again[1].weights.read_bytes() == found[1].weights.read_bytes()
    shutil.rmtree(tmp_path / "b")


def test_every(model, trained):
    found = find_epochs(trained, model=model)
    assert [epoch.number for epoch in thin_out(found, 5)] == [1, 2]
    with pytest.raises(RunError, match="--every 0 keeps no epoch; give at least 1"):
        thin_out(found, 0)
