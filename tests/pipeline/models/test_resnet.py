import pytest
import torch
from torch import nn

from graphs.errors import ModelError
from pipeline.models.resnet import (
    BasicBlock,
    PaddedShortcut,
    ResNet,
    cifar_resnet,
    resnet,
)


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


def basic_block(inputs, width):
    """Two 3x3 convolutions without bias, each with the two vectors of its normalisation."""
    return 9 * inputs * width + 2 * width + 9 * width * width + 2 * width


@pytest.mark.parametrize(
    ("blocks", "published"),
    [
        # akamaster/pytorch_resnet_cifar10, README: 0.27, 0.46, 0.66, 0.85, 1.7 million
        ((3, 3, 3), 269_722),
        ((5, 5, 5), 464_154),
        ((7, 7, 7), 658_586),
        ((9, 9, 9), 853_018),
        ((18, 18, 18), 1_727_962),
        # Lu et al. 2022, table 1: 43 % less than (9, 9, 9)
        ((2, 3, 6), 487_002),
    ],
)
def test_option_a_networks_have_the_published_number_of_parameters(blocks, published):
    one, two, three = blocks
    by_hand = (
        (9 * 3 * 16 + 2 * 16)
        + one * basic_block(16, 16)
        + basic_block(16, 32)
        + (two - 1) * basic_block(32, 32)
        + basic_block(32, 64)
        + (three - 1) * basic_block(64, 64)
        + (64 * 10 + 10)
    )
    assert parameters(cifar_resnet(blocks)) == published == by_hand


@pytest.mark.parametrize(
    # chenyaofo/pytorch-cifar-models: 0.27, 0.47, 0.66, 0.86 million, shortcuts with parameters
    ("depth", "published"),
    [(20, 272_474), (32, 466_906), (44, 661_338), (56, 855_770)],
)
def test_option_b_adds_two_convolutions_with_normalisation(depth, published):
    blocks = ((depth - 2) // 6,) * 3
    shortcuts = (16 * 32 + 2 * 32) + (32 * 64 + 2 * 64)
    option_a = parameters(cifar_resnet(blocks))
    assert parameters(cifar_resnet(blocks, shortcut="B")) == published == option_a + shortcuts


@pytest.mark.parametrize(
    # kuangliu/pytorch-cifar: 11.2, 21.3, 23.5, 42.5, 58.2 million
    ("depth", "published"),
    [(18, 11_173_962), (34, 21_282_122), (50, 23_520_842), (101, 42_512_970), (152, 58_156_618)],
)
def test_wide_networks_have_the_published_number_of_parameters(depth, published):
    assert parameters(resnet(depth)) == published


def test_resnet18_equals_torchvisions_but_for_stem_and_head():
    torchvision_resnet18 = 11_689_512
    stem = (3 * 3 - 7 * 7) * 3 * 64
    head = (10 - 1000) * (512 + 1)
    assert parameters(resnet(18)) == torchvision_resnet18 + stem + head


def test_padded_shortcut_subsamples_and_pads_on_both_sides():
    x = torch.arange(2 * 2 * 4 * 4, dtype=torch.float32).reshape(2, 2, 4, 4)
    out = PaddedShortcut(2, 3)(x)
    assert out.shape == (2, 5, 2, 2)
    assert torch.equal(out[:, 1:3], x[:, :, ::2, ::2])
    assert not out[:, [0, 3, 4]].any()


def test_a_block_adds_its_input():
    block = BasicBlock(4, 4, 1, shortcut="A").eval()
    nn.init.zeros_(block.conv2.weight)
    x = torch.randn(2, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(block(x), x.relu())


def test_parameter_names_are_those_of_checkpoints():
    names = set(cifar_resnet((1, 1, 1), shortcut="B").state_dict())
    expected = {"conv1.weight", "bn1.weight", "layer1.0.conv1.weight", "layer3.0.bn2.bias"}
    assert expected | {"linear.weight", "layer2.0.shortcut.0.weight"} <= names


@pytest.mark.parametrize("side", [8, 28, 32])
@pytest.mark.parametrize(
    "build", [lambda c: cifar_resnet((1, 1, 1), channels=c), lambda c: resnet(18, channels=c)]
)
def test_images_of_one_channel_and_any_size(build, side):
    model = build(1).eval()
    assert model(torch.zeros(2, 1, side, side)).shape == (2, 10)


def test_depth_is_configurable():
    model = resnet(152, (3, 8, 6, 3))
    assert [len(model.get_submodule(name)) for name in model.stage_names] == [3, 8, 6, 3]


@pytest.mark.parametrize("blocks", [(3, 3), (3, 0, 3), ()])
def test_blocks_that_do_not_fit(blocks):
    with pytest.raises(ModelError, match=r"blocks .* do not fit this ResNet of 3 stages; give 3"):
        cifar_resnet(blocks)


def test_convolutions_start_with_hes_deviation():
    torch.manual_seed(0)
    weight = ResNet(BasicBlock, (1,), widths=(256,), shortcut="A").layer1[0].conv1.weight
    assert weight.std().item() == pytest.approx((2 / (9 * 256)) ** 0.5, rel=0.01)
