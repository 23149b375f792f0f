import pandas as pd
import pytest
import torch
from torch import nn

from graphs.eigenvalues import laplacian_eigenvalues
from graphs.errors import DataError, ModelError, RunError
from pipeline.data import load_data
from pipeline.models import load_model
from pipeline.models.mlp import MLP
from pipeline.neurons.dropout import QuickDropout, add_dropout
from pipeline.neurons.epochs import NeuronRun
from pipeline.neurons.initial import initialize_neurons
from pipeline.neurons.masks import weights_of
from pipeline.neurons.recipe import NeuronRecipe
from pipeline.neurons.train_command import train_for_neurons
from pipeline.neurons.training import train_neurons

TRAIN, TEST = (load_data("digits", split=split) for split in ("train", "test"))
RECIPE = NeuronRecipe(epochs=2, pruning_epochs=2, dropout=0.2, l1=1e-5, batch_size=64)


def _model():
    return load_model("mlp-24-16", classes=10, input_shape=(1, 8, 8))


def _state(path):
    return torch.load(path, weights_only=True)["state_dict"]


def _same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    out = tmp_path_factory.mktemp("training")
    return train_neurons(_model(), TRAIN, TEST, out=out, recipe=RECIPE)


def test_what_training_leaves(undisturbed):
    history = undisturbed.history
    assert history["phase"].tolist() == ["train", "train", "prune", "prune"]
    on_disk = pd.read_csv(undisturbed.pruned.parent / "history.csv")
    pd.testing.assert_frame_equal(on_disk, history)
    # 24 * 64, 16 * 24 and 10 * 16 weights: 154, 38 and 16 stay
    state = _state(undisturbed.pruned)
    kept = [int((w != 0).sum()) for k, w in state.items() if k.endswith("weight")]
    assert kept == [154, 38, 16]
    assert history["sparsity"].iloc[-1] == 1 - (154 + 38 + 16) / (1536 + 384 + 160)
    assert all((w != 0).all() for k, w in _state(undisturbed.unpruned).items() if "weight" in k)
    assert any(b.any() for k, b in state.items() if k.endswith("bias"))  # not pruned


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_interrupted_training_ends_in_the_same_weights(stop, undisturbed, tmp_path, monkeypatch):
    whole = NeuronRun.epoch

    def epoch(run, number):
        if number == stop:
            raise KeyboardInterrupt
        whole(run, number)

    monkeypatch.setattr(NeuronRun, "epoch", epoch)
    with pytest.raises(KeyboardInterrupt):
        train_neurons(_model(), TRAIN, TEST, out=tmp_path, recipe=RECIPE)
    monkeypatch.undo()
    result = train_neurons(_model(), TRAIN, TEST, out=tmp_path, recipe=RECIPE)
    assert result.resumed_from == stop
    for name in ("unpruned.pt", "pruned.pt"):
        assert _same(_state(tmp_path / name), _state(undisturbed.pruned.parent / name))


def test_finished_training_is_left_alone(undisturbed):
    out = undisturbed.pruned.parent
    before = {path: path.read_bytes() for path in out.iterdir()}
    again = train_neurons(_model(), TRAIN, TEST, out=out, recipe=RECIPE)
    assert again.resumed_from == 4
    assert {path: path.read_bytes() for path in out.iterdir()} == before


def test_other_recipe_is_refused_and_force_begins_anew(tmp_path):
    short = NeuronRecipe(epochs=1, pruning_epochs=0)
    result = train_neurons(_model(), TRAIN, TEST, out=tmp_path, recipe=short)
    assert result.pruned is None
    other = NeuronRecipe(epochs=1, pruning_epochs=0, seed=1)
    with pytest.raises(RunError, match="seed was 0, now 1"):
        train_neurons(_model(), TRAIN, TEST, out=tmp_path, recipe=other)
    again = train_neurons(_model(), TRAIN, TEST, out=tmp_path, recipe=other, force=True)
    assert again.resumed_from == 0


def test_weights_fit_the_plain_network(undisturbed):
    model = load_model("mlp-24-16", weights=undisturbed.pruned, classes=10, input_shape=(1, 8, 8))
    assert not any(isinstance(module, nn.Dropout) for module in model.modules())


