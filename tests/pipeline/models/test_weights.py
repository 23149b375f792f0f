import os
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch import nn

from graphs.errors import WeightsError
from pipeline.models import load_model
from pipeline.models.weights import load_weights, read_state_dict, translate_names

DATA = Path(os.environ.get("STRATAGRAPH_DATA", "/nonexistent"))


@pytest.fixture
def trained():
    return load_model("resnet8", seed=1)


def same(a, b):
    one, two = a.state_dict(), b.state_dict()
    return one.keys() == two.keys() and all(torch.equal(one[key], two[key]) for key in one)


def saved(content, folder):
    path = folder / "weights.pt"
    torch.save(content, path)
    return path


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model": state, "optimizer": {"state": {}, "param_groups": []}},
        lambda state: {"net": state, "acc": 93.1},
        lambda state: {"model_state_dict": state},
        lambda state: {"ema": {"state_dict": state}},
        lambda state: OrderedDict((f"module.{key}", value) for key, value in state.items()),
        lambda state: {f"module.model.{key}": value for key, value in state.items()},
        lambda state: {key.replace("linear.", "fc."): value for key, value in state.items()},
        lambda state: {key.replace("linear.", "classifier."): v for key, v in state.items()},
        lambda state: state | {"total_ops": torch.zeros(1), "conv1.total_params": torch.zeros(1)},
        lambda state: {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")},
    ],
    ids=[
        "plain", "state_dict", "model", "net", "model_state_dict", "ema", "module.",
        "module.model.", "fc", "classifier", "profiled", "old",
    ],
)  # fmt: skip
def test_the_usual_wrappings_load(trained, wrap, tmp_path):
    model = load_model("resnet8", seed=2)
    assert not same(model, trained)
    load_weights(model, saved(wrap(dict(trained.state_dict())), tmp_path))
    assert same(model, trained)


def test_shortcuts_called_downsample(tmp_path):
    trained, model = load_model("resnet8-b", seed=1), load_model("resnet8-b", seed=2)
    state = {key.replace("shortcut", "downsample"): v for key, v in trained.state_dict().items()}
    load_weights(model, saved(state, tmp_path))
    assert same(model, trained)


def test_a_name_that_the_network_uses_is_not_translated():
    zero, one = torch.zeros(1), torch.ones(1)
    own = {"fc.weight": zero, "linear.weight": zero}
    assert translate_names({"fc.weight": one, "linear.weight": zero}, own) == {
        "fc.weight": one,
        "linear.weight": zero,
    }


def test_missing_unexpected_and_wrong_shaped_keys_are_listed(trained, tmp_path):
    state = dict(trained.state_dict())
    del state["bn1.weight"]
    state["extra.bias"] = torch.zeros(1)
    state["linear.weight"] = torch.zeros(100, 64)
    expected = (
        r"does not fit ResNet: missing: bn1\.weight; unexpected: extra\.bias; "
        r"wrong shape: linear\.weight 100x64 instead of 10x64; check the model's name"
    )
    model = load_model("resnet8", seed=2)
    with pytest.raises(WeightsError, match=expected):
        load_weights(model, saved(state, tmp_path))
    assert same(model, load_model("resnet8", seed=2))


def test_the_network_is_called_as_it_was_asked_for(trained, tmp_path):
    path = saved(trained.state_dict(), tmp_path)
    with pytest.raises(WeightsError, match=r"does not fit resnet14: missing: layer1\.1"):
        load_model("resnet14", weights=path)


@pytest.mark.parametrize(("have", "need"), [(1, "3 channels"), (3, "1 channel")])
def test_weights_for_other_channels_are_said_to_be(tmp_path, have, need):
    weights = saved(load_model("resnet8", input_shape=(4 - have, 8, 8)).state_dict(), tmp_path)
    expected = f"is of a network for images with {need}, this one takes {have}; give images that"
    with pytest.raises(WeightsError, match=expected):
        load_model("resnet8", weights=weights, input_shape=(have, 8, 8))


def test_long_lists_are_shortened(tmp_path):
    state = load_model("resnet14").state_dict()
    with pytest.raises(WeightsError, match=r"unexpected: .* and 32 more;") as error:
        load_weights(load_model("resnet8"), saved(state, tmp_path))
    assert str(error.value).count("layer") == 4


def test_missing_file(tmp_path):
    with pytest.raises(WeightsError, match=r"none\.pt does not exist; check the path"):
        read_state_dict(tmp_path / "none.pt")


@pytest.mark.parametrize(
    "content", [b"", b"version https://git-lfs.github.com/spec/v1\n", b"PK\3\4"]
)
def test_not_a_torch_file(content, tmp_path):
    path = tmp_path / "weights.pt"
    path.write_bytes(content)
    with pytest.raises(
        WeightsError, match=r"is not a whole file of torch\.save; check the path, or download"
    ):
        read_state_dict(path)


def test_truncated_file(trained, tmp_path):
    path = saved(trained.state_dict(), tmp_path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(WeightsError, match=r"is not a whole file of torch\.save"):
        read_state_dict(path)


class Trap:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return (os.mkdir, ("trap-was-sprung",))


def test_python_objects_are_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = saved({"state_dict": Trap()}, tmp_path)
    with pytest.raises(
        WeightsError, match=r"holds Python objects \(.*mkdir\), .* when loaded; save"
    ):
        read_state_dict(path)
    assert not (tmp_path / "trap-was-sprung").exists()


def test_a_pickled_network_is_refused(tmp_path):
    with pytest.raises(WeightsError, match=r"holds Python objects \(torch\.nn.*Linear\)"):
        read_state_dict(saved(nn.Linear(2, 2), tmp_path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"epoch": 3, "best": 0.9}, r"holds the keys epoch, best, no tensors by name; save them"),
        ([1, 2], r"holds a list, no tensors by name"),
        ({"state_dict": {}}, r"no tensors by name"),
        (torch.zeros(3), r"holds a Tensor, no tensors by name"),
    ],
)
def test_no_tensors_by_name(content, message, tmp_path):
    with pytest.raises(WeightsError, match=message):
        read_state_dict(saved(content, tmp_path))


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason="STRATAGRAPH_DATA is not set")
@pytest.mark.parametrize(
    ("model", "file"),
    [
        ("resnet20", "resnet20-12fca82f.th"),
        ("resnet32", "resnet32-d509ac18.th"),
        ("resnet44", "resnet44-014dd654.th"),
        ("mlp-128-64", "mnist_mlp_784-128-64-10_tailup7.pth"),
        (f"{DATA}/models/nin.py:nin", "nin_micronet.pth"),
        (f"{DATA}/models/vit.py:vit", "vit_d128_smmk47.pth"),
    ],
)
def test_weights_in_circulation_fit(model, file):
    path = DATA / "weights" / file
    loaded = load_model(
        model, weights=path, input_shape=(1, 28, 28) if "mlp" in model else (3, 32, 32)
    )
    given = {v.sum().item() for v in read_state_dict(path).values() if v.ndim}
    assert {v.sum().item() for v in loaded.state_dict().values() if v.ndim} == given


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason="STRATAGRAPH_DATA is not set")
def test_weights_of_another_depth():
    with pytest.raises(WeightsError, match=r"unexpected: layer1\.3\.conv1\.weight.* and 56 more"):
        load_model("resnet20", weights=DATA / "weights" / "resnet32-d509ac18.th")
