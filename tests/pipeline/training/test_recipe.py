import pytest
import torch

from graphs.errors import RunError
from pipeline.training import Recipe


def test_defaults_are_the_papers():
    recipe = Recipe()
    assert (recipe.epochs, recipe.batch_size, recipe.lr) == (150, 256, 0.01)
    assert (recipe.momentum, recipe.weight_decay) == (0.9, 0.005)
    assert (recipe.milestones, recipe.gamma) == ((50, 100), 0.1)


def test_learning_rate_agrees_with_multisteplr():
    recipe = Recipe(epochs=12, milestones=(3, 3, 8), gamma=0.5, lr=0.2)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=recipe.lr)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, recipe.milestones, recipe.gamma)
    for epoch in range(recipe.epochs):
        assert recipe.lr_at(epoch) == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()


def test_every_epoch_has_its_own_seed():
    seeds = {Recipe(seed=seed).seed_of(epoch) for seed in range(5) for epoch in range(20)}
    assert len(seeds) == 5 * 20


def test_augmentation_by_channels():
    assert Recipe().for_channels(1).augmentation == "none"
    assert Recipe().for_channels(3).augmentation == "crop-flip"
    assert Recipe(augmentation="crop-flip").for_channels(1).augmentation == "crop-flip"


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"epochs": 0}, "epochs=0 is not possible; give at least 1"),
        ({"batch_size": -1}, "batch_size=-1 is not possible"),
        ({"seed": -1}, "seed=-1 is not possible"),
        ({"lr": 0}, "lr=0 is not possible; give a number above 0"),
        ({"lr": float("nan")}, "lr=nan is not possible"),
        ({"gamma": -0.1}, "gamma=-0.1 is not possible"),
        ({"momentum": 1}, "momentum=1 is not possible; give a number from 0 to 1"),
        ({"weight_decay": -0.1}, "weight_decay=-0.1 is not possible"),
        ({"augmentation": "flip"}, "augmentation 'flip' is unknown; choose auto, none, crop-flip"),
        ({"precision": "half"}, "precision 'half' is unknown; choose auto, float32, mixed"),
    ],
)
def test_errors(values, problem):
    with pytest.raises(RunError, match=problem):
        Recipe(**values)