def test_no_epochs_leave_the_initial_weights(tmp_path):
    recipe = NeuronRecipe(epochs=0, pruning_epochs=0, seed=5)
    result = train_neurons(_model(), TRAIN, TEST, out=tmp_path, recipe=recipe)
    expected = initialize_neurons(_model(), "glorot", seed=5)
    assert _same(_state(result.unpruned), expected.state_dict())
    assert result.history.empty
    command = train_for_neurons(tmp_path, model="mlp-24-16", recipe=recipe, progress=False)
    assert command == tmp_path / "unpruned.pt"


def test_it_learns(tmp_path):
    recipe = NeuronRecipe(epochs=15, pruning_epochs=10, batch_size=32, lr=3e-3, sparsity=0.8)
    result = train_neurons(_model(), TRAIN, TEST, out=tmp_path, recipe=recipe)
    assert result.history["test_accuracy"].iloc[14] > 0.9
    assert result.history["test_accuracy"].iloc[-1] > 0.8


def test_clusterability_lowers_the_eigenvalues(tmp_path):
    losses = {}
    for rate in (0.0, 30.0):
        recipe = NeuronRecipe(epochs=8, pruning_epochs=0, clusterability=rate, rescale=True)
        result = train_neurons(_model(), TRAIN, TEST, out=tmp_path / str(rate), recipe=recipe)
        weights = [w.numpy().T for k, w in _state(result.unpruned).items() if "weight" in k]
        losses[rate] = laplacian_eigenvalues(weights, 3).values.mean()
    assert losses[30.0] < 0.9 * losses[0.0]


def test_glorot():
    model = initialize_neurons(MLP((1, 28, 28), hidden=(256,)), "glorot", seed=1)
    first = model.net[1]
    bound = (6 / (784 + 256)) ** 0.5
    assert 0.99 * bound < float(first.weight.detach().abs().max()) <= bound
    assert not first.bias.any()
    assert float(first.weight.detach().std()) == pytest.approx(bound / 3**0.5, rel=0.01)


def test_clusterable_initial_weights_differ_by_two_factors():
    plain = initialize_neurons(MLP((1, 8, 8), hidden=(50, 40)), "glorot", seed=2)
    for first in (False, True):
        model = MLP((1, 8, 8), hidden=(50, 40))
        initialize_neurons(model, "clusterable", seed=2, first=first)
        pairs = zip(weights_of(model), weights_of(plain), strict=True)
        ratios = [(a / b).detach() for a, b in pairs]
        assert first != torch.equal(ratios[0], torch.ones_like(ratios[0]))
        inside = torch.isclose(ratios[1], torch.tensor(4.6))
        assert torch.allclose(ratios[1][~inside], torch.tensor(0.6))
        assert 0.05 < float(inside.float().mean()) < 0.2  # one in ten
        # each of the ten outputs is a module of its own
        assert torch.isclose(ratios[2], torch.tensor(4.6)).sum(dim=0).max() <= 1


def test_dropout_keeps_the_mean():
    torch.manual_seed(0)
    drop = QuickDropout(0.3)
    dropped = drop(torch.ones(333, 301))
    values = dropped.unique().tolist()
    assert values == pytest.approx([0, 1 / 0.7])
    assert float((dropped == 0).float().mean()) == pytest.approx(0.3, abs=0.01)
    assert torch.equal(drop.eval()(torch.ones(3)), torch.ones(3))


def test_what_is_refused(tmp_path):
    with pytest.raises(DataError, match="are the same"):
        train_neurons(_model(), TEST, TEST, out=tmp_path / "a")
    with pytest.raises(ModelError, match="no ReLU"):
        add_dropout(nn.Sequential(nn.Linear(2, 2), nn.Tanh()), 0.5)
    with pytest.raises(ModelError, match="no chain"):
        initialize_neurons(
            nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 10)), "clusterable"
        )
    diverging = NeuronRecipe(epochs=3, pruning_epochs=0, lr=1e30)
    with pytest.raises(ModelError, match="the loss is"):
        train_neurons(_model(), TRAIN, TEST, out=tmp_path / "b", recipe=diverging)
