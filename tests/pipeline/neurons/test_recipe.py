import pytest

from graphs.errors import RunError
from pipeline.neurons.recipe import NeuronRecipe


def test_schedule_as_arithmetic():
    recipe = NeuronRecipe()
    steps = 9380
    assert recipe.sparsity_at(0, steps) == 0.5
    assert recipe.sparsity_at(steps // 2, steps) == pytest.approx(0.9 - 0.4 / 8)
    assert recipe.sparsity_at(steps // 4, steps) == pytest.approx(0.9 - 0.4 * 27 / 64)
    assert recipe.sparsity_at(steps, steps) == 0.9
    assert recipe.sparsity_at(2 * steps, steps) == 0.9
    rising = [recipe.sparsity_at(step, steps) for step in range(0, steps, 10)]
    assert rising == sorted(rising)


def test_epochs_have_streams_of_their_own():
    seeds = {NeuronRecipe(seed=seed).seed_of(epoch) for seed in range(3) for epoch in range(40)}
    assert len(seeds) == 120


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": -1}, "epochs=-1"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"lr": 0}, "lr=0"),
        ({"l1": -1e-5}, "l1=-1e-05"),
        ({"l2": float("nan")}, "l2=nan"),
        ({"dropout": 1.0}, "dropout=1.0"),
        ({"sparsity": 0.4}, "first_sparsity=0.5 is above sparsity=0.4"),
        ({"initial": "he"}, "initial weights 'he'"),
    ],
)
def test_what_is_refused(options, message):
    with pytest.raises(RunError, match=message):
        NeuronRecipe(**options)
