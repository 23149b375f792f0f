"""The registry, the table of all scores, and what the criteria have in common."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from graphs.errors import DataError, ModelError, PlanError
from graphs.schema import COLUMNS
from graphs.tables import read_frame, write_table
from pipeline.data import load_data
from pipeline.models import load_model
from pipeline.pruning.criteria import CRITERIA, choose_criteria, count_scores, score_layers
from pipeline.pruning.evidence import Evidence

DATA = Path(os.environ.get("STRATAGRAPH_DATA", "/nonexistent"))
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="STRATAGRAPH_DATA is not set")
NEED_LABELS = {"modularity", "running_maximum", "probe", "reinitialize", "taylor"}
NEED_LOGITS = {"reinitialize", "taylor"}
NAN_FIRST = {"modularity", "running_maximum", "leiden", "probe"}
KEEP_SHAPE = {"cka_zeroed", "block_influence", "angular"}


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.bn = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(x + self.bn(self.conv(x)))


class Net(nn.Module):
    def __init__(self, head=None):
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.blocks = nn.Sequential(Block(), Block(), nn.Conv2d(4, 6, 3, stride=2), Block6())
        self.head = head or nn.Sequential(nn.Flatten(), nn.Linear(54, 3))

    def forward(self, x):
        return self.head(self.blocks(self.stem(x)))


class Block6(Block):
    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(6, 6, 3, padding=1), nn.BatchNorm2d(6)


class Pair(nn.Module):
    def forward(self, x):
        return x, x


def make(head=None, *, labels=True, n=40, seed=0, repeat=0):
    torch.manual_seed(0)
    model = Net(head).train()
    images = torch.randn(n, 1, 8, 8, generator=torch.Generator().manual_seed(repeat))
    classes = np.arange(n) % 3 if labels else None
    return Evidence.of_arrays(model, images, classes, seed=seed, repeat=repeat)


@pytest.fixture(scope="module")
def table():
    return score_layers([make(), make(repeat=1)], ["all"])


def test_every_criterion_says_what_it_is():
    for name, (function, about) in CRITERIA.items():
        assert name == name.lower()
        assert len(about) < 90
        assert function.__doc__
    cited = [name for name, entry in CRITERIA.items() if re.search(r"\d{4}", entry.about)]
    assert set(CRITERIA) - set(cited) == {"random", "tail"}


def test_the_table_is_tidy(table, tmp_path):
    write_table(table, tmp_path / "criteria.parquet", "criteria")
    assert list(read_frame(tmp_path / "criteria.parquet", "criteria")) == list(table)
    assert list(table) == COLUMNS["criteria"].names
    drawn = [name for name in table["criterion"].unique() if name.startswith("random")]
    assert drawn == ["random-0", "random-1", "random-2"]
    assert len(table) == 2 * 5 * (len(CRITERIA) + 2)
    assert not table.duplicated(["criterion", "repeat", "layer_index"]).any()


def test_scores_are_finite_where_they_mean_something(table):
    shaped = [1, 2, 4]  # the blocks; the stem and the strided convolution change the shape
    for (name, _), rows in table.groupby(["criterion", "repeat"]):
        finite = np.flatnonzero(np.isfinite(rows["score"].to_numpy())).tolist()
        if name in KEEP_SHAPE:
            assert finite == shaped, name
        else:
            assert finite == ([1, 2, 3, 4] if name in NAN_FIRST else [0, 1, 2, 3, 4]), name


def test_the_same_seed_gives_the_same_scores(table):
    again = score_layers([make(), make(repeat=1)], ["all"])
    np.testing.assert_array_equal(again["score"], table["score"])


def test_baselines():
    other = make(seed=1)
    scores = score_layers([make(), make(repeat=1), other], ["random", "tail"], draws=2)
    assert scores["criterion"].unique().tolist() == ["random-0", "random-1", "tail"]
    lines = scores.groupby(["criterion", "repeat"], sort=False)["score"]
    drawn = score_layers([make()], ["random"], draws=2).groupby("criterion")["score"]
    first, second = (drawn.get_group(name).tolist() for name in ("random-0", "random-1"))
    assert first != second
    assert lines.get_group(("random-0", 1)).tolist() == first  # one order for all repeats
    assert score_layers([other], ["random"], draws=1)["score"].tolist() != first
    assert lines.get_group(("tail", 1)).tolist() == [4, 3, 2, 1, 0]


def test_the_network_is_left_as_it_was():
    evidence = make()
    model = evidence.model
    before = {key: value.clone() for key, value in model.state_dict().items()}
    state = torch.get_rng_state()
    score_layers([evidence], ["all"])
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert all(module.training for module in model.modules())
    assert all(p.requires_grad and p.grad is None for p in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert torch.equal(torch.get_rng_state(), state)


def test_order_and_company_do_not_change_a_score(table):
    names = ["angular", "taylor", "cka_zeroed", "reinitialize", "cka"]
    mixed = score_layers([make()], names)
    for name in names:
        expected = table[(table["criterion"] == name) & (table["repeat"] == 0)]["score"]
        np.testing.assert_array_equal(mixed[mixed["criterion"] == name]["score"], expected)
    assert mixed["criterion"].unique().tolist() == names


def test_progress_is_counted():
    told = []
    evidences = [make(), make(repeat=1)]
    score_layers(evidences, ["tail", "random", "tail"], progress=told.append)
    assert sum(told) == count_scores(evidences, ["tail", "random", "tail"]) == 4


@pytest.mark.parametrize(
    ("name", "near"), [("modularty", "modularity"), ("CKA", "cka"), ("bi", "modularity")]
)
def test_unknown_criteria_name_those_near(name, near):
    with pytest.raises(PlanError, match=f"no criterion '{name}'; near names: .*{near}"):
        choose_criteria(["tail", name])


def test_what_gives_no_scores():
    with pytest.raises(PlanError, match="no criterion was named; choose from modularity"):
        score_layers([make()], [])
    with pytest.raises(PlanError, match="0 node sets"):
        score_layers([], ["tail"])
    with pytest.raises(PlanError, match="draws=0"):
        score_layers([make()], ["random"], draws=0)


@pytest.mark.parametrize("name", CRITERIA)
def test_without_labels(name):
    evidence = make(labels=False)
    if name in NEED_LABELS:
        with pytest.raises(DataError, match="the samples have no labels; take a criterion"):
            score_layers([evidence], [name])
    else:
        assert len(score_layers([evidence], [name]))


@pytest.mark.parametrize(("head", "got"), [(Pair(), "tuple"), (nn.Identity(), r"\(40, 6, 3, 3\)")])
@pytest.mark.parametrize("name", CRITERIA)
def test_without_logits(name, head, got):
    evidence = make(head)
    if name in NEED_LOGITS:
        with pytest.raises(ModelError, match=f"Net gives {got.replace('40', '1')}, not logits"):
            score_layers([evidence], [name])
    elif name == "cka_zeroed" and isinstance(head, Pair):
        with pytest.raises(ModelError, match="Net gives a tuple, not a tensor"):
            score_layers([evidence], [name])
    else:
        assert len(score_layers([evidence], [name]))


@pytest.mark.parametrize(
    ("evidence", "error"), [(make(labels=False), DataError), (make(Pair()), ModelError)]
)
def test_what_is_missing_is_found_before_long_work(evidence, error):
    told = []
    with pytest.raises(error):
        score_layers([evidence], ["tail", "cka", "taylor"], progress=told.append)
    assert told == []
    assert "passes" not in evidence.__dict__


def test_too_few_outputs_for_the_classes():
    evidence = make(nn.Sequential(nn.Flatten(), nn.Linear(54, 2)))
    for name in NEED_LOGITS:
        with pytest.raises(ModelError, match="has 2 outputs, the samples are of 3 classes"):
            score_layers([evidence], [name])


@pytest.mark.data
@needs_data
def test_a_trained_resnet20():
    """The last block is where classes come apart: no criterion with eyes would drop it first."""
    weights = DATA / "weights" / "resnet20-12fca82f.th"
    source = DATA / "cifar10-exact" / "test.parquet"
    model = load_model("resnet20", weights=str(weights), classes=10)
    data = load_data("parquet", path=source, normalize="imagenet")
    evidence = Evidence.of_arrays(model, data.images(range(150)), data.labels[:150])
    names = [name for name in CRITERIA if name not in ("random", "tail")]
    table = score_layers([evidence], names).pivot_table(
        index="layer_index", columns="criterion", values="score", dropna=False
    )
    removable = table.loc[[part.index for part in evidence.parts if part.problem is None]]
    assert removable.index.tolist() == [1, 2, 3, 5, 6, 8, 9]
    assert np.isfinite(removable.to_numpy()).all()
    assert (removable.rank().loc[9] >= 5).all()  # of 7
