"""What other programs get gives what the network gives."""

import sys

import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from graphs.errors import ExportError
from pipeline.models import load_model
from pipeline.pruning.exported import TOLERANCE, export_onnx, export_program, require_onnx

KINDS = pytest.mark.parametrize(
    ("write", "name"), [(export_onnx, "model.onnx"), (export_program, "model.pt2")]
)


class Block(nn.Module):
    """The smallest transformer."""

    def __init__(self):
        super().__init__()
        self.block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.block(x.flatten(2).transpose(1, 2)).mean(dim=1))


class Fixed(nn.Module):
    """Looks at values to decide what to do."""

    def forward(self, x):
        return x.flatten(1) if x.sum() > 0 else -x.flatten(1)


class Coin(nn.Module):
    """Gives something else each time."""

    def forward(self, x):
        return x.flatten(1) + torch.rand_like(x.flatten(1))


class Length(nn.Module):
    """Asks for the batch as Python does."""

    def __init__(self):
        super().__init__()
        self.token = nn.Parameter(torch.ones(1, 1, 4))

    def forward(self, x):
        return torch.cat((self.token.expand(len(x), -1, -1), x.flatten(2)), 1).sum(1)


def images(shape, count=6):
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(1))


@KINDS
@pytest.mark.parametrize(("name_", "shape"), [("resnet8", (1, 8, 8)), ("mlp", (1, 8, 8))])
def test_gives_the_same_for_any_batch(tmp_path, capfd, write, name, name_, shape):
    model = load_model(name_, input_shape=shape)
    path = tmp_path / name
    found = write(model, images(shape), path)
    assert found.path == path
    assert 0 <= found.random <= TOLERANCE
    assert 0 <= found.real <= TOLERANCE
    assert capfd.readouterr() == ("", "")
    for count in (1, 3, 17):
        given = images(shape, count)
        with torch.no_grad():
            expected = model(given)
            if name.endswith("onnx"):
                session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
                output = torch.from_numpy(session.run(["logits"], {"images": given.numpy()})[0])
            else:
                output = torch.export.load(path).module()(given)
        assert output.shape == (count, 10)
        assert (output - expected).abs().max() <= 1e-4


def test_names_and_no_paths(tmp_path):
    export_onnx(load_model("resnet8"), images((3, 32, 32)), tmp_path / "model.onnx")
    content = (tmp_path / "model.onnx").read_bytes()
    assert b"resnet.py" not in content
    graph = onnx.load_from_string(content).graph
    assert [value.type.tensor_type.shape.dim[0].dim_param for value in graph.input] == ["batch"]
    export_onnx(load_model("resnet8"), images((3, 32, 32)), tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == content


@KINDS
def test_transformers_run_too(tmp_path, write, name):
    torch.manual_seed(0)
    model = Block().train()
    assert write(model, images((8, 2, 2)), tmp_path / name).real <= TOLERANCE
    assert model.block.training
    assert torch.backends.mha.get_fastpath_enabled()


@KINDS
def test_networks_that_ask_for_the_batch(tmp_path, write, name):
    assert write(Length(), images((1, 2, 2)), tmp_path / name).random <= TOLERANCE


@KINDS
def test_what_cannot_be_traced_is_said(tmp_path, capfd, write, name):
    with pytest.raises(ExportError, match=rf"Fixed cannot be written as {name} \(.*use --no-exp"):
        write(Fixed(), images((1, 2, 2)), tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


@KINDS
def test_another_output_is_refused(tmp_path, write, name):
    match = rf"{name} differs from the network by up to [\d.]+ on random images, more than 0\.0001"
    with pytest.raises(ExportError, match=match):
        write(Coin(), images((1, 2, 2)), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_the_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ExportError, match=r"need more packages \(.*onnxruntime.*\.\[onnx\]"):
        require_onnx()
