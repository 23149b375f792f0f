"""Networks of another depth: how many blocks each stage keeps, and what fills their places."""

import pytest
import torch
from torch import nn

from graphs.errors import PlanError
from pipeline.models import load_model
from pipeline.pruning import count_macs, count_parameters
from pipeline.pruning.parts import find_parts, find_stages
from pipeline.pruning.surgery import configure_depth

SHAPE = (3, 32, 32)


def names_at(parts, *places):
    return [parts[place].name for place in places]


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


def test_an_empty_stage_is_refused(resnet):
    model, parts = resnet
    with pytest.raises(PlanError, match=r"from layer2\.0 to layer2\.2 would be left"):
        configure_depth(model, parts, names_at(parts, 1, 7), input_shape=SHAPE)


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
