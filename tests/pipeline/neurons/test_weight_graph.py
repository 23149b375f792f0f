import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from graphs.errors import GraphError, LayerError
from pipeline.models import load_model
from pipeline.neurons.weight_graph import neuron_graph


def between(graph, first, second):
    """The edge weights between two layers, all neurons alive."""
    rows, columns = (np.flatnonzero(graph.layer == layer) for layer in (first, second))
    return graph.adjacency[rows][:, columns].toarray()


def weight(module):
    return module.weight.detach().double().abs().numpy()


def disturb(model, seed=0):
    """Give normalisations statistics and scales that differ from 1, some of them negative."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            for tensor in (module.weight.data, module.bias.data, module.running_mean):
                tensor.copy_(torch.randn(tensor.shape, generator=generator))
            module.running_var.copy_(
                0.5 + torch.rand(module.running_var.shape, generator=generator)
            )
    return model.eval()


def scale(norm):
    return (norm.weight.abs() / torch.sqrt(norm.running_var + norm.eps)).detach().double().numpy()


def test_an_mlp_has_its_pixels_and_outputs_as_nodes():
    model = load_model("mlp", input_shape=(1, 8, 8))
    graph = neuron_graph(model, (1, 8, 8))
    assert graph.layer_names == ("input", "net.1", "net.3", "net.5")
    assert graph.widths == (64, 128, 64, 10)
    assert between(graph, 0, 1) == pytest.approx(weight(model.net[1]).T)
    assert between(graph, 2, 3) == pytest.approx(weight(model.net[5]).T)
    assert not between(graph, 0, 2).any()
    hidden = neuron_graph(model, (1, 8, 8), layers="hidden")
    assert hidden.layer_names == ("net.1", "net.3")
    assert (hidden.adjacency != graph.adjacency[64:256][:, 64:256]).nnz == 0


def test_pixels_of_colour_images_are_nodes_of_their_own():
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
    assert neuron_graph(model, (3, 2, 2)).widths == (12, 3)


def test_dead_pixels_and_units_are_dropped():
    model = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 2))
    with torch.no_grad():
        model[0].weight[:, 1] = 0
        model[0].weight[2], model[2].weight[:, 2] = 0, 0
    graph = neuron_graph(model, (3,))
    assert [graph.unit[graph.layer == layer].tolist() for layer in range(3)] == [
        [0, 2],
        [0, 1],
        [0, 1],
    ]


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.second = nn.Conv2d(4, 6, 3, padding=1)
        self.head = nn.Linear(6 * 4, 5)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.norm(self.first(x))), 2)
        return self.head(F.relu_(self.second(x)).flatten(1))


def test_channels_are_linked_by_the_sum_of_their_kernel():
    model = disturb(Small())
    graph = neuron_graph(model, (3, 4, 4))
    assert graph.layer_names == ("first", "second")
    assert between(graph, 0, 1) == pytest.approx(weight(model.second).sum((2, 3)).T)


def test_normalisation_is_folded_and_a_flattened_map_is_summed():
    model = disturb(Small())
    graph = neuron_graph(model, (3, 4, 4), layers="all")
    assert graph.layer_names == ("input", "first", "second", "head")
    assert graph.widths == (3, 4, 6, 5)
    folded = weight(model.first).sum((2, 3)) * scale(model.norm)[:, None]
    assert between(graph, 0, 1) == pytest.approx(folded.T)
    positions = weight(model.head).reshape(5, 6, 4).sum(2)
    assert between(graph, 2, 3) == pytest.approx(positions.T)


def test_the_normalisation_of_the_last_layer_is_folded_too():
    model = disturb(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2), nn.BatchNorm1d(2)))
    graph = neuron_graph(model, (3,))
    assert between(graph, 1, 2) == pytest.approx((weight(model[2]) * scale(model[3])[:, None]).T)


def test_the_matrix_norm_is_the_largest_column_sum():
    model = disturb(Small())
    graph = neuron_graph(model, (3, 4, 4), norm="matrix")
    kernels = model.second.weight.detach().double().numpy()
    expected = [[np.linalg.norm(kernels[b, a], ord=1) for b in range(6)] for a in range(4)]
    assert between(graph, 0, 1) == pytest.approx(np.array(expected))


def test_grouped_and_transposed_convolutions_link_what_they_read():
    model = nn.Sequential(
        nn.Conv2d(2, 4, 1),
        nn.Conv2d(4, 6, 3, groups=2, padding=1),
        nn.ConvTranspose2d(6, 4, 2, groups=2),
    )
    graph = neuron_graph(model, (2, 4, 4))
    grouped = weight(model[1]).sum((2, 3))
    expected = np.zeros((4, 6))
    expected[:2, :3], expected[2:, 3:] = grouped[:3].T, grouped[3:].T
    assert between(graph, 0, 1) == pytest.approx(expected)
    transposed = weight(model[2]).sum((2, 3))
    expected = np.zeros((6, 4))
    expected[:3, :2], expected[3:, 2:] = transposed[:3], transposed[3:]
    assert between(graph, 1, 2) == pytest.approx(expected)


class Residual(nn.Module):
    """a, then a + b(a), then c on the sum and a shortcut of half as many channels."""

    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(1, 4, 1)
        self.b = nn.Conv2d(4, 4, 1)
        self.c = nn.Conv2d(4, 8, 1)
        self.after = nn.BatchNorm2d(4)
        self.d = nn.Conv2d(8, 3, 1)

    def forward(self, x):
        x = self.a(x)
        x = self.after(x + self.b(F.relu(x)))
        y = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 2, 2))
        return self.d(self.c(x)[:, :, ::2, ::2] + y)


def test_a_sum_links_its_reader_with_every_layer_in_it():
    model = disturb(Residual())
    graph = neuron_graph(model, (1, 4, 4))
    assert graph.layer_names == ("a", "b", "c", "d")
    a, b, c, d = range(4)
    behind = scale(model.after)[:, None]  # normalises the sum: of what reads it
    read = weight(model.c).sum((2, 3)).T * behind
    assert between(graph, a, b) == pytest.approx(weight(model.b).sum((2, 3)).T)
    assert between(graph, a, c) == pytest.approx(read)
    assert between(graph, b, c) == pytest.approx(read)
    last = weight(model.d).sum((2, 3)).T
    assert between(graph, c, d) == pytest.approx(last)
    # channels 0 … 3 of the sum are channels 2 … 5 after padding
    assert between(graph, a, d) == pytest.approx(last[2:6] * behind)
    assert between(graph, b, d) == pytest.approx(last[2:6] * behind)


def test_concatenated_layers_keep_their_places():
    class Dense(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Linear(2, 3), nn.Linear(3, 4), nn.Linear(7, 2)

        def forward(self, x):
            x = self.a(x)
            return self.c(torch.cat((x, self.b(x)), dim=1))

    model = Dense()
    graph = neuron_graph(model, (2,))
    joined = weight(model.c).T
    assert between(graph, 1, 3) == pytest.approx(joined[:3])
    assert between(graph, 2, 3) == pytest.approx(joined[3:])


@pytest.mark.parametrize(
    ("name", "nodes", "layers"),
    [("resnet20", 688, 19), ("vgg11", 2752, 8), ("resnet8", 240, 7)],
)
def test_networks_of_the_zoo(name, nodes, layers):
    graph = neuron_graph(load_model(name), (3, 32, 32))
    assert graph.n_nodes == nodes
    assert len(graph.layer_names) == layers


def test_rescaled_networks_have_one_graph_when_normalised():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3))
    before = neuron_graph(model, (5,)).adjacency
    normal = neuron_graph(model, (5,), normalize=True).adjacency
    factor = torch.tensor([0.1, 2.0, 30.0, 1.0])
    x = torch.randn(6, 5)
    given = model(x)
    with torch.no_grad():
        for first, second in ((0, 2), (2, 4)):
            model[first].weight.mul_(factor[:, None])
            model[first].bias.mul_(factor)
            model[second].weight.div_(factor)
    assert torch.allclose(model(x), given, atol=1e-5)
    assert abs(neuron_graph(model, (5,)).adjacency - before).max() > 0.1
    again = neuron_graph(model, (5,), normalize=True)
    assert abs(again.adjacency - normal).max() < 1e-6
    for layer in (1, 2):
        assert (between(again, layer - 1, layer) ** 2).sum(axis=0) == pytest.approx(np.ones(4))


def test_normalising_follows_channels_through_groups_and_flattening():
    model = disturb(
        nn.Sequential(
            nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 1, groups=2),
            nn.ReLU(), nn.Flatten(), nn.Linear(4 * 4, 3),
        )
    )  # fmt: skip
    normal = neuron_graph(model, (2, 4, 4), layers="all", normalize=True).adjacency
    with torch.no_grad():
        model[3].weight[1] *= 8
        model[3].bias[1] *= 8
        model[6].weight[:, 4:8] /= 8
        model[0].weight[3] *= 4
        model[0].bias[3] *= 4
        model[1].running_mean[3] *= 4
        model[3].weight[2:, 1] /= 4
    again = neuron_graph(model, (2, 4, 4), layers="all", normalize=True).adjacency
    assert abs(again - normal).max() < 1e-6


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, x):
        return self.layer(self.layer(x))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.keys, self.values = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return torch.sigmoid(self.keys(x)) * self.values(x) @ torch.ones(4, 2)


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        return self.layer(x).mean(1)


class BothSides(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.norm, self.b = nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Conv2d(2, 2, 1)

    def forward(self, x):
        x = self.a(x)
        return self.b(x + self.norm(x))


class TwoNorms(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(1, 2, 1), nn.Conv2d(2, 2, 1)
        self.norms = nn.ModuleList([nn.BatchNorm2d(2), nn.BatchNorm2d(2)])

    def forward(self, x):
        x = self.a(x)
        return self.b(self.norms[0](x) + self.norms[1](x))


class Averaged(nn.Module):
    """Averages over as many channels as a map is high: the shape alone does not tell."""

    def __init__(self, dim):
        super().__init__()
        self.a, self.b, self.dim = nn.Conv2d(1, 4, 1), nn.Conv1d(4, 2, 1), dim

    def forward(self, x):
        return self.b(self.a(x).mean(self.dim))


def test_averages_over_positions_keep_channels():
    graph = neuron_graph(Averaged(-1), (1, 4, 4))
    assert graph.widths == (4, 2)


class Gated(nn.Sequential):
    def __init__(self):
        super().__init__(Attention(), nn.Linear(2, 2))


@pytest.mark.parametrize(
    ("model", "shape", "message"),
    [
        (nn.Sequential(nn.Flatten(), nn.ReLU()), (4,), "Sequential has no linear layer or conv"),
        (Twice(), (3,), "layer runs 2 times in one pass"),
        (Gated(), (4,), "the step Mul between the layers of Gated mixes neurons"),
        (Averaged(1), (1, 4, 4), "the step Mean between the layers of Averaged mixes neurons"),
        (Averaged(-3), (1, 4, 4), "the step Mean between the layers of Averaged mixes neurons"),
        (Tokens(), (5, 4), r"layer is applied to an input of shape \(5, 4\)"),
        (BothSides(), (1, 2, 2), "a is read both before and after its batch normalisation"),
        (TwoNorms(), (1, 2, 2), "a is read by two batch normalisations"),
        (nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3), nn.Linear(3, 2)), (4,), "NativeLayerNorm"),
        (nn.Sequential(nn.Conv2d(1, 2, 1)), (1, 2, 2), "layers=auto leaves 1 layer of neurons in"),
        (
            nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2, track_running_stats=False)),
            (2,),
            "keeps no running statistics",
        ),
    ],
)
def test_what_has_no_weight_between_two_neurons_is_refused(model, shape, message):
    with pytest.raises(LayerError, match=message):
        neuron_graph(model, shape)


def test_residual_networks_cannot_be_rescaled():
    with pytest.raises(LayerError, match="reads a sum of layers, whose neurons cannot be rescaled"):
        neuron_graph(load_model("resnet8"), (3, 32, 32), normalize=True)


def test_weights_that_are_no_numbers_are_refused_by_the_layers_name():
    model = load_model("mlp", input_shape=(1, 8, 8))
    with torch.no_grad():
        model.net[3].weight[0, 0] = float("nan")
    with pytest.raises(GraphError, match=r"weights of net\.3 hold NaN or infinite values \(1 of"):
        neuron_graph(model, (1, 8, 8))


def test_a_layer_without_weights_is_refused_by_its_name():
    model = load_model("mlp", input_shape=(1, 8, 8))
    with torch.no_grad():
        for name in ("3", "5"):
            model.net.get_submodule(name).weight.zero_()
    with pytest.raises(GraphError, match=r"layer 2 \(net\.3\) has no neuron left"):
        neuron_graph(model, (1, 8, 8))


def test_the_model_is_left_as_it_was():
    model = load_model("resnet8").train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    neuron_graph(model, (3, 32, 32))
    assert model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
