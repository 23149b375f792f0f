import pytest
import torch

from graphs.errors import ModelError, WeightsError
from pipeline.models import load_model, model_names


def logits(model):
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return model(x)


def test_networks_come_in_eval_mode():
    assert not any(module.training for module in load_model("resnet8").modules())


def test_same_seed_same_weights_and_the_global_generator_is_left_alone():
    torch.manual_seed(3)
    state = torch.random.get_rng_state()
    a, b, c = (load_model("resnet8", seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(logits(a), logits(b))
    assert not torch.equal(logits(a), logits(c))


def test_a_factory_is_seeded_too(tmp_path):
    path = tmp_path / "net.py"
    path.write_text("from torch import nn\ndef net(): return nn.Linear(3, 2)\n")
    a, b = load_model(f"{path}:net"), load_model(f"{path}:net", weights="random")
    assert torch.equal(a.weight, b.weight)


def test_ten_classes_unless_told_otherwise():
    assert logits(load_model("resnet8")).shape == (2, 10)
    assert logits(load_model("vgg8", classes=100)).shape == (2, 100)


def test_weights_by_path(tmp_path):
    trained = load_model("vgg8", seed=4)
    torch.save({"state_dict": trained.state_dict()}, tmp_path / "w.pt")
    for path in (tmp_path / "w.pt", str(tmp_path / "w.pt")):
        assert torch.equal(logits(load_model("vgg8", weights=path)), logits(trained))


def test_upper_case_is_accepted():
    assert type(load_model("ResNet8")) is type(load_model("resnet8"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet21", r"there is no model 'resnet21'; near names: resnet"),
        ("densenet121", r"no model 'densenet121'; near names: torchvision:densenet121, "),
        ("my_net.py", r"my_net\.py names a file without a factory; give path/file\.py:factory"),
        ("no/such/file.py:net", r"model file no/such/file\.py does not exist"),
    ],
)
def test_unknown_models(name, message):
    with pytest.raises(ModelError, match=message):
        load_model(name)


def test_classes_must_be_positive():
    with pytest.raises(ModelError, match=r"classes=0 makes no classifier; give at least 1"):
        load_model("resnet8", classes=0)


def test_the_zoo_has_no_default_weights():
    with pytest.raises(WeightsError, match=r"resnet20 has no default weights; give a file or"):
        load_model("resnet20", weights="default")


def test_names_are_unique():
    assert len(set(model_names())) == len(model_names()) > 80
