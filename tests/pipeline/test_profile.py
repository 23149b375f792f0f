import os
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision.models import get_model_weights

from graphs.errors import ModelError
from pipeline.models import load_model
from pipeline.pruning import count_macs, count_parameters

DATA = Path(os.environ.get("STRATAGRAPH_DATA", "/nonexistent"))


def macs_of_6n2(one, two, three, *, option_b=False):
    """3x3 convolutions over 32, 16 and 8 pixels, and the last layer."""
    stage1 = 9 * 16 * 16 * 32 * 32
    stage2 = 9 * 32 * 32 * 16 * 16
    stage3 = 9 * 64 * 64 * 8 * 8
    shortcuts = (16 * 32 * 16 * 16 + 32 * 64 * 8 * 8) if option_b else 0
    return (
        9 * 3 * 16 * 32 * 32
        + 2 * one * stage1
        + stage2 // 2 + (2 * two - 1) * stage2
        + stage3 // 2 + (2 * three - 1) * stage3
        + 64 * 10
        + shortcuts
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "by_hand", "published"),
    [
        # Lin et al. 2020 (HRank), tables 1 to 4, and chenyaofo/pytorch-cifar-models (option B)
        ("resnet20", macs_of_6n2(3, 3, 3), 40.55e6),
        ("resnet20-b", macs_of_6n2(3, 3, 3, option_b=True), 40.81e6),
        ("resnet32-b", macs_of_6n2(5, 5, 5, option_b=True), 69.12e6),
        ("resnet56", macs_of_6n2(9, 9, 9), 125.49e6),
        ("resnet56-b", macs_of_6n2(9, 9, 9, option_b=True), 125.75e6),
        ("resnet110", macs_of_6n2(18, 18, 18), 252.89e6),
        # Lu et al. 2022, table 1: 60.3 % less than ResNet56
        ("resnet56[2,3,6]", macs_of_6n2(2, 3, 6), 49.99e6),
    ],
)
def test_macs_of_residual_networks(name, by_hand, published):
    macs = count_macs(load_model(name), (3, 32, 32))
    assert macs.total == by_hand == pytest.approx(published, abs=0.005e6)


@pytest.mark.parametrize(
    ("depth", "published"),
    # VGG-16: Lin et al. 2020 (HRank), 313.73 M with hidden linear layers
    [(11, None), (13, None), (16, 313.73e6), (19, None)],
)
def test_macs_of_vgg(depth, published):
    stages = {11: (1, 1, 2, 2, 2), 13: (2,) * 5, 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}[depth]
    before, side, by_hand = 3, 32, 512 * 512 + 512 * 512 + 512 * 10
    for count, width in zip(stages, (64, 128, 256, 512, 512), strict=True):
        by_hand += 9 * before * width * side**2 + (count - 1) * 9 * width * width * side**2
        before, side = width, side // 2
    total = count_macs(load_model(f"vgg{depth}"), (3, 32, 32)).total
    assert total == by_hand
    if published:
        assert total == pytest.approx(published, rel=1e-4)


@pytest.mark.parametrize(
    # kuangliu/pytorch-cifar's networks: 0.56, 1.16, 1.30 G
    ("name", "published"),
    [("resnet18", 0.56e9), ("resnet34", 1.16e9), ("resnet50", 1.30e9)],
)
def test_macs_of_wide_residual_networks(name, published):
    assert count_macs(load_model(name), (3, 32, 32)).total == pytest.approx(published, abs=0.005e9)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "resnet18", "resnet50", "mobilenet_v2", "squeezenet1_1", "densenet121", "convnext_tiny",
        "regnet_y_400mf", "shufflenet_v2_x0_5", "vit_b_32", "swin_t",
    ],
)  # fmt: skip
def test_torchvision_publishes_the_same_counts(name):
    meta = get_model_weights(name).DEFAULT.meta
    model = load_model(f"torchvision:{name}")
    assert count_parameters(model) == meta["num_params"]
    # Given in units of 10^9 with three digits after the point.
    assert count_macs(model, (3, 224, 224)).total / 1e9 == pytest.approx(meta["_ops"], abs=0.0051)


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason="STRATAGRAPH_DATA is not set")
def test_macs_of_a_transformer_with_a_fused_kernel():
    tokens, width, hidden = 65, 128, 256
    attention = 4 * tokens * width * width + 2 * tokens * tokens * width
    mlp = 2 * tokens * width * hidden
    expected = 64 * 3 * 4 * 4 * width + 6 * (attention + mlp) + width * 10
    model = load_model(f"{DATA}/models/vit.py:vit")
    assert count_macs(model, (3, 32, 32)).total == expected
    assert torch.backends.mha.get_fastpath_enabled()


def test_grouped_convolutions():
    model = nn.Conv2d(8, 8, 3, padding=1, groups=8)
    assert count_macs(model, (8, 4, 4)).total == 8 * 9 * 4 * 4


def test_counts_by_module_include_what_is_inside():
    macs = count_macs(load_model("resnet8"), (3, 32, 32))
    assert macs.modules["conv1"] == 9 * 3 * 16 * 32 * 32
    assert macs.modules["layer1"] == macs.modules["layer1.0"] == 2 * 9 * 16 * 16 * 32 * 32
    assert macs.modules[""] == macs.total
    assert "relu" not in macs.modules


def test_the_network_is_left_as_it_was():
    model = load_model("resnet8").train()
    count_macs(model, (3, 32, 32))
    assert model.training
    assert model.bn1.num_batches_tracked == 0


def test_shared_parameters_count_once():
    layer = nn.Linear(3, 3)
    assert count_parameters(nn.Sequential(layer, layer)) == 3 * 3 + 3


def test_frozen_parameters_count():
    assert count_parameters(nn.Linear(3, 2).requires_grad_(False)) == 8


def test_an_input_that_does_not_fit():
    with pytest.raises(ModelError, match=r"ResNet cannot run on an input of shape \(1, 8, 8\)"):
        count_macs(load_model("resnet8"), (1, 8, 8))
    assert torch.backends.mha.get_fastpath_enabled()
