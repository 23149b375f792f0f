"""Plans at a URL."""

from pathlib import Path

import pytest
import torch

from graphs.errors import PlanError
from pipeline.options import Network
from pipeline.prune_command import prune_network
from pipeline.pruning.choosing import choose_by_counts
from pipeline.pruning.plan import read_plan, write_plan
from pipeline.pruning.planning import make_plan
from pipeline.pruning.subject import open_network


def test_a_plan_at_a_url_is_followed(folder, tmp_path):
    found = open_network(Network(model="resnet14"), classes=10, input_shape=(1, 8, 8))
    choice = choose_by_counts(found, [1, 2, 2])
    plan = make_plan(found, choice, surgery="identity", device=torch.device("cpu"))
    path = write_plan(plan, folder / "plan.json")
    assert read_plan(path) == plan
    # as far as to its images, of which it names none
    with pytest.raises(PlanError, match="the plan names no images"):
        prune_network(Path(str(path)), tmp_path / "out")
    with pytest.raises(PlanError, match=r"there is no plan .*://.*/run/other\.json"):
        prune_network(Path(str(folder / "other.json")), tmp_path / "out")
    assert not (tmp_path / "out").exists()
