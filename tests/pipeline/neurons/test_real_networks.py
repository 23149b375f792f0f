"""Networks that others trained, as graphs of their neurons."""

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from graphs.spectral import normalized_cut, spectral_partition
from pipeline.models import load_model
from pipeline.neurons.weight_graph import neuron_graph

DATA = Path(os.environ.get("STRATAGRAPH_DATA", ""))
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif("STRATAGRAPH_DATA" not in os.environ, reason="needs STRATAGRAPH_DATA"),
]


class NormalizedMLP(nn.Module):
    """784-300-301-302-303-10 with batch normalisation, as its weights have it."""

    def __init__(self):
        super().__init__()
        widths = (784, 300, 301, 302, 303, 10)
        for at, (a, b) in enumerate(pairwise(widths), 1):
            self.add_module(f"L{at}", nn.Linear(a, b, bias=at == 5))
            if at < 5:
                self.add_module(f"bn{at}", nn.BatchNorm1d(b))

    def forward(self, x):
        x = x.flatten(1)
        for at in range(1, 5):
            layer, norm = self.get_submodule(f"L{at}"), self.get_submodule(f"bn{at}")
            x = F.relu(norm(layer(x)))
        return self.L5(x)


def ncut(graph, clusters=12):
    labels = spectral_partition(graph.adjacency, clusters, seed=0, restarts=3)
    return normalized_cut(graph.adjacency, labels)


def test_an_mlp_with_normalisation_is_folded():
    model = NormalizedMLP().eval()
    state = torch.load(DATA / "weights/mnist_mlp5bn_idpl.pt", map_location="cpu", weights_only=True)
    model.load_state_dict(state)
    graph = neuron_graph(model, (1, 28, 28))
    assert graph.widths == (784, 300, 301, 302, 303, 10)
    gain = model.bn2.weight.abs() / torch.sqrt(model.bn2.running_var + model.bn2.eps)
    expected = (model.L2.weight.abs() * gain[:, None]).sum().item()
    assert graph.blocks[1].weights.sum() == pytest.approx(expected, rel=1e-5)
    assert 0 < ncut(graph) < 11


@pytest.mark.parametrize(
    ("name", "weights", "shape", "widths"),
    [
        ("mlp", "mnist_mlp_784-128-64-10_tailup7.pth", (1, 28, 28), [784, 128, 64, 10]),
        ("resnet20", "resnet20-12fca82f.th", (3, 32, 32), [16] * 7 + [32] * 6 + [64] * 6),
        ("nin", "nin_micronet.pth", (3, 32, 32), [192, 160, 96, 192, 192, 192, 192, 192, 10]),
    ],
)
def test_published_weights_become_graphs(name, weights, shape, widths):
    if name == "nin":
        name = f"{DATA / 'models' / 'nin.py'}:nin"
    graph = neuron_graph(
        load_model(name, weights=DATA / "weights" / weights, input_shape=shape), shape
    )
    assert list(graph.widths) == widths
    assert np.isfinite(graph.adjacency.data).all()
    assert 0 < ncut(graph) < 11.5
