import pytest
import torch
from torchvision.models import get_model_weights

from graphs.errors import ModelError, WeightsError
from pipeline.models import load_model
from pipeline.models.torchvision_zoo import build_torchvision, torchvision_names


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "squeezenet1_1", "densenet121"])
def test_parameters_are_those_that_torchvision_publishes(name):
    model = load_model(f"torchvision:{name}")
    published = get_model_weights(name).DEFAULT.meta["num_params"]
    assert sum(parameter.numel() for parameter in model.parameters()) == published


def test_resnet18_of_torchvision():
    model = load_model("torchvision:resnet18")
    assert sum(parameter.numel() for parameter in model.parameters()) == 11_689_512


def test_classes_can_be_chosen():
    model = load_model("torchvision:MobileNet_V3_Small", classes=7)
    assert model(torch.zeros(1, 3, 64, 64)).shape == (1, 7)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_networks_with_auxiliary_heads_build_without_warning(name):
    model = load_model(f"torchvision:{name}", classes=5)
    assert model(torch.zeros(1, 3, 299, 299)).shape == (1, 5)


def test_unknown_names_list_near_ones():
    with pytest.raises(
        ModelError, match=r"no classifier 'resnet19'; near names: torchvision:resnet1"
    ):
        load_model("torchvision:resnet19")


def test_only_classifiers_are_offered():
    assert "torchvision:fasterrcnn_resnet50_fpn" not in torchvision_names()
    with pytest.raises(ModelError, match="torchvision has no classifier 'fasterrcnn_resnet50_fpn'"):
        load_model("torchvision:fasterrcnn_resnet50_fpn")


def test_weights_that_cannot_be_downloaded(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    # The discard port: nothing answers there.
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(
        WeightsError,
        match=r"default weights of torchvision:mobilenet_v3_small cannot be had: .*; co",
    ):
        build_torchvision("torchvision:mobilenet_v3_small", classes=10, pretrained=True)


def test_default_weights_from_torchs_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    weights = get_model_weights("squeezenet1_1").DEFAULT
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    drawn = load_model("torchvision:squeezenet1_1", seed=5)
    torch.save(drawn.state_dict(), folder / weights.url.rsplit("/", 1)[1])
    model = load_model("torchvision:squeezenet1_1", weights="default", classes=10)
    assert torch.equal(model.classifier[1].weight, drawn.classifier[1].weight)
