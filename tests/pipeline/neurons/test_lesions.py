import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from graphs.errors import GraphError, LayerError
from graphs.lesions import lesion_table
from pipeline.data import from_arrays
from pipeline.models.mlp import MLP
from pipeline.neurons.double_lesions import double_lesions
from pipeline.neurons.lesions import LesionBench, Module, lesion_layer
from pipeline.neurons.partitions import find_clusters
from pipeline.neurons.tails import Tails

CLASSES, COPIES = 4, 3


def _identity_network():
    """Four classes, three hidden neurons for each: neuron 3 c + i passes on pixel c."""
    model = MLP((1, 2, 2), hidden=(12, 12), classes=CLASSES)
    spread = torch.eye(CLASSES).repeat_interleave(COPIES, dim=0)
    with torch.no_grad():
        for layer, weight in zip(
            (1, 3, 5), (spread, torch.eye(12), spread.T / COPIES), strict=True
        ):
            model.net[layer].weight.copy_(weight)
            model.net[layer].bias.zero_()
    return model


def _pixels(per_class=5):
    labels = np.tile(np.arange(CLASSES), per_class)
    images = np.eye(CLASSES, dtype=np.float32)[labels].reshape(-1, 1, 2, 2)
    return from_arrays(images, labels)


BY_CLASS = np.repeat(np.arange(CLASSES), COPIES)


def test_a_module_that_is_a_class_costs_that_class():
    bench = LesionBench(_identity_network(), _pixels(), {"net.1": BY_CLASS, "net.3": BY_CLASS})
    assert float(bench.accuracy(bench.intact)) == 1
    sets, classes = lesion_layer(bench, "net.3", random_sets=200)
    table = lesion_table(sets)
    assert table["layer_index"].tolist() == [1] * CLASSES
    # without class c all its logits are 0: the first class is chosen, which for class 0 is right
    assert table["accuracy"].tolist() == [1, 0.75, 0.75, 0.75]
    assert table["kind"].tolist()[1:] == ["different-only"] * 3  # a random set may be the same
    # of 220 sets of 3 among 12, four are a class, three of them cost something
    assert (table["random_mean"] > 0.9).all()
    wide = classes.pivot_table(index="module", columns="class", values="accuracy").to_numpy()
    expected = np.ones((CLASSES, CLASSES))
    expected[[1, 2, 3], [1, 2, 3]] = 0
    assert np.array_equal(wide, expected)


def test_random_sets_are_of_the_living_and_of_their_size():
    labels = np.array([-1, -1, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2])
    bench = LesionBench(_identity_network(), _pixels(), {"net.1": labels})
    module = Module(layer_index=0, layer="net.1", cluster=1)
    sets = np.array(bench.random_sets(module, 300, seed=[0]))
    assert sets.sum(axis=1).tolist() == [4] * 300
    assert not sets[:, :2].any()
    assert len(np.unique(sets, axis=0)) > 100  # of 210
    assert np.array_equal(sets, bench.random_sets(module, 300, seed=[0]))
    assert not np.array_equal(sets, bench.random_sets(module, 300, seed=[1]))


def test_lesion_is_zeroing_incoming_weights_and_bias():
    torch.manual_seed(0)
    model = MLP((1, 2, 2), hidden=(12, 12), classes=CLASSES)
    data = from_arrays(torch.rand(200, 1, 2, 2).numpy(), np.arange(200) % CLASSES)
    bench = LesionBench(model, data, {"net.1": BY_CLASS, "net.3": BY_CLASS})
    variants = [[bench.lesion(module)] for module in bench.modules()]
    for module, variant in zip(bench.modules(), variants, strict=True):
        cut = MLP((1, 2, 2), hidden=(12, 12), classes=CLASSES)
        cut.load_state_dict(model.state_dict())
        with torch.no_grad():
            layer = dict(cut.named_modules())[module.layer]
            layer.weight[torch.from_numpy(module.cluster == BY_CLASS)] = 0
            layer.bias[torch.from_numpy(module.cluster == BY_CLASS)] = 0
            answers = cut(data.images(np.arange(200))).argmax(dim=1).numpy()
        right = np.bincount(data.labels[answers == data.labels], minlength=CLASSES)
        assert bench.correct(module.layer, [variant])[0].tolist() == right.tolist()


