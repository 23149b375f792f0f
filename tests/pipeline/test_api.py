import numpy as np
import pytest
import torch
from torch import nn

from graphs.errors import DataError, GraphError, LayerError, ModelError, ResourceError
from graphs.modularity import modularity
from graphs.neighbors import knn
from pipeline import analyze
from pipeline.data import load_data
from pipeline.models import load_model


@pytest.fixture(scope="module")
def arrays():
    """Digits as arrays: uint8 images and labels."""
    digits = load_data("digits")
    everything = np.arange(len(digits))
    return digits.raw(everything), digits.labels


class Views(nn.Module):
    """A network as many are: functional activations, ``view`` before the head."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3, padding=1)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(6 * 64, 10)

    def forward(self, x):
        return self.head(torch.relu(self.drop(self.conv(x))).view(len(x), -1))


def test_modularity_is_that_of_the_features_one_can_compute_oneself(arrays):
    model = Views().eval()
    found = analyze(model, arrays, samples=100, repeats=1, layers="conv", sampling="sequential")
    images = torch.from_numpy(arrays[0][:100]).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        features = model.conv(images).flatten(1).numpy()
    graph = knn(features, 3, engine="reference")
    expected = float(modularity(graph.indices, graph.weights, arrays[1][:100]))
    assert found.layers["modularity"].item() == pytest.approx(expected, abs=1e-6)
    assert found.graphs[0].nodes["sample"].tolist() == list(range(100))


def test_the_network_is_left_as_it_was(arrays):
    model = Views().train()
    model.drop.eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    analyze(model, arrays, samples=60, repeats=1)
    assert model.training
    assert not model.drop.training
    assert not any(module._forward_hooks for module in model.modules())
    assert all(parameter.requires_grad for parameter in model.parameters())
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


def test_the_network_is_left_as_it_was_after_an_error(arrays):
    model = Views().train()
    with pytest.raises(LayerError, match=r"conv2.*near names: conv"):
        analyze(model, arrays, samples=60, repeats=1, layers="conv2")
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())


def test_the_same_seed_gives_the_same_tables(arrays):
    tables = [
        analyze("resnet8", arrays, samples=80, repeats=2, seed=seed).layers for seed in (3, 3, 4)
    ]
    assert tables[0].equals(tables[1])
    assert not tables[0].equals(tables[2])


def test_repeats_that_overlap_are_said(arrays, caplog):
    analyze("mlp", arrays, samples=400, repeats=2)
    assert "2 repeats of 400 share some" in caplog.text


def test_what_is_no_network_no_data_and_no_figure_is_named(arrays):
    with pytest.raises(ModelError, match=r"model is a int, not a torch\.nn\.Module"):
        analyze(3, arrays)
    with pytest.raises(DataError, match=r"data of type list is not \(images, labels\)"):
        analyze("mlp", list(arrays))
    found = analyze("mlp", arrays, samples=60, repeats=1)
    with pytest.raises(GraphError, match="there is no figure 'nope'; choose"):
        found.plot("nope")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"k": 60}, GraphError, "k=60 needs at least 61 samples, this run has 60"),
        ({"samples": 5000}, DataError, "5000 samples asked for, the set has 596"),
        (
            {"memory": "10KB"},
            ResourceError,
            r"60 samples x 2 layers are .*, memory is .*; raise mem",
        ),
        ({"layers": "conv*"}, LayerError, "stratagraph inspect"),
    ],
)
def test_what_cannot_be_done_is_named(arrays, options, error, message):
    with pytest.raises(error, match=message):
        analyze(load_model("mlp", input_shape=(1, 8, 8)), arrays, **{"samples": 60, **options})
