"""Stage 2 on a cluster: tasks over layers and, within a large layer, over pairs of blocks.

A layer of B blocks is B (B + 1) / 2 pair tasks; then one task a block of rows puts together what
its B pairs found, and one task writes the layer. Engines whose index is over all rows at once take
a layer as one task.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import get_args

from graphs.errors import ActivationError
from graphs.neighbors.knn import resolve_engine
from graphs.neighbors.pairs import (
    BlockLinks,
    PairEngine,
    block_ranges,
    block_size,
    link_pair,
    merge_blocks,
    merge_pairs,
)
from pipeline.cluster import Cluster, Ref
from pipeline.devices import memory_budget
from pipeline.linking import LayerTask, Linked, finish_layer, link_layer, open_rows

# Smaller blocks would spend their time on reading: each row is read once a block.
SMALLEST_BLOCK = 2048
TASKS_A_WORKER = 4


def link_on_cluster(cluster: Cluster, tasks: Sequence[LayerTask]) -> Iterator[Linked]:
    """Link layers on a cluster; give what the user should hear of each, as they are done.

    Parameters
    ----------
    cluster : Cluster
        Where to.
    tasks : sequence of LayerTask
        The layers.

    Raises
    ------
    StratagraphError
        As in `pipeline.linking.link_layer`, or when a process died too often.
    """
    wanted = math.ceil(TASKS_A_WORKER * cluster.workers / max(1, len(tasks)))
    starts = [_start(cluster, task, wanted) for task in tasks]
    return cluster.collect(starts, limit=2 * cluster.workers)


def _start(cluster: Cluster, task: LayerTask, wanted: int) -> Callable[[], list[Ref]]:
    """Return what submits the tasks of one layer, `wanted` of them or more."""
    budget, width = memory_budget(task.machine.memory), int(task.layer["values"])
    blocks = block_ranges(task.samples, _rows_a_block(task, wanted))
    memory = min(budget, 2 * len(blocks[0]) * (budget // block_size(width, budget)))

    def as_one() -> list[Ref]:
        return [cluster.submit(link_layer, task, memory=memory, searching=True)]

    def by_pairs() -> list[Ref]:
        found: list[list[Ref]] = [[] for _ in blocks]
        references: list[Ref] = []
        for i, first in enumerate(blocks):
            for j, second in enumerate(blocks[i:], start=i):
                returns = 1 if i == j else 2
                links = cluster.submit(
                    link_blocks, task, first, second,
                    memory=memory, returns=returns, searching=True,
                )  # fmt: skip
                sides = [links] if i == j else list(links)
                for place, side in zip((i, j), sides, strict=False):
                    found[place].append(side)
                references += sides
        merged = [cluster.submit(merge_rows, *parts) for parts in found]
        last = cluster.submit(write_layer, task, *merged)
        return [*references, *merged, last]

    options = task.neighbours
    apart = (
        resolve_engine(options.engine, task.samples, width) in get_args(PairEngine)
        and options.project is None
    )
    return by_pairs if apart and len(blocks) > 1 else as_one


def _rows_a_block(task: LayerTask, wanted: int) -> int:
    """Return how many rows a block has: what fits, but no more than makes `wanted` pairs."""
    fitting = block_size(int(task.layer["values"]), memory_budget(task.machine.memory))
    # B (B + 1) / 2 >= wanted
    blocks = math.ceil((math.sqrt(8 * wanted + 1) - 1) / 2)
    return min(fitting, max(SMALLEST_BLOCK, math.ceil(task.samples / blocks)))


def _pair_engine(task: LayerTask) -> PairEngine:
    engine = resolve_engine(task.neighbours.engine, task.samples, int(task.layer["values"]))
    return "certified" if engine == "certified" else "faiss"


def link_blocks(
    task: LayerTask, first: range, second: range
) -> BlockLinks | tuple[BlockLinks, ...]:
    """Link two blocks of one layer; of a block with itself there is one result, not two.

    Raises
    ------
    ActivationError, CorruptFileError
        As in `pipeline.linking.link_layer`.
    """
    try:
        links = link_pair(
            open_rows(task),
            first,
            second,
            k=task.neighbours.k,
            metric=task.neighbours.metric,
            engine=_pair_engine(task),
            device=task.machine.device,
        )
    except ActivationError as error:
        raise ActivationError(f"{task.name}: {error.problem}", error.remedy) from error
    return links if len(links) > 1 else links[0]


def merge_rows(*parts: BlockLinks) -> BlockLinks:
    """Keep the best neighbours of one block of rows."""
    return merge_blocks(parts)


def write_layer(task: LayerTask, *blocks: BlockLinks) -> Linked:
    """Put the blocks of a layer together and write its edges.

    Raises
    ------
    ActivationError
        When the layer has no direction at all.
    """
    graph = merge_pairs(blocks, metric=task.neighbours.metric, engine=_pair_engine(task))
    return finish_layer(task, graph)
