"""Surgery on networks of other forms than the zoo's, and what it refuses."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from graphs.errors import ModelError
from pipeline.bypass import bypassed
from pipeline.pruning.parts import find_parts
from pipeline.pruning.surgery import Skip, remove_parts


class Named(nn.Module):
    """Calls its blocks by name and by number."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(4, 4)
        self.one = nn.Linear(4, 4)
        self.rest = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        x = self.one(self.stem(x))
        for place in range(3):
            x = self.rest[place](x)
        return self.head(x)


def test_blocks_called_by_name_or_number_are_passed_over():
    model = Named()
    parts = find_parts(model, (4,))
    pruned = remove_parts(model, parts, ["one", "rest.1"], input_shape=(4,)).model
    assert isinstance(pruned.one, Skip)
    assert isinstance(pruned.rest[1], Skip)
    x = torch.randn(2, 4)
    expected = model.head(model.rest[2](model.rest[0](model.stem(x))))
    assert torch.equal(pruned(x), expected)


def test_a_transformer_loses_a_layer():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

    class Small(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Linear(6, 8)
            self.encoder = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
            self.head = nn.Linear(8, 2)

        def forward(self, x):
            return self.head(self.encoder(self.embed(x)).mean(1))

    model = Small().eval()
    parts = find_parts(model, (5, 6))
    first = parts[1].name
    assert first == "encoder.layers.0"
    pruned = remove_parts(model, parts, [first], input_shape=(5, 6)).model
    assert len(pruned.encoder.layers) == 2


class LongSkip(nn.Module):
    """Puts what came before a block beside what works in place on its output."""

    def __init__(self):
        super().__init__()
        self.stem, self.block, self.after = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)
        self.act, self.head = nn.ReLU(inplace=True), nn.Linear(8, 2)

    def forward(self, x):
        x = self.stem(x)
        return self.head(torch.cat([self.after(self.act(self.block(x))), x], dim=1))


def test_what_works_in_place_does_not_reach_around_a_removed_block():
    model = LongSkip().eval()
    # the activation is read as a part of the block: a block of its own, as in ResNets, is not
    parts = [
        replace(part, members=("block",)) if part.name == "act" else part
        for part in find_parts(model, (4,))
    ]
    name = next(part.name for part in parts if part.members == ("block",))
    pruned = remove_parts(model, parts, [name], input_shape=(4,)).model
    x = torch.randn(3, 4)
    with torch.inference_mode():
        stem = model.stem(x)
        expected = model.head(torch.cat([model.after(torch.relu(stem)), stem], dim=1))
        assert torch.equal(pruned(x), expected)


class Zeroed(nn.Module):
    """Blocks that begin as the identity; the second is tapped by its place in the list."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(4, 4)
        self.blocks = nn.ModuleList(Scaled() for _ in range(3))
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        x = self.stem(x)
        for place, block in enumerate(self.blocks):
            x = block(x)
            if place == 1:
                tapped = x
        return self.head(x + tapped)


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.scale = nn.Linear(4, 4), nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return x + self.scale * self.linear(x)


def test_the_same_surgery_before_and_after_training():
    fresh = Zeroed().eval()
    trained = copy.deepcopy(fresh)
    with torch.no_grad():
        for block in trained.blocks:
            block.scale.fill_(0.5)
    states = [
        remove_parts(
            model, find_parts(model, (4,)), ["blocks.0"], input_shape=(4,)
        ).model.state_dict()
        for model in (fresh, trained)
    ]
    assert list(states[0]) == list(states[1])


class Rooted(nn.Module):
    """NaN as soon as its scale is disturbed; counts its blocks."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(64))
        self.blocks = nn.ModuleList(nn.Linear(6, 6) for _ in range(3))
        self.head = nn.Linear(6, 2)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(x) * (len(self.blocks) + self.scale.sqrt().sum())


def test_a_network_that_bears_no_noise_is_checked_as_it_is():
    model = Rooted().eval()
    pruned = remove_parts(model, find_parts(model, (6,)), ["blocks.1"], input_shape=(6,)).model
    with torch.inference_mode(), bypassed(model, ["blocks.1"]):
        x = torch.randn(3, 6)
        assert torch.equal(pruned(x), model(x))


class Counting(nn.Module):
    """Depends on a block beyond its output."""

    def __init__(self):
        super().__init__()
        self.stem, self.block, self.head = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.block(self.stem(x))) + self.block.weight.sum()


def test_what_depends_on_a_block_is_an_error():
    model = Counting()
    with pytest.raises(ModelError, match="does not run without block"):
        remove_parts(model, find_parts(model, (4,)), ["block"], input_shape=(4,))


class Noisy(Counting):
    """Draws something in eval mode too."""

    def forward(self, x):
        return self.head(self.block(self.stem(x))) + torch.rand(1)


def test_a_network_that_is_random_is_told_so():
    for names in (["block"], []):
        with pytest.raises(ModelError, match="Noisy gives something else each time, also in eval"):
            remove_parts(Noisy(), find_parts(Noisy(), (4,)), names, input_shape=(4,))


def test_weights_that_are_no_numbers_cannot_be_checked():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2))
    nn.init.constant_(model[0].weight, float("nan"))
    with pytest.raises(ModelError, match="Sequential gives values that are not finite: .*; check"):
        remove_parts(model, find_parts(model, (4,)), ["1"], input_shape=(4,))
