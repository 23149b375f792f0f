import math
import os

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphs.errors import ResourceError, StratagraphError
from pipeline.benchmarks import rates
from pipeline.benchmarks.cluster_cost import (
    Size,
    Task,
    activation_bytes,
    block_rows,
    blocks,
    cost_lines,
    link_bytes,
    pair_flops,
    pair_memory,
    parse_widths,
    print_cost,
    read_bytes,
    simulate,
    stage1_tasks,
    stage2_tasks,
    stage3_tasks,
)
from pipeline.benchmarks.rates import Rates, rate
from pipeline.benchmarks.setting import Setting
from pipeline.cli import run_script

# 100 rows of 8 values in blocks of 40, 40 and 20
SIZE = Size(samples=100, widths=(8, 4), k=3, memory=20 * 8 * 40)
RATES = Rates(images=50, flops=1e3, read=1e4, nodes=25)


def test_bytes_and_operations_of_a_small_run():
    assert activation_bytes(SIZE) == 100 * (8 + 4) * 4
    assert (block_rows(SIZE, 8), block_rows(SIZE, 4)) == (40, 80)
    assert (blocks(SIZE, 8), blocks(SIZE, 4)) == (3, 2)
    assert pair_memory(SIZE, 8) == 20 * 40 * 8 == SIZE.memory
    assert pair_flops(SIZE, 8) == 100 * 100 * 8
    assert read_bytes(SIZE, 8) == 3 * 100 * 8 * 4
    assert link_bytes(SIZE, 8) == 3 * 100 * 3 * (4 + 4)


def test_a_small_run_is_one_block():
    size = Size(samples=10, widths=(8,), memory=1 << 20)
    assert (block_rows(size, 8), blocks(size, 8)) == (10, 1)
    assert read_bytes(size, 8) == activation_bytes(size)


def test_pair_tasks_do_all_the_work_that_the_formulas_count():
    size = Size(samples=100, widths=(8,), memory=SIZE.memory)
    tasks = stage2_tasks(size, RATES)
    assert len(tasks) == 3 * 4 / 2 + 1
    # blocks of 40, 40, 20 rows: a block is read once with itself, and once with each other
    read = 8 * 4 * (40 + 80 + 60 + 40 + 60 + 20)
    assert read == 3 * 100 * 8 * 4 == read_bytes(size, 8)
    seconds = pair_flops(size, 8) / 1e3 + read / 1e4
    assert math.isclose(sum(task.seconds for task in tasks), seconds)
    assert tasks[-1] == Task(0.0, after=tuple(range(6)))


def test_parts_and_layers():
    assert [task.seconds for task in stage1_tasks(Size(samples=5000), RATES)] == [
        2048 / 50,
        2048 / 50,
        (5000 - 2 * 2048) / 50,
    ]
    assert stage3_tasks(SIZE, RATES) == [Task(100 / 25), Task(100 / 25)]


def test_free_workers_take_the_first_task_that_can_begin():
    # worker 1: 3; worker 2: 1, then 1, then waits for the first task
    tasks = [Task(3), Task(1), Task(1), Task(2, after=(0, 1)), Task(1)]
    assert simulate(tasks, 1) == 3 + 1 + 1 + 2 + 1
    assert simulate(tasks, 2) == 3 + 2
    assert simulate(tasks, 5) == 3 + 2
    assert simulate([], 3) == 0


@given(seconds=st.lists(st.integers(1, 50), min_size=1, max_size=40), workers=st.integers(1, 8))
def test_any_schedule_lies_between_the_bounds(seconds, workers):
    """Graham 1966: no schedule beats the bounds, list scheduling is within twice of them."""
    found = simulate([Task(float(time)) for time in seconds], workers)
    bound = max(max(seconds), sum(seconds) / workers)
    assert bound <= found <= sum(seconds) / workers + max(seconds)


def test_the_table_says_bytes_and_hours():
    lines = cost_lines(SIZE, Rates(images=1, flops=1e3, read=1e9, nodes=100 / 3600), [1, 2])
    assert lines[0] == "100 samples x 2 layers, k=3, 6.25 KiB a process"
    assert lines[1].split() == ["activations", "on", "disk", "4.69", "KiB"]
    # two layers of one hour each: one worker two hours, two workers one
    assert lines[-2].split()[0::3] == ["1", "2.0"]
    assert lines[-1].split()[0::3] == ["2", "1.0"]


def test_the_million_is_printed(capsys):
    print_cost(samples=2000, widths="64x2,32", workers="1,4", memory="1MiB")
    text = capsys.readouterr().out
    assert text.startswith("2,000 samples x 3 layers, k=10, 1 MiB a process\n")
    assert text.count("\n") == 7 + 2


def test_widths():
    assert parse_widths("16384x17,8192,4096x2") == (16384,) * 17 + (8192, 4096, 4096)
    with pytest.raises(StratagraphError, match="--widths: 'many' is no number above 0"):
        parse_widths("many")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--workers", "many"], 1, "--workers: 'many' is no number above 0; see --help"),
        (["--memory", "much"], 1, "much"),
        (["--samples", "some"], 2, "some"),
    ],
)
def test_as_a_script_it_fails_in_one_line(arguments, status, message, capsys):
    with pytest.raises(SystemExit) as left:
        run_script(print_cost, arguments)
    assert left.value.code == status
    told = capsys.readouterr().err
    assert told.startswith("stratagraph: error: ")
    assert message in told
    assert told.count("\n") == 1


def test_a_rate_is_what_the_large_run_does_more_in_the_time_it_takes_more():
    assert rate(1536, small=2.0, large=8.0) == 1536 / 6
    with pytest.raises(ResourceError, match="took 1.9 s, the small one 2 s: the machine is too"):
        rate(1536, small=2.0, large=1.9)


def test_rates_are_measured_on_one_core_and_threads_come_back(tmp_path, monkeypatch):
    """By a clock of their own: quick runs are too small for the real one."""
    before = torch.get_num_threads(), os.sched_getaffinity(0), os.environ.get("OMP_NUM_THREADS")
    seen = []

    def seconds(work):
        seen.append((torch.get_num_threads(), len(os.sched_getaffinity(0))))
        work()
        # stages 1 and 3 of three runs, then 3 rounds each of searches: first, small, large
        return [9, 9, 1, 1, 2, 5, *[1] * 3, *[1] * 3, *[4] * 3][len(seen) - 1]

    monkeypatch.setattr(rates, "seconds", seconds)
    found = rates.measure_rates(Setting(scratch=tmp_path, quick=True))
    after = torch.get_num_threads(), os.sched_getaffinity(0), os.environ.get("OMP_NUM_THREADS")
    assert after == before
    assert seen == [(1, 1)] * 15
    layers = 10
    assert found.images == (96 - 32) / (2 - 1)
    assert found.nodes == layers * (96 - 32) / (5 - 1)
    assert found.flops == 2 * 64**2 * 600 / (4 - 2 * 1)
    assert found.read > 0
