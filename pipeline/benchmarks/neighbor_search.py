"""P2: exact neighbours against FAISS's flat index, on real activations."""

import gc
from collections import defaultdict
from collections.abc import Callable, Iterator
from statistics import median
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from graphs.neighbors import knn
from graphs.neighbors.faiss_library import faiss
from graphs.neighbors.knn import Engine
from pipeline.benchmarks.images import has_real_data, prepare, synthetic_features
from pipeline.benchmarks.other_searches import DESCENT, OTHERS
from pipeline.benchmarks.setting import Case, Measured, Note, Setting, alternate, seconds
from pipeline.console import log

ENGINE: Final[Engine] = "certified"
K = 3
MODELS = ("resnet20", "resnet44")
WIDTHS = (16_384, 8_192, 4_096)
OTHERS_WIDTH = 4_096  # the other programs are timed at the narrowest layer only

Values = NDArray[np.float32]


def measure_neighbor_search(setting: Setting) -> Measured:
    """Compare `knn` with `faiss.IndexFlatIP`, from raw features in memory to sets and similarities.

    The last layer of each stage of the networks: 16,384, 8,192 and 4,096 values a sample. The sets
    must be the same, but for neighbours that are equally similar within float32.
    """
    faiss.omp_set_num_threads(torch.get_num_threads())
    samples = setting.size(10_000, quick=60)
    cases: list[Case] = []
    notes: list[Note] = []
    for name, values in _layers(setting, samples):
        what = f"{name}, D={values.shape[1]}"
        log.info("  %s", what)
        cases.append(_compare(values, what, rounds=setting.rounds))
        if values.shape[1] == OTHERS_WIDTH and not notes:
            notes += _others(values, median(cases[-1].seconds), quick=setting.quick)
        gc.collect()
    real = all(has_real_data(setting, model) for model in MODELS)
    source = "CIFAR-10 test images" if real else "synthetic features (no real data)"
    return Measured(
        cases=tuple(cases),
        input=f"{samples} {source}, k={K}, engine {ENGINE}",
        notes=tuple(notes),
    )


def _layers(setting: Setting, samples: int) -> Iterator[tuple[str, Values]]:
    """Layers one after the other: their name, and features of shape (n, D)."""
    if not all(has_real_data(setting, model) for model in MODELS):
        for width in WIDTHS:
            yield "synthetic", synthetic_features(samples, width)
        return
    for model in MODELS:
        workload = prepare(setting, samples, model=model)
        # the last block of each width
        ends = {layer.values: layer.name for layer in workload.forward().layers}
        forward = workload.forward(",".join(ends[width] for width in WIDTHS))
        parts = defaultdict(list)
        for batch in forward.batches(np.arange(samples), range(samples)):
            for name, found in batch.activations.items():
                parts[name].append(found)
        for width in WIDTHS:
            yield f"{model} {ends[width]}", np.concatenate(parts.pop(ends[width]))


def _compare(values: Values, what: str, *, rounds: int) -> Case:
    found: dict[str, NDArray[np.integer]] = {}

    def ours() -> None:
        found["ours"] = knn(values, K, engine=ENGINE, device="cpu").indices

    def flat() -> None:
        found["flat"] = flat_index(values, K)[0]

    times, baseline = alternate(ours, flat, rounds=rounds)
    rows, gap = difference(values, found["ours"], found["flat"])
    log.info("  %d rows differ, by at most %.1e", rows, gap)
    return Case(
        what=what,
        seconds=times,
        baseline=baseline,
        difference=gap,
        agrees=gap <= float32_error(values.shape[1]),
    )


def flat_index(values: Values, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Find the k most similar other rows of every row with FAISS's flat index.

    Examples
    --------
    >>> x = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]], np.float32)
    >>> flat_index(x, 1)[0].ravel().tolist()
    [1, 0, 3, 2]
    """
    rows = values.copy()
    faiss.normalize_L2(rows)
    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows)
    similarities, found = index.search(rows, k + 1)
    own = found == np.arange(len(rows))[:, None]
    # among copies of a row it may not be the row itself that is found
    own[~own.any(axis=1), -1] = True
    shape = (len(rows), k)
    return found[~own].reshape(shape), similarities[~own].reshape(shape)


def difference(
    values: Values, ours: NDArray[np.integer], theirs: NDArray[np.integer]
) -> tuple[int, float]:
    """Return how many rows have other neighbours, and the largest difference of similarities.

    Similarities are computed in float64; those of one row are compared by rank.

    Examples
    --------
    >>> x = np.array([[1, 0], [1, 0], [1, 0], [0, 1]], np.float32)
    >>> difference(x, np.array([[1], [0], [0], [0]]), np.array([[2], [0], [0], [0]]))
    (1, 0.0)
    """
    rows = np.flatnonzero((np.sort(ours) != np.sort(theirs)).any(axis=1))
    gap = 0.0
    for row in rows:
        sides = [_similarities(values, row, found[row]) for found in (ours, theirs)]
        gap = max(gap, float(np.abs(sides[0] - sides[1]).max()))
    return len(rows), gap


def float32_error(width: int) -> float:
    """Return by how much sums of `width` products in float32 may differ, unless they are unlucky.

    Rounding errors of random sign add up to the root of their number (Higham & Mary 2019, "A New
    Approach to Probabilistic Rounding Error Analysis", with the constant 4).
    """
    return 4 * float(np.sqrt(width)) * float(np.finfo(np.float32).eps) / 2


def _similarities(
    values: Values, row: np.integer, found: NDArray[np.integer]
) -> NDArray[np.float64]:
    wide = values[[int(row), *found.tolist()]].astype(np.float64)
    wide /= np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-8)
    return np.sort(wide[1:] @ wide[0])


def _others(values: Values, ours: float, *, quick: bool) -> list[Note]:
    """Time other programs once each; their time over ours."""
    exact = flat_index(values, K)[0]
    notes = []
    for name, search in OTHERS.items():
        if name == DESCENT:
            if quick:
                continue  # it compiles itself for a minute
            search(values[:100], K)
        found: list[NDArray[np.integer]] = []
        time = seconds(_keep(search, values, found))
        if not found:
            continue
        recall = np.mean(
            [len(np.intersect1d(*pair)) / K for pair in zip(found[0], exact, strict=True)]
        )
        title = name if recall > 0.999 else f"{name} (recall {recall:.2f})"
        log.info("  %s: %.3g s", title, time)
        notes.append(Note(what=f"{title}, D={values.shape[1]}", value=time / ours, unit="x"))
    return notes


def _keep(
    search: Callable[[Values, int], NDArray[np.integer] | None],
    values: Values,
    found: list[NDArray[np.integer]],
) -> Callable[[], None]:
    def run() -> None:
        indices = search(values, K)
        if indices is not None:
            found.append(indices)

    return run
