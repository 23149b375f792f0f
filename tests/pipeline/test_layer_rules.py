import os
from pathlib import Path

import pytest
import torch
from torch import nn

from graphs.errors import LayerError
from pipeline.layer_rules import preset_layers
from pipeline.models import load_model
from pipeline.tracing import trace_model

DATA = Path(os.environ.get("STRATAGRAPH_DATA", "/nonexistent"))


def layers(model, preset="blocks", shape=(3, 32, 32)):
    return preset_layers(trace_model(model, torch.zeros(1, *shape)), preset)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("resnet20", 10), ("resnet20-b", 10), ("resnet56", 28), ("resnet56[2,3,6]", 12),
        ("resnet18", 9), ("resnet50", 17), ("vgg11", 8), ("vgg16", 13), ("vgg19", 16),
        ("vgg8", 6), ("mlp", 2), ("mlp-9-8-7", 3),
    ],
)  # fmt: skip
@pytest.mark.parametrize("preset", ["blocks", "reference"])
def test_number_of_layers(name, count, preset):
    assert len(layers(load_model(name), preset)) == count


@pytest.mark.slow
def test_number_of_layers_of_resnet152():
    assert len(layers(load_model("resnet152"))) == 51


def test_residual_networks_are_read_after_stem_and_blocks():
    blocks = [f"layer{stage}.{block}" for stage in (1, 2, 3) for block in (0, 1)]
    assert layers(load_model("resnet14"), "blocks") == ["relu", *blocks]
    assert layers(load_model("resnet14"), "reference") == ["conv1", *blocks]


def test_vgg_is_read_after_the_activation_or_at_the_convolution():
    model = load_model("vgg8")
    kinds = dict(model.named_modules())
    assert all(isinstance(kinds[name], nn.ReLU) for name in layers(model, "blocks"))
    assert all(isinstance(kinds[name], nn.Conv2d) for name in layers(model, "reference"))


@pytest.mark.parametrize(
    ("name", "count", "first", "last"),
    [
        ("resnet18", 9, "relu", "layer4.1"),
        ("squeezenet1_1", 10, "features.1", "classifier.2"),
        ("mobilenet_v2", 19, "features.0.2", "features.18.2"),
        ("mobilenet_v3_small", 13, "features.0.2", "features.12.2"),
        ("shufflenet_v2_x0_5", 18, "conv1.2", "conv5.2"),
        ("mnasnet0_5", 20, "layers.2", "layers.16"),
        ("efficientnet_b0", 18, "features.0.2", "features.8.2"),
        ("regnet_y_400mf", 17, "stem.2", "trunk_output.block4.block4-5"),
        ("densenet121", 8, "features.relu0", "features.denseblock4"),
        ("alexnet", 5, "features.1", "features.11"),
        ("vgg11_bn", 8, "features.2", "features.27"),
        ("convnext_tiny", 22, "features.0.1", "features.7.2"),
        ("vit_b_32", 13, "conv_proj", "encoder.layers.encoder_layer_11"),
        ("swin_t", 16, "features.0.2", "features.7.1"),
        ("swin_v2_t", 16, "features.0.2", "features.7.1"),
        ("maxvit_t", 35, "stem.0.2", "blocks.3.layers.1.layers.grid_attention"),
        ("googlenet", 12, "conv1", "inception5b"),
        ("inception_v3", 16, "Conv2d_1a_3x3", "Mixed_7c"),
    ],
)
@pytest.mark.slow
def test_torchvisions_networks(name, count, first, last):
    found = layers(load_model(f"torchvision:{name}"), shape=(3, 224, 224))
    assert (len(found), found[0], found[-1]) == (count, first, last)


@pytest.mark.slow
def test_reference_reads_the_raw_convolution_inside_a_wrapper():
    found = layers(load_model("torchvision:googlenet"), "reference", shape=(3, 224, 224))
    assert found[:4] == ["conv1.conv", "conv2.conv", "conv3.conv", "inception3a"]


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason="STRATAGRAPH_DATA is not set")
def test_networks_from_outside():
    nin = load_model(f"{DATA}/models/nin.py:nin")
    wrapped = [f"tnn_bin.{i}" for i in (2, 3, 5, 6, 7, 9, 10)]
    assert layers(nin) == ["tnn_bin.1", *wrapped, "tnn_bin.13"]
    raw = [f"{name}.conv" for name in wrapped]
    assert layers(nin, "reference") == ["tnn_bin.0", *raw, "tnn_bin.11"]
    vit = load_model(f"{DATA}/models/vit.py:vit")
    assert layers(vit) == ["patch_embed", *(f"transformer.layers.{i}" for i in range(6))]


