import itertools
import random

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from pipeline.dataflow import on_every_path, side_branches


@pytest.fixture
def x():
    return torch.ones(2, requires_grad=True) * 1


def test_a_chain_passes_every_step(x):
    a = x.exp()
    b = a.relu()
    assert on_every_path(b.grad_fn, [x.grad_fn]) == {x.grad_fn, a.grad_fn, b.grad_fn}


def test_a_shortcut_goes_around(x):
    stem = x.exp()
    inner = stem.relu()
    out = inner + stem
    after = out.sigmoid()
    steps = on_every_path(after.grad_fn, [x.grad_fn])
    assert inner.grad_fn not in steps
    assert {stem.grad_fn, out.grad_fn, after.grad_fn} <= steps


def test_parameters_are_no_way_around(x):
    weight = torch.ones(2, requires_grad=True)
    a = x * (weight * 3)
    b = a.relu()
    assert a.grad_fn in on_every_path(b.grad_fn, [x.grad_fn])


def test_an_in_place_shortcut_goes_around(x):
    stem = x.exp()
    inner = stem.sigmoid()
    node = inner.grad_fn
    inner += stem
    assert node not in on_every_path(inner.relu().grad_fn, [x.grad_fn])


def test_two_inputs_are_one_source(x):
    y = torch.ones(2, requires_grad=True) * 1
    a, b = x.exp(), y.exp()
    out = a + b
    steps = on_every_path(out.relu().grad_fn, [x.grad_fn, y.grad_fn])
    assert out.grad_fn in steps
    assert not {a.grad_fn, b.grad_fn} & steps


def test_no_connection(x):
    other = torch.ones(2, requires_grad=True).exp()
    assert on_every_path(other.grad_fn, [x.grad_fn]) is None


def test_a_residual_branch_is_a_side_branch(x):
    inner = x.exp()
    out = x + inner.relu()
    assert side_branches(out.sigmoid().grad_fn, [x.grad_fn]) == [
        {inner.grad_fn, out.grad_fn.next_functions[1][0]}
    ]


def test_parallel_branches_are_both_side_branches(x):
    one, other = x.exp(), x.sigmoid()
    assert side_branches((one * other).grad_fn, [x.grad_fn]) == [{one.grad_fn}, {other.grad_fn}]


def test_no_side_branches(x):
    weight = torch.ones(2, requires_grad=True) * 1
    for out in (x.exp() + weight, x + x, torch.cat([x, x.exp()]), torch.stack([x, x.exp()])):
        assert side_branches(out.relu().grad_fn, [x.grad_fn]) == []


@settings(max_examples=60)
@given(st.data())
def test_against_all_paths_of_small_random_graphs(data):
    size = data.draw(st.integers(2, 7))
    values, parents = [torch.ones(1, requires_grad=True) * 1], [set()]
    for index in range(1, size):
        chosen = data.draw(st.sets(st.integers(0, index - 1), min_size=1, max_size=2))
        parents.append(chosen)
        first, *second = sorted(chosen)
        values.append(values[first] + values[second[0]] if second else values[first].relu())

    def paths(node):
        if node == 0:
            return [{0}]
        return [{node} | path for parent in parents[node] for path in paths(parent)]

    expected = set.intersection(*paths(size - 1))
    steps = on_every_path(values[-1].grad_fn, [values[0].grad_fn])
    assert {i for i in range(size) if values[i].grad_fn in steps} == expected
    assert len(steps) == len(expected)


def test_side_branches_of_small_random_graphs():
    generator = random.Random(0)
    for _ in range(50):
        values, parents = [torch.ones(1, requires_grad=True) * 1], [()]
        for index in range(1, 7):
            chosen = tuple({generator.randrange(index) for _ in range(2)})
            parents.append(chosen)
            values.append(sum(values[n] for n in chosen[1:]) + values[chosen[0]].relu())

        def needs(index, parents=parents):
            return {index}.union(*(needs(parent) for parent in parents[index]))

        expected = set()
        for index in needs(6):
            for one in parents[index]:
                others = [needs(other) for other in parents[index] if other != one]
                if others:
                    expected.add(frozenset(needs(one) - set().union(*others)))
        number = {value.grad_fn: index for index, value in enumerate(values)}
        found = side_branches(values[-1].grad_fn, [values[0].grad_fn])
        # the relu of the first operand has no number; a branch of it alone is no branch here
        named = {frozenset(number[step] for step in branch if step in number) for branch in found}
        assert named - {frozenset()} == expected - {frozenset()}


def test_deep_networks_do_not_exhaust_the_stack(x):
    value = x
    for _ in itertools.repeat(None, 5000):
        value = value.relu()
    assert len(on_every_path(value.grad_fn, [x.grad_fn])) == 5001
