"""A pruned network goes into a file and comes back, wherever a network can be named."""

import shutil
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from graphs.errors import ModelError, WeightsError
from pipeline.identity import describe
from pipeline.models import load_model
from pipeline.opening import open_images
from pipeline.options import Features, Images, Network, channels_for
from pipeline.pruning.parts import find_parts
from pipeline.pruning.saved import (
    describe_cut,
    read_architecture,
    save_network,
)
from pipeline.pruning.surgery import configure_depth, remove_parts

GREY = (1, 8, 8)
FACTORY = """
from torch import nn

def net():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(),
                         nn.Linear(16, 10))
"""


def logits(model, shape):
    x = torch.randn(2, *shape, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        return model(x)


def pruned(name, path, *, shape=GREY, count=1, classes=10):
    """Cut the first layers that can go and save the rest; return it."""
    model = load_model(name, classes=classes, input_shape=shape, seed=3)
    parts = find_parts(model, shape)
    names = [part.name for part in parts if not part.problem][:count]
    found = remove_parts(model, parts, names, input_shape=shape)
    about = describe_cut(
        name, classes=classes, input_shape=shape, surgery="identity", removed=found.removed
    )
    save_network(path, found.model, about)
    return found.model


@pytest.mark.parametrize(
    ("name", "shape", "classes"),
    [
        ("resnet20", (3, 32, 32), 10),
        ("vgg11", (3, 32, 32), 100),
        ("mlp-64-64", (1, 8, 8), 10),
        ("torchvision:resnet18", (3, 48, 48), 7),
    ],
)
def test_comes_back_with_the_same_output(tmp_path, name, shape, classes):
    path = tmp_path / "model.pt"
    model = pruned(name, path, shape=shape, classes=classes)
    again = load_model(str(path), seed=9)
    assert not again.training
    assert again.state_dict().keys() == model.state_dict().keys()
    assert torch.equal(logits(again, shape), logits(model, shape))
    assert logits(again, shape).shape == (2, classes)
    assert channels_for(str(path)) == (3 if shape[0] == 3 else None)


def test_depth_surgery_comes_back(tmp_path):
    model = load_model("resnet20", seed=1)
    shape = (3, 32, 32)
    parts = find_parts(model, shape)
    kept = [part.name for part in parts if part.name not in ("layer1.0", "layer3.1")]
    found = configure_depth(model, parts, kept, input_shape=shape)
    about = describe_cut(
        "resnet20", classes=10, input_shape=shape, surgery="depth", removed=found.removed
    )
    save_network(tmp_path / "model.pt", found.model, about)
    again = load_model(str(tmp_path / "model.pt"))
    assert torch.equal(logits(again, shape), logits(found.model, shape))
    assert read_architecture(tmp_path / "model.pt").surgery == "depth"


def test_can_be_cut_again_and_again(tmp_path):
    paths = [tmp_path / "a.pt", tmp_path / "b.pt", tmp_path / "c.pt"]
    pruned("resnet14", paths[0])
    for before, path in pairwise(paths):
        model = pruned(str(before), path)
    about = read_architecture(paths[2])
    assert about.model == "resnet14"
    # after the first cut layer1.1 is called layer1.0
    assert about.removed == (("layer1.0",), ("layer1.0",), ("layer2.1",))
    paths[0].unlink()
    assert torch.equal(logits(load_model(str(paths[2])), GREY), logits(model, GREY))


def test_other_weights_go_on_top(tmp_path):
    path = tmp_path / "model.pt"
    model = pruned("resnet8", path)
    state = {key: value / 2 for key, value in model.state_dict().items()}
    torch.save(state, tmp_path / "half.pt")
    again = load_model(str(path), weights=tmp_path / "half.pt")
    assert torch.equal(again.linear.bias, model.linear.bias / 2)
    torch.save(load_model("resnet8", input_shape=GREY).state_dict(), tmp_path / "whole.pt")
    with pytest.raises(WeightsError, match=r"whole\.pt does not fit .*: unexpected: layer1\.0"):
        load_model(str(path), weights=tmp_path / "whole.pt")
    with pytest.raises(WeightsError, match=r"model\.pt has no default weights; give a file"):
        load_model(str(path), weights="default")


def test_a_file_beside_moves_along(tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    (here / "net.py").write_text(FACTORY)
    model = pruned(f"{here}/net.py:net", here / "model.pt")
    assert torch.load(here / "model.pt", weights_only=True)["architecture"]["model"] == "net.py:net"
    shutil.move(here, tmp_path / "there")
    again = load_model(str(tmp_path / "there" / "model.pt"))
    assert torch.equal(logits(again, GREY), logits(model, GREY))


def test_a_file_elsewhere_is_found_as_it_was_given(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    Path("nets").mkdir()
    Path("nets/net.py").write_text(FACTORY)
    path = tmp_path / "out" / "model.pt"
    model = pruned("nets/net.py:net", path)
    assert read_architecture(path).model == "nets/net.py:net"
    assert torch.equal(logits(load_model(str(path)), GREY), logits(model, GREY))
    assert not caplog.records
    Path("nets/net.py").write_text(FACTORY + "\n# other\n")
    load_model(str(path))
    assert "nets/net.py:net has changed since" in caplog.text
    Path("nets/net.py").write_text(FACTORY.replace("16", "24"))
    with pytest.raises(ModelError, match=r"was not cut from nets/net\.py:net as it is now: .*24"):
        load_model(str(path))
    Path("nets/net.py").unlink()
    with pytest.raises(ModelError, match=r"model file nets/net\.py does not exist"):
        load_model(str(path))


def test_whose_run_it_is_goes_by_content(tmp_path):
    features, images = Features(), Images()
    data = open_images(Network(model="resnet8"), images)
    found = []
    for path in (tmp_path / "a.pt", tmp_path / "b.pt"):
        model = pruned("resnet8", path)
        network = Network(model=str(path))
        found.append(describe(network, images, features, data=data, model=model))
    assert found[0] == found[1] | {"model": "a.pt"}
    assert found[0]["weights"] == "own"
    assert found[0]["model_file"]
    pruned("resnet8", tmp_path / "a.pt", classes=11)
    other = describe(Network(model=str(path)), images, features, data=data, model=model)
    assert other["model_file"] == found[1]["model_file"]
    network = Network(model=str(tmp_path / "a.pt"))
    other = describe(network, images, features, data=data, model=model)
    assert other["model_file"] != found[0]["model_file"]


def change(path, **changes):
    content = torch.load(path, weights_only=True)
    torch.save(content | changes, path)


def test_bad_files_are_said(tmp_path):
    path = tmp_path / "model.pt"
    with pytest.raises(ModelError, match=r"model file .*model\.pt does not exist; give the model"):
        load_model(str(path))
    path.write_text("text")
    with pytest.raises(ModelError, match=r"model\.pt is not a whole file of torch\.save"):
        load_model(str(path))
    torch.save(load_model("resnet8").state_dict(), path)
    with pytest.raises(ModelError, match=r"does not say what network .* --model NAME --weights"):
        load_model(str(path))
    pruned("resnet8", path)
    whole = torch.load(path, weights_only=True)
    change(path, format="stratagraph.network/2")
    with pytest.raises(ModelError, match=r"format 'stratagraph.network/2', this version reads"):
        load_model(str(path))
    change(path, format=whole["format"], architecture={"model": "resnet8"})
    with pytest.raises(ModelError, match=r"description of the network in .* \('classes'\)"):
        load_model(str(path))
    change(path, architecture=whole["architecture"] | {"removed": [["layer9.0"]]})
    with pytest.raises(ModelError, match=r"not cut from resnet8 as it is now: .*'layer9\.0'"):
        load_model(str(path))
    change(path, architecture=whole["architecture"] | {"model": "resnet9"})
    with pytest.raises(ModelError, match=r"there is no model 'resnet9'"):
        load_model(str(path))
    (tmp_path / "folder.pt").mkdir()
    with pytest.raises(ModelError, match=r"model file .*folder\.pt is a folder"):
        load_model(str(tmp_path / "folder.pt"))


def test_the_description_is_plain(tmp_path):
    path = tmp_path / "model.pt"
    pruned("resnet8", path)
    about = asdict(read_architecture(path))
    assert about == {
        "model": "resnet8",
        "classes": 10,
        "input_shape": GREY,
        "surgery": "identity",
        "removed": (("layer1.0",),),
        "model_file": None,
    }


def test_inspect_and_run_take_it(tmp_path, command):
    path = tmp_path / "model.pt"
    pruned("resnet8", path)
    status, table, _ = command(["inspect", path, "--format", "csv"])
    assert status == 0
    assert [line.split(",")[1] for line in table.splitlines()] == [
        "name", "layer1", "layer2.0", "layer3.0",
    ]  # fmt: skip
    argv = ["plan", "--model", path, "--remove", 1, "--criterion", "tail"]
    status, _, notes = command([*argv, "--out", tmp_path / "plan.json"])
    assert status == 1
    assert "every stage keeps" in notes or "cannot" in notes
    argv = ["run", "--out", tmp_path / "run", "--model", path, "--samples", 20, "--repeats", 1]
    status, _, notes = command(argv)
    assert status == 0
    assert "untrained" not in notes
    status, _, notes = command(argv)
    assert status == 0
    pruned("resnet8", path, classes=11)
    status, _, notes = command(argv)
    assert status == 1
    assert "holds another run" in notes
