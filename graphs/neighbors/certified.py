"""Engine `certified`: candidates from a product in low precision, neighbours proven in float64.

1. Rows of length 1 lose their mean direction and are rounded to bfloat16 or to 8-bit integers; one
   product of the upper triangle approximates all similarities. Every approximation of row i is
   within tau_i of the truth (`low_precision` and `eight_bits` have the bounds and their proofs).
   What may be among the k nearest is kept (`candidates`).
2. The k best approximations of a row are measured exactly. Let s be the least of the k: the true
   k-th best is at least s, so only what is approximated at s - tau or above can be a neighbour,
   with the tau of the pair, which is smaller than that of the row.
   That is measured exactly too, and the row is *certified*.
3. A row with too many candidates is *repaired*: a float32 product with a smaller tau names what may
   still reach the k-th best, and that is measured exactly. Rows for which that is a good part of a
   block of rows are *recomputed*: measured against the whole block.

So the answer is that of `reference_knn`, ties by lower index included, whatever the device, block
sizes and threads. Where neither is fast the same is done with float32 (`precision`).
"""

import numpy as np
import torch
from numpy.typing import NDArray

from graphs.errors import ResourceError
from graphs.neighbors.certification import Certification, plan_blocks
from graphs.neighbors.knn_graph import Device, KnnGraph, Metric, count_efforts
from graphs.neighbors.precision import choose_precision, explain_precision, make_product
from graphs.neighbors.rows import JoinedRows, Rows, unit_rows

# The share of all others that may be a row's candidates in 8 bits, with a margin: 0.005 on average,
# measured with 10,000 and 50,000 rows. With less room for them many rows have to be repaired.
CANDIDATES = 1 / 40
SAMPLE = 256  # rows that the mean direction is taken from


def certified_knn(
    rows: Rows, k: int, *, metric: Metric, device: Device = "auto", memory: int | None = None
) -> KnnGraph:
    """Find the k most similar other rows, with low precision and a proof.

    Parameters
    ----------
    rows : Rows
        Features, shape (n, D), from memory or from disk.
    k : int
        Neighbours a row, 1 <= k < n.
    metric : {"cosine", "pearson"}
        Similarity.
    device : {"auto", "cpu", "cuda"}
        Where products are computed.
    memory : int, optional
        Bytes that may be used beside `rows` itself.

    Returns
    -------
    KnnGraph
        Exact: the same as `reference_knn`. `certified`, `repaired` and `recomputed` count rows.

    Raises
    ------
    ResourceError
        When `device` is "cuda" and torch sees no GPU.
    ActivationError
        When a feature is NaN or infinite.
    """
    work = _search(rows, k, metric=metric, device=device, memory=memory)
    certified, repaired, recomputed = count_efforts(work.effort)
    return KnnGraph(
        indices=work.indices,
        weights=work.weights,
        metric=metric,
        engine="certified",
        exact=True,
        zero_rows=int(work.zero.sum()),
        product=work.product.precision,
        certified=certified,
        repaired=repaired,
        recomputed=recomputed,
    )


def explain_product(samples: int, width: int, device: Device, *, memory: int | None = None) -> str:
    """Say in a few words what this machine multiplies rows of so many features in, and why."""
    compared = _compared(samples, width, memory=memory)
    return explain_precision(width, _torch_device(device), compared)


def certified_pair(
    left: Rows,
    right: Rows | None,
    k: int,
    *,
    metric: Metric,
    device: Device = "auto",
    memory: int | None = None,
) -> Certification:
    """Find the k most similar rows of the other of two blocks, for every row of both.

    Parameters
    ----------
    left, right : Rows
        Features, shapes (a, D) and (b, D); without `right`, a block is compared with itself.
    k : int
        Neighbours a row.
    metric, device, memory
        As in `certified_knn`.

    Returns
    -------
    Certification
        Its `indices` are positions in `right` for the rows of `left`, then the other way round; -1
        where the other block has fewer than k rows.
    """
    split = None if right is None else left.shape[0]
    rows = left if right is None else JoinedRows(left, right)
    work = _search(rows, k, metric=metric, device=device, memory=memory, split=split)
    if split is not None:
        work.indices[:split] -= np.where(work.indices[:split] >= 0, split, 0).astype(np.int32)
    return work


def _search(
    rows: Rows,
    k: int,
    *,
    metric: Metric,
    device: Device,
    memory: int | None = None,
    split: int | None = None,
) -> Certification:
    """Do the steps: among all rows, or, with `split`, between those before and those from it on."""
    n, width = rows.shape
    target = _torch_device(device)
    compared = _compared(n, width, memory=memory, split=split)
    precision = choose_precision(width, target, compared)
    product = make_product(_mean_direction(rows, metric), precision=precision, device=target)
    plan = plan_blocks(n, width, low_bytes=product.kind.itemsize, memory=memory)
    work = Certification(rows, k, metric=metric, product=product, plan=plan, split=split)
    while True:
        try:
            work.approximate()
            break
        except torch.OutOfMemoryError as error:
            work.halve(error)
    work.measure()
    work.repair()
    work.settle_zero_rows()
    return work


def _compared(n: int, width: int, *, memory: int | None, split: int | None = None) -> int:
    """With how many others a row is multiplied, or 0 where 8-bit integers have no room.

    Their error is known for all rows, or not at all, and they leave more candidates.
    """
    plan = plan_blocks(n, width, low_bytes=1, memory=memory)
    if plan.low_rows < n or (plan.kept is not None and plan.kept < n * n * CANDIDATES):
        return 0
    # the upper triangle of all pairs, or the pairs across the split
    return n // 2 if split is None else split * (n - split) // n


def _torch_device(device: Device) -> torch.device:
    if device == "cpu" or (device == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise ResourceError(
            "--device cuda: torch sees no GPU on this machine", "use --device auto or cpu"
        )
    return torch.device("cuda")


def _mean_direction(rows: Rows, metric: Metric) -> NDArray[np.float64]:
    """Return the direction of the mean of a few rows from all over, or zero where it has none."""
    n, width = rows.shape
    total = np.zeros(width)
    pieces = 8
    for piece in range(pieces):
        start = piece * n // pieces
        stop = min(start + SAMPLE // pieces, (piece + 1) * n // pieces)
        if start < stop:
            total += unit_rows(rows, start, stop, metric=metric).sum(axis=0)
    length = np.sqrt(total @ total)
    return total / length if length > 0 else total