class _Skip(nn.Module):
    """No chain: the first layer is added to what the second makes of it."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(4, 6), nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x):
        hidden = self.first(x.flatten(1)).relu()
        return self.last(hidden + self.second(hidden).relu())


class _Joined(nn.Module):
    """No chain: a module takes two tensors."""

    def __init__(self):
        super().__init__()
        self.first, self.join, self.last = nn.Conv2d(1, 6, 1), _Add(), nn.Linear(24, 3)

    def forward(self, x):
        return self.last(self.join(self.first(x), x).flatten(1))


class _Add(nn.Module):
    def forward(self, a, b):
        return a + b


class _Flattened(nn.Module):
    """No chain: flattening, between two modules, is none."""

    def __init__(self):
        super().__init__()
        self.first, self.norm, self.last = nn.Conv2d(1, 6, 1), nn.BatchNorm1d(24), nn.Linear(24, 3)

    def forward(self, x):
        return self.last(self.norm(self.first(x).flatten(1)))


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.Flatten(), nn.Linear(4, 6), nn.ReLU(inplace=True), nn.Linear(6, 3)),
        nn.Sequential(
            nn.Conv2d(1, 6, 1), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(24, 3)
        ),
        _Skip(),
        _Joined(),
        _Flattened(),
    ],
    ids=["in-place", "convolution", "skip", "joined", "flattened"],
)
def test_tails_give_what_hooks_give(model):
    torch.manual_seed(0)
    for value in model.parameters():  # above 0, so that no neuron is dead
        nn.init.uniform_(value, 0.1, 1)
    images = torch.rand(7, 1, 2, 2)
    kept = images.clone()
    tails = Tails(model, images)
    assert (tails.chain is None) == isinstance(model, _Skip | _Joined | _Flattened)
    name = next(n for n, m in model.named_modules() if isinstance(m, nn.Linear | nn.Conv2d))
    factors = torch.tensor([1.0, 0, 1, 0, 0, 1])
    found = list(tails.outputs(images, name, [[], [(name, factors)], []]))
    model.eval()
    handle = dict(model.named_modules())[name].register_forward_hook(
        lambda _m, _i, out: out * factors.reshape(1, 6, *[1] * (out.ndim - 2))
    )
    changed = model(images)
    handle.remove()
    plain = model(images)
    assert torch.equal(images, kept)
    assert torch.allclose(found[0], plain)
    assert torch.allclose(found[1], changed)
    assert torch.allclose(found[2], plain)
    assert not torch.allclose(plain, changed)
    assert all(not m._forward_hooks for m in model.modules())


def test_double_lesions_of_one_path():
    """Neurons of class c in both layers are one path: without one the other matters no more."""
    bench = LesionBench(_identity_network(), _pixels(), {"net.1": BY_CLASS, "net.3": BY_CLASS})
    modules = [module for module in bench.modules() if module.cluster == 2]
    table = double_lesions(bench, modules, random_sets=20)
    row = table.iloc[0]
    assert len(table) == 1
    assert (row["layer_a"], row["layer_b"]) == ("net.1", "net.3")
    assert row["accuracy_a"] == row["accuracy_b"] == row["accuracy_both"] == 0.75
    assert row["lost_a_given_b"] == row["lost_b_given_a"] == 0
    assert row["kind"] == "one-path"


def test_pairs_are_of_different_layers():
    bench = LesionBench(_identity_network(), _pixels(), {"net.1": BY_CLASS, "net.3": BY_CLASS})
    assert len(double_lesions(bench, bench.modules(), random_sets=1)) == CLASSES**2
    none = double_lesions(bench, bench.modules()[:2], random_sets=1)
    assert none.empty
    assert "kind" in none


def test_input_and_last_layer_are_passed_over():
    clusters = {"input": np.zeros(4, int), "net.1": BY_CLASS, "net.5": np.zeros(4, int)}
    bench = LesionBench(_identity_network(), _pixels(), clusters)
    assert list(bench.clusters) == ["net.1"]
    assert bench.layer_indices["net.1"] == 1


class _HeadFirst(nn.Module):
    """Its last layer is defined before its hidden one."""

    def __init__(self):
        super().__init__()
        self.head, self.hidden = nn.Linear(12, CLASSES), nn.Linear(4, 12)

    def forward(self, x):
        return self.head(self.hidden(x.flatten(1)).relu())


def test_the_last_layer_is_the_one_that_runs_last():
    clusters = {"hidden": BY_CLASS, "head": np.arange(CLASSES)}
    assert list(LesionBench(_HeadFirst(), _pixels(), clusters).clusters) == ["hidden"]
    found = find_clusters(_HeadFirst(), _pixels(), "activations", clusters=2)
    assert list(found) == ["hidden"]


class _Called(nn.Module):
    """Layers have the names that the image has elsewhere."""

    def __init__(self):
        super().__init__()
        self.input, self.image = nn.Linear(4, 12), nn.Linear(12, 12)
        self.head = nn.Linear(12, CLASSES)

    def forward(self, x):
        return self.head(self.image(self.input(x.flatten(1)).relu()).relu())


def test_layers_may_be_called_as_the_image_is():
    torch.manual_seed(0)
    found = find_clusters(_Called(), _pixels(), clusters=2)
    widths = {name: len(labels) for name, labels in found.items()}
    assert widths == {"image_": 4, "input": 12, "image": 12, "head": CLASSES}
    assert LesionBench(_Called(), _pixels(), found).layer_indices["image"] == 2
    found = find_clusters(_Called(), _pixels(), "activations", clusters=2)
    assert list(found) == ["input", "image"]


def test_same_seed_same_tables():
    bench = LesionBench(_identity_network(), _pixels(), {"net.1": BY_CLASS})
    first, again = (lesion_layer(bench, "net.1", random_sets=5, seed=3)[0] for _ in range(2))
    pd.testing.assert_frame_equal(first, again)


@pytest.mark.parametrize(
    ("clusters", "message"),
    [
        ({"net.9": BY_CLASS}, "none of net.9 is a hidden layer"),
        ({"net.5": np.zeros(4, int)}, "none of net.5"),
        ({"net.1": BY_CLASS[:5]}, "net.1 has 12 neurons, its clusters have shape"),
        ({"net.1": np.full(12, -1)}, "net.1 has no neuron in a cluster"),
    ],
)
def test_what_is_refused(clusters, message):
    with pytest.raises(GraphError, match=message):
        LesionBench(_identity_network(), _pixels(), clusters)


def test_unknown_layer_of_a_change():
    tails = Tails(_identity_network(), torch.rand(2, 1, 2, 2))
    with pytest.raises(LayerError, match="no layer 'net.7'"):
        list(tails.outputs(torch.rand(2, 1, 2, 2), "net.7", [[]]))
