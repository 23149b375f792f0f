import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pipeline.pruning.criteria import CRITERIA
from pipeline.pruning.evidence import Evidence

N = 60


def make_model():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True),
        nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True),
        nn.Flatten(), nn.Linear(64, 2),
    )  # fmt: skip


@pytest.fixture(scope="module")
def evidence():
    """A network that tells bright from dark images, after a short training."""
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(N) % 2
    images = torch.randn(N, 1, 4, 4, generator=generator) + 2 * labels[:, None, None, None]
    model = make_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(60):
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()
    return Evidence.of_arrays(model.eval(), images, labels.numpy())


def score(name, evidence):
    return CRITERIA[name].function(evidence)


def members(evidence, model):
    return [[model.get_submodule(name) for name in part.members] for part in evidence.parts]


def test_magnitude_by_hand():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2))
    values = {"0.weight": [[1.0, -2], [3, -4]], "0.bias": [0.5, -0.5], "1.weight": [[0, 0], [0, 1]]}
    state = {key: torch.zeros_like(value) for key, value in model.state_dict().items()}
    model.load_state_dict(state | {key: torch.tensor(value) for key, value in values.items()})
    evidence = Evidence.of_arrays(model, torch.randn(5, 2), None, k=2)
    assert score("magnitude", evidence).tolist() == [1 + 2 + 3 + 4 + 1, 1]


@pytest.mark.parametrize("memory", [1, 4 << 30])
def test_taylor_is_weight_times_gradient(evidence, memory):
    model = copy.deepcopy(evidence.model).double().eval()
    images, labels = evidence.images().double(), torch.from_numpy(evidence.labels)
    F.cross_entropy(model(images), labels).backward()
    expected = [
        sum((w * w.grad).abs().sum().item() for module in modules for w in module.parameters())
        for modules in members(evidence, model)
    ]
    given = replace(evidence, memory=memory)
    assert given.passes.gradient_batch == (1 if memory == 1 else 256)
    np.testing.assert_allclose(score("taylor", given), expected, rtol=1e-4)


def test_taylor_of_frozen_weights_is_the_same(evidence):
    model = copy.deepcopy(evidence.model).requires_grad_(False)
    frozen = replace(evidence, model=model)
    np.testing.assert_array_equal(score("taylor", frozen), score("taylor", evidence))
    assert not any(weight.requires_grad for weight in model.parameters())


def accuracy(model, evidence):
    with torch.no_grad():
        found = model.eval()(evidence.images()).argmax(1).numpy()
    return (found == evidence.labels).mean()


def test_drawn_anew_is_a_fresh_layer_in_the_trained_network(evidence):
    drops = score("reinitialize", evidence)
    whole = accuracy(evidence.model, evidence)
    assert whole > 0.9
    for row, part in enumerate(evidence.parts):
        model = copy.deepcopy(evidence.model)
        torch.manual_seed(int(np.random.SeedSequence([evidence.seed, row]).generate_state(1)[0]))
        for name in part.members:
            module = model.get_submodule(name)
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
        assert drops[row] == pytest.approx(whole - accuracy(model, evidence), abs=1e-12)
    assert (drops != 0).any()
    assert accuracy(evidence.passes.model, evidence) == whole  # the copy is put back


def test_another_seed_draws_other_weights(evidence):
    several = {tuple(score("reinitialize", replace(evidence, seed=seed))) for seed in range(6)}
    assert len(several) > 1
    again = score("reinitialize", replace(evidence, seed=3, memory=1))
    np.testing.assert_array_equal(again, score("reinitialize", replace(evidence, seed=3)))


@pytest.mark.parametrize("fresh", [False, True])
def test_what_cannot_be_drawn_anew_has_no_score(fresh):
    second = nn.Conv2d(4, 4, 3, padding=1)
    if not fresh:
        second.reset_parameters = None  # as where weights are no module's own
    model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), second, nn.Flatten(), nn.Linear(64, 2))
    evidence = Evidence.of_arrays(model, torch.randn(12, 1, 4, 4), np.arange(12) % 2)
    assert np.isfinite(score("reinitialize", evidence)).tolist() == [True, fresh]
    assert np.isfinite(score("taylor", evidence)).all()


def test_attention_is_drawn_anew():
    layer = nn.TransformerEncoderLayer(8, 2, 16, 0.1, batch_first=True)

    class Vit(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Conv2d(1, 8, 2, 2)
            self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.head = nn.Linear(8, 2)

        def forward(self, x):
            return self.head(self.encoder(self.embed(x).flatten(2).transpose(1, 2)).mean(1))

    torch.manual_seed(0)
    model = Vit()
    evidence = Evidence.of_arrays(model, torch.randn(16, 1, 4, 4), np.arange(16) % 2)
    before = {key: value.clone() for key, value in evidence.passes.model.state_dict().items()}
    assert len(evidence.parts) == 3
    for name in ("reinitialize", "taylor", "cka_zeroed", "block_influence"):
        scores = score(name, evidence)
        assert np.isfinite(scores[1:]).all(), name
    after = evidence.passes.model.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())
