"""Budgets over layers whose costs are known."""

import numpy as np
import pytest

from graphs.errors import PlanError
from pipeline.pruning.budget import Budget, meet_budget, order_of_removal
from pipeline.pruning.parts import Part


def part(index, *, macs=10, problem=None):
    return Part(
        index=index, name=f"layer{index}", kind="block", members=(f"layer{index}",), shape=(4,),
        parameters=1, macs=macs, problem=problem,
    )  # fmt: skip


PARTS = [part(0, problem="it is the first layer"), *(part(at) for at in range(1, 6))]
STAGES = [PARTS[:3], PARTS[3:]]


def places(parts):
    return [item.index for item in parts]


def left(gone):
    return 1 - sum(item.macs for item in gone) / 100


def test_the_lowest_score_goes_first_and_of_equals_the_deeper():
    order = order_of_removal(PARTS, [0, 0.5, 0.1, 0.3, 0.1, 0.9], STAGES)
    assert places(order) == [4, 2, 3, 1]  # the last of its stage, 5, stays


def test_a_layer_without_a_score_stays():
    assert places(order_of_removal(PARTS, [0, np.nan, 1, 2, 3, 4], STAGES)) == [2, 3, 4]


def test_each_stage_keeps_a_layer():
    free = [part(at) for at in range(4)]
    order = order_of_removal(free, [0, 1, 2, 3], [free[:2], free[2:]])
    assert places(order) == [0, 2]


@pytest.mark.parametrize(("share", "count"), [(0.95, 1), (0.9, 1), (0.89, 2), (0.61, 4), (0.6, 4)])
def test_as_few_as_meet_the_budget(share, count):
    order = [part(at) for at in (5, 3, 1, 2)]
    found = meet_budget(order, Budget(quantity="macs", value=share), left=left)
    assert places(found) == [5, 3, 1, 2][:count]


def test_a_number_of_layers():
    order = [part(at) for at in (5, 3, 1)]
    assert places(meet_budget(order, Budget(quantity="layers", value=2), left=left)) == [5, 3]


@pytest.mark.parametrize(
    ("quantity", "value", "said"),
    [
        ("macs", 0.7, r"--macs 0.7 cannot be met: without the 2 layers that can go 0.800 is left; "
         "give 0.8 or more"),
        ("latency", 0.799, "give 0.8 or more"),
        ("layers", 3, "--remove 3 cannot be met: 2 layers can go"),
    ],
)  # fmt: skip
def test_what_cannot_be_met_says_what_can(quantity, value, said):
    with pytest.raises(PlanError, match=said):
        meet_budget([part(1), part(2)], Budget(quantity=quantity, value=value), left=left)


@pytest.mark.parametrize(("quantity", "value"), [("macs", 0.5), ("layers", 1)])
def test_where_no_layer_can_go(quantity, value):
    with pytest.raises(PlanError, match="cannot be met: no layer can go; take another"):
        meet_budget([], Budget(quantity=quantity, value=value), left=left)


@pytest.mark.parametrize(
    ("quantity", "value", "said"),
    [
        ("macs", 0, "--macs 0 is no share"),
        ("params", 1, "--params 1 is no share"),
        ("latency", float("nan"), "--latency nan is no share"),
        ("layers", 0, "--remove 0 removes no layer"),
    ],
)
def test_budgets_that_make_no_sense(quantity, value, said):
    with pytest.raises(PlanError, match=said):
        Budget(quantity=quantity, value=value)
