"""P7: an approximate index against an exact search, on many short rows."""

from collections import defaultdict
from collections.abc import Iterator
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray

from graphs.neighbors import KnnGraph, knn
from graphs.neighbors.approximate import IvfIndex
from graphs.neighbors.faiss_library import faiss
from graphs.neighbors.recall import RecallSample
from graphs.neighbors.rows import unit_rows
from pipeline.benchmarks.images import MODEL, WEIGHTS, has_real_data, synthetic_features
from pipeline.benchmarks.setting import Case, Measured, Note, Setting, alternate, seconds
from pipeline.console import log
from pipeline.data import load_data
from pipeline.devices import parse_bytes
from pipeline.forward import Forward
from pipeline.hooks import resolve_layers
from pipeline.models import load_model
from pipeline.options import Machine

K = 10
RECALL = 0.95
WIDTH = 256
IMAGES = "cifar10/train.parquet"
# The last layers of two stages: the height and width that a quarter of their map is pooled to.
LAYERS = {"layer3.2": (2, 2), "layer2.2": (2, 4)}
QUARTERS = 4

Values = NDArray[np.float32]


def measure_approximate_index(setting: Setting) -> Measured:
    """Compare `knn` with engine ivf and --recall 0.95 with FAISS's flat index.

    Our time holds everything: scaling, building, the search for a setting, searching, measuring
    the recall, exact similarities. The other side searches a part of the rows in all of them; its
    time is scaled up, as it is linear in the rows that are searched.
    """
    faiss.omp_set_num_threads(torch.get_num_threads())
    samples = setting.size(200_000, quick=400)
    cases, notes = [], []
    for name, values in _features(setting, samples):
        log.info("  %s, D=%d", name, values.shape[1])
        case, beside = _compare(values, name, setting)
        cases.append(case)
        notes += beside
    source = f"rows from {MODEL} on CIFAR-10" if _is_real(setting) else "synthetic rows"
    return Measured(
        cases=tuple(cases),
        input=f"{samples} {source}, D={WIDTH}, k={K}, engine ivf, recall {RECALL}",
        notes=tuple(notes),
    )


def _compare(values: Values, name: str, setting: Setting) -> tuple[Case, list[Note]]:
    found: list[KnnGraph] = []
    queries = np.ascontiguousarray(values[:: 1 if setting.quick else 20])

    def ours() -> None:
        found[:] = [knn(values, K, engine="ivf", recall=RECALL, device="cpu")]

    def flat() -> None:
        rows, some = values.copy(), queries.copy()
        faiss.normalize_L2(rows)
        faiss.normalize_L2(some)
        index = faiss.IndexFlatIP(WIDTH)
        index.add(rows)
        index.search(some, K + 1)

    times, part = alternate(ours, flat, rounds=setting.rounds)
    whole = tuple(time * len(values) / len(queries) for time in part)
    unit = unit_rows(values, 0, len(values), metric="cosine")
    # other rows than those that the setting was chosen on
    sample = RecallSample.draw(unit, K, seed=1)
    recall = sample.measure(found[0].weights[sample.rows])
    building = seconds(lambda: IvfIndex(unit, device="cpu"))
    alone = median(whole) / max(median(times) - building, 1e-9)
    case = Case(what=name, seconds=times, baseline=whole, agrees=recall.value >= RECALL)
    log.info("  %s, recall %.3f", found[0].setting, recall.value)
    return case, [
        Note(
            what=f"{name}: recall",
            value=recall.value,
            low=recall.low,
            high=2 * recall.value - recall.low,
        ),
        Note(what=f"{name}: without building", value=alone, unit="x"),
    ]


def _is_real(setting: Setting) -> bool:
    root = setting.data
    return has_real_data(setting) and root is not None and (root / IMAGES).is_file()


def _features(setting: Setting, samples: int) -> Iterator[tuple[str, Values]]:
    """Give features of shape (samples, 256): four rows an image, a quarter of the map each."""
    if setting.data is None or not _is_real(setting):
        yield "synthetic", synthetic_features(samples, WIDTH)
        return
    data = load_data("parquet", path=setting.data / IMAGES, normalize="imagenet")
    model = load_model(MODEL, weights=str(setting.data / WEIGHTS[MODEL]))
    layers = resolve_layers(model, ",".join(LAYERS), data.images([0]))
    memory = parse_bytes(Machine().memory)
    forward = Forward.prepare(model, data, layers, memory=memory, device=torch.device("cpu"))
    images = samples // QUARTERS
    parts = defaultdict(list)
    for batch in forward.batches(np.arange(images), range(images)):
        for layer in layers:
            maps = batch.activations[layer.name].reshape(-1, *layer.shape)
            parts[layer.name].append(pool_quarters(maps, LAYERS[layer.name]))
    for name in LAYERS:
        yield name, np.concatenate(parts.pop(name))


def pool_quarters(maps: NDArray[np.floating], size: tuple[int, int]) -> Values:
    """Cut maps into quarters and average each quarter down to a few values a channel.

    Parameters
    ----------
    maps : ndarray, shape (n, C, H, W)
        H and W divisible by twice the size.
    size : tuple of int
        Height and width of a pooled quarter.

    Returns
    -------
    ndarray of float32, shape (4 n, C * height * width)

    Examples
    --------
    >>> maps = np.arange(16.0).reshape(1, 1, 4, 4)
    >>> pool_quarters(maps, (1, 2)).tolist()
    [[2.0, 3.0], [4.0, 5.0], [10.0, 11.0], [12.0, 13.0]]
    """
    n, channels, height, width = maps.shape
    high, wide = size
    cells = maps.reshape(
        n, channels, 2, high, height // (2 * high), 2, wide, width // (2 * wide)
    ).mean(axis=(4, 7))
    quarters: Values = cells.transpose(0, 2, 4, 1, 3, 5).astype(np.float32)
    return quarters.reshape(4 * n, channels * high * wide)