class Residual(nn.Module):
    def __init__(self, width, *, shortcut=True, inplace=False):
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(width, width, 1), nn.ReLU(), nn.Conv2d(width, width, 1)
        )
        self.shortcut, self.inplace = shortcut, inplace

    def forward(self, x):
        out = self.inner(x)
        if self.inplace:
            out += x
            return out
        return out + x if self.shortcut else out


@pytest.mark.parametrize("inplace", [False, True])
def test_a_residual_sum_makes_a_block(inplace):
    model = nn.Sequential(nn.Conv2d(3, 4, 1), Residual(4, inplace=inplace))
    assert layers(model) == ["0", "1"]


def test_a_class_is_a_block_everywhere():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), Residual(4), Residual(4, shortcut=False))
    assert layers(model) == ["0", "1", "2"]


def test_a_class_without_any_shortcut_is_a_chain():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), Residual(4, shortcut=False))
    assert layers(model) == ["0", "1.inner.1", "1.inner.2"]


def test_stages_written_as_classes_are_opened():
    class Stage(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = nn.ModuleList(Residual(3) for _ in range(2))

        def forward(self, x):
            for block in self.blocks:
                x = block(x)
            return x

    model = nn.Sequential(Stage(), Stage())
    assert layers(model) == ["0.blocks.0", "0.blocks.1", "1.blocks.0", "1.blocks.1"]


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.left = nn.Conv2d(3, 2, 1)
        self.right = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU())

    def forward(self, x):
        return torch.cat((self.left(x), self.right(x)), 1)


def test_branches_make_a_block():
    assert layers(nn.Sequential(Branches(), nn.ReLU(), nn.Conv2d(4, 2, 1))) == ["0", "2"]


def test_a_wrapped_network_is_opened():
    class Wrapper(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = load_model("resnet8")

        def forward(self, x):
            return {"logits": self.model(x)}

    assert layers(Wrapper()) == [f"model.{name}" for name in layers(load_model("resnet8"))]


def test_pooling_and_reshaping_end_a_layer():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.MaxPool2d(3, 1, 1), nn.ReLU(), nn.Flatten())
    assert layers(model) == ["0"]


def test_pooling_written_as_a_function_ends_a_layer():
    class Pooled(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.dropout = nn.Conv2d(3, 4, 1), nn.Dropout()

        def forward(self, x):
            return self.dropout(self.conv(x).mean((2, 3)))

    assert layers(Pooled()) == ["conv"]
    assert layers(nn.Sequential(Pooled())) == ["0.conv"]


def test_dropout_and_a_nested_activation_belong_to_the_layer():
    model = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)),
        nn.Sequential(nn.ReLU(), nn.Dropout()),
        nn.Conv2d(4, 2, 1),
    )
    assert layers(model) == ["1", "2"]
    assert layers(model, "reference") == ["0.0", "2"]


def test_linear_layers_before_the_last_block_stay_and_the_head_goes():
    model = nn.Sequential(
        nn.Flatten(2), nn.Linear(9, 9), nn.Unflatten(2, (3, 3)), nn.Conv2d(3, 4, 1), nn.Flatten(),
        nn.Linear(36, 8), nn.ReLU(), nn.Linear(8, 2),
    )  # fmt: skip
    assert layers(model, shape=(3, 3, 3)) == ["1", "3"]


def test_idle_modules_are_no_layers():
    class Idle(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.idle = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1)

        def forward(self, x):
            return self.used(x)

    assert layers(Idle()) == ["used"]


def test_frozen_networks_have_the_same_layers():
    model = load_model("resnet8")
    expected = layers(model)
    assert layers(model.requires_grad_(False)) == expected


def test_a_backbone_behind_no_grad_keeps_its_repeated_blocks():
    class Probe(nn.Module):
        def __init__(self):
            super().__init__()
            self.backbone, self.head = load_model("resnet8"), nn.Linear(10, 2)

        def forward(self, x):
            with torch.no_grad():
                features = self.backbone(x)
            return self.head(features)

    assert layers(Probe()) == [f"backbone.{name}" for name in layers(load_model("resnet8"))]


def test_convolutions_with_parametrised_weights():
    model = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 1)), nn.ReLU())
    assert layers(model) == ["1"]
    assert layers(model, "reference") == ["0"]


def test_a_convolution_of_the_users_own():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(4, 3, 1, 1))

        def forward(self, x):
            return nn.functional.conv2d(x, self.weight)

    model = nn.Sequential(Own(), nn.BatchNorm2d(4), nn.ReLU())
    assert layers(model) == ["2"]
    assert layers(model, "reference") == ["0"]


def test_no_layers_without_weights():
    with pytest.raises(
        LayerError, match=r"preset 'blocks' finds no layers in ReLU: it has no conv"
    ):
        layers(nn.ReLU())


def test_one_linear_layer_has_no_layers():
    model = nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))
    with pytest.raises(LayerError, match=r"finds no layers in Sequential: .*; name the layers by"):
        layers(model)
