"""A plan says where its times were disturbed."""

import pytest
import torch

from pipeline.options import Network
from pipeline.pruning.choosing import choose_by_counts
from pipeline.pruning.latency import Latency
from pipeline.pruning.plan_table import show_plan
from pipeline.pruning.planning import make_plan
from pipeline.pruning.subject import open_network

NOTE = "note: uneven times in batches of {}: measure again on an idle machine"
TWICE = ((2.0, 2.1, 1.9, 2.0, 2.0), (1.0, 1.0, 1.1, 0.9, 1.0))  # twice as fast, steadily
BUSY = ((2.0, 3.5, 1.0, 2.0, 4.0), (1.6, 4.0, 1.6, 1.0, 1.2))  # some rounds the other way round
# each round as fast again, but none says how long a pass takes
DISTURBED = ((1.1, 2.2, 4.4, 8.8, 17.6), (1.0, 2.0, 4.0, 8.0, 16.0))
SAME = ((1.00, 1.01, 0.99, 1.00, 1.00), (1.00, 1.00, 1.00, 0.99, 1.01))  # no faster, steadily


@pytest.mark.parametrize(
    ("one", "many", "said"),
    [
        (TWICE, TWICE, ""),
        (SAME, SAME, ""),
        (BUSY, TWICE, NOTE.format("1")),
        (TWICE, DISTURBED, NOTE.format("64")),
        (BUSY, BUSY, NOTE.format("1 and 64")),
    ],
)
def test_uneven_times(one, many, said, monkeypatch):
    given = iter([(1, one), (64, many)])

    def measured(models, shape, *, batch, device):
        size, rounds = next(given)
        assert (size, len(models)) == (batch, 2)
        return [Latency(batch=batch, rounds=own) for own in rounds]

    monkeypatch.setattr("pipeline.pruning.planning.measure_latency", measured)
    found = open_network(Network(model="resnet14"), classes=10, input_shape=(1, 8, 8))
    choice = choose_by_counts(found, [1, 2, 2])
    plan = make_plan(found, choice, surgery="identity", device=torch.device("cpu"))
    lines = show_plan(plan).splitlines()
    assert [line for line in lines if "uneven" in line] == ([said] if said else [])
    assert max(map(len, lines)) <= 80
