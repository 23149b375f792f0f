"""Surgery against networks in which blocks do nothing, and against networks built smaller."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from graphs.errors import ModelError, PlanError
from pipeline.bypass import bypassed
from pipeline.models import load_model
from pipeline.pruning import count_macs, count_parameters
from pipeline.pruning.parts import find_parts, find_stages
from pipeline.pruning.surgery import Skip, configure_depth, remove_parts

SHAPE = (3, 32, 32)


def randomized(name, shape=SHAPE):
    """Build a network whose normalisation does something."""
    model = load_model(name, input_shape=shape)
    generator = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
    return model


def names_at(parts, *places):
    return [parts[place].name for place in places]


def images(shape=SHAPE):
    return torch.randn(3, *shape, generator=torch.Generator().manual_seed(2))


@pytest.fixture(scope="module")
def resnet():
    model = randomized("resnet20")
    return model, find_parts(model, SHAPE)


def test_identity_is_the_network_whose_residual_branches_give_zero(resnet):
    model, parts = resnet
    pruned = remove_parts(model, parts, names_at(parts, 2, 6), input_shape=SHAPE).model
    zeroed = copy.deepcopy(model)
    for name in names_at(parts, 2, 6):
        # F(x) = 0: the block gives relu(0 + x), and x is no longer below zero here
        last = zeroed.get_submodule(name).bn2
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
    with torch.inference_mode():
        assert torch.equal(pruned(images()), zeroed(images()))
        assert not torch.equal(pruned(images()), model(images()))


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


def test_the_original_is_untouched(resnet):
    model, parts = resnet
    before = {name: value.clone() for name, value in model.state_dict().items()}
    pruned = remove_parts(model, parts, names_at(parts, 1), input_shape=SHAPE).model
    with torch.no_grad():
        for value in pruned.parameters():
            value.zero_()
    assert list(model.state_dict()) == list(before)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_what_is_left_is_the_zoos_network_of_that_depth(resnet):
    model, parts = resnet
    pruned = remove_parts(model, parts, names_at(parts, 2, 3, 6, 9), input_shape=SHAPE).model
    small = load_model("resnet20[1,2,2]")
    small.load_state_dict(pruned.state_dict())
    with torch.inference_mode():
        assert torch.equal(small(images()), pruned(images()))


@pytest.mark.parametrize(
    ("name", "stages", "parameters", "macs"),
    [
        ("resnet56", (2, 3, 6), 487_002, 49_988_224),
        ("resnet56", (7, 8, 2), round(853_018 * (1 - 0.6398)), None),
        ("resnet56", (9, 9, 9), 853_018, 125_485_696),
    ],
)
def test_published_counts(name, stages, parameters, macs):
    model = load_model(name)
    parts = find_parts(model, SHAPE)
    kept = [
        part.name
        for stage, count in zip(find_stages(parts), stages, strict=True)
        for part in stage[:count]
    ]
    found = configure_depth(model, parts, kept, input_shape=SHAPE).model
    assert count_parameters(found) == pytest.approx(parameters, abs=50)  # 63.98 % has four digits
    if macs:
        assert count_macs(found, SHAPE).total == macs
    assert [len(stage) for stage in find_stages(find_parts(found, SHAPE))] == list(stages)


def test_depth_fills_places_with_the_kept_blocks(resnet):
    model, parts = resnet
    kept = names_at(parts, 1, 3, 5, 6, 7)  # the second stage loses the block that widens
    pruned = configure_depth(model, parts, kept, input_shape=SHAPE, seed=3)
    given, own = model.state_dict(), pruned.model.state_dict()
    assert list(own) == list(load_model("resnet20[2,2,1]").state_dict())
    copies = pruned.copies.set_index("tensor")
    # the second place of stage 1 is filled from the third block
    assert copies.loc["layer1.1.conv1.weight"].tolist() == [
        "layer1.2.conv1.weight", "copied", 16 * 16 * 9,
    ]  # fmt: skip
    assert torch.equal(own["layer1.1.conv1.weight"], given["layer1.2.conv1.weight"])
    # the widening convolution has 16 inputs, that of the kept block 32: drawn anew
    assert copies.loc["layer2.0.conv1.weight"].tolist() == ["", "initialised", 32 * 16 * 9]
    assert torch.equal(own["layer2.0.conv2.weight"], given["layer2.1.conv2.weight"])
    assert copies.loc["layer3.0.conv1.weight", "state"] == "kept"
    for name, row in copies.iterrows():
        if row["source"]:
            assert torch.equal(own[name], given[row["source"]])
    again = configure_depth(model, parts, kept, input_shape=SHAPE, seed=3)
    assert all(torch.equal(own[k], v) for k, v in again.model.state_dict().items())


def test_a_chain_loses_whole_layers():
    model = randomized("vgg11")
    parts = find_parts(model, SHAPE)
    pruned = remove_parts(model, parts, names_at(parts, 7), input_shape=SHAPE).model
    assert list(pruned.state_dict()) == list(load_model("vgg11[1,1,2,2,1]").state_dict())


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


def test_in_place_activations_do_not_reach_around_a_bypassed_layer():
    model = nn.Sequential(
        nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 3), nn.ReLU(inplace=True), nn.Linear(3, 2)
    ).eval()
    x = torch.randn(4, 3)
    with torch.inference_mode():
        expected = model[4](model[1](model[0](x)))
        with bypassed(model, ["2", "3"]):
            assert torch.equal(model(x), expected)
        assert "forward" not in model[2].__dict__
        assert not torch.equal(model(x), expected)


def test_a_bypass_ends_with_an_exception():
    model = nn.Sequential(nn.Linear(3, 3))
    with pytest.raises(ZeroDivisionError), bypassed(model, ["0"]):
        raise ZeroDivisionError
    assert "forward" not in model[0].__dict__


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


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["layer1.7"], r"no layer 'layer1\.7'; near names: layer1\.\d"),
        (["layer2.0"], "layer2.0 cannot be removed: it changes the shape"),
        (["relu"], "relu cannot be removed: it is the first layer"),
    ],
)
def test_layers_that_cannot_go_are_named(resnet, names, said):
    model, parts = resnet
    with pytest.raises(PlanError, match=said):
        remove_parts(model, parts, names, input_shape=SHAPE)


def test_an_empty_stage_is_refused(resnet):
    model, parts = resnet
    with pytest.raises(PlanError, match=r"from layer2\.0 to layer2\.2 would be left"):
        configure_depth(model, parts, names_at(parts, 1, 7), input_shape=SHAPE)


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


def test_blocks_built_differently_have_no_common_depth():
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(),
        nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(),
        nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(4 * 36, 2),
    ).eval()  # fmt: skip
    parts = find_parts(model, (1, 6, 6))
    with pytest.raises(PlanError, match="of one stage are built differently"):
        configure_depth(model, parts, [parts[0].name, parts[2].name], input_shape=(1, 6, 6))
