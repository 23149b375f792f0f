"""Times that are compared round by round."""

import pytest
import torch
from torch import nn

from pipeline.pruning.latency import ROUNDS, Latency, measure_latency, speedup


def test_median_and_quartiles():
    found = Latency(batch=1, rounds=(9.0, 1.0, 5.0, 3.0, 7.0, 2.0, 8.0, 4.0, 6.0))
    assert (found.seconds, found.low, found.high) == (5, 3, 7)


def test_what_slows_one_round_slows_both():
    # the machine is twenty times slower in the second half
    slow, fast = (2.0, 2.0, 40.0, 40.0, 40.0), (1.0, 1.0, 20.0, 20.0, 20.0)
    before, after = Latency(batch=1, rounds=slow), Latency(batch=1, rounds=fast)
    assert speedup(before, after) == (2, 2, 2)


def test_ratios_of_single_rounds():
    before = Latency(batch=1, rounds=(4.0, 4.0, 4.0, 4.0, 4.0))
    after = Latency(batch=1, rounds=(1.0, 2.0, 4.0, 8.0, 16.0))
    assert speedup(before, after) == (1, 0.5, 2)


def test_networks_take_turns():
    class Noted(nn.Linear):
        def forward(self, x):
            order.append(self.out_features)
            return super().forward(x)

    order = []
    found = measure_latency(
        [Noted(4, 1), Noted(4, 2)], (4,), batch=3, device=torch.device("cpu"), rounds=2
    )
    turns = [one for one, next_one in zip(order, [*order[1:], 0], strict=True) if one != next_one]
    assert turns == [1, 2] * 3  # once to get ready, then twice
    assert [(each.batch, len(each.rounds)) for each in found] == [(3, 2), (3, 2)]
    assert all(each.seconds > 0 for each in found)
    assert ROUNDS % 2 == 1


@pytest.mark.parametrize("training", [True, False])
def test_networks_keep_their_mode(training):
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout()).train(training)
    measure_latency([model], (4,), batch=1, device=torch.device("cpu"), rounds=1)
    assert model.training is training
