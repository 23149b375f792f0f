"""P9: how the costs grow with samples, values and layers."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from graphs.modularity import modularity
from graphs.neighbors import KnnGraph, knn
from graphs.snapshots import Snapshot
from pipeline.benchmarks.images import Workload, prepare, synthetic_features
from pipeline.benchmarks.setting import Case, Measured, Note, Setting, seconds
from pipeline.console import log
from pipeline.options import Machine, Work
from pipeline.stage1_activations import dump_activations

K = 10
CLASSES = 10
WIDTH = 1024
CONFIDENCE = 0.95
ENOUGH = 3.0  # seconds after which nothing is timed again
LEAST = 0.02  # seconds: below this a time says more of the machine than of the work

STAGE1, SEARCH_N, SEARCH_D = "stage 1 against N", "k-NN against N", "k-NN against D"
GRAPH, LAYERS = "graph, Q against N", "curve against layers"
EXPECTED: Final[Mapping[str, int]] = {STAGE1: 1, SEARCH_N: 2, SEARCH_D: 1, GRAPH: 1, LAYERS: 1}


@dataclass(frozen=True)
class Growth:
    """The exponent b of a cost a x^b, and its interval."""

    exponent: float
    low: float
    high: float


def measure_growth(setting: Setting) -> Measured:
    """Fit exponents to the times of stage 1, exact search, graph and modularity.

    The value is by how much the worst exponent is above the expected one: 2 for the search against
    the number of samples, 1 for all others. Below it, where fixed costs count, is no fault.
    """
    times: dict[str, dict[int, float]] = {}
    for name, cost in (
        (STAGE1, _stage1), (SEARCH_N, _search_samples), (SEARCH_D, _search_values),
        (GRAPH, _graph), (LAYERS, _layers),
    ):  # fmt: skip
        times[name] = {}
        for size, work in cost(setting):
            times[name][size] = _least_seconds(work, rounds=setting.rounds)
        log.info("  %s: %s", name, {size: f"{time:.3g} s" for size, time in times[name].items()})
    growths = {name: fit(list(found), list(found.values())) for name, found in times.items()}
    notes = [
        Note(what=f"{name}: exponent", value=found.exponent, low=found.low, high=found.high)
        for name, found in growths.items()
    ]
    notes.append(_constant(times[SEARCH_N]))
    worst = max(growths, key=lambda name: growths[name].exponent - EXPECTED[name])
    found, expected = growths[worst], EXPECTED[worst]
    excess = (found.low - expected, found.exponent - expected, found.high - expected)
    points: list[dict[str, float | str]] = [
        {"what": name, "size": size, "seconds": time}
        for name, sizes in times.items()
        for size, time in sizes.items()
    ]
    return Measured(
        cases=(Case(what=worst, values=excess),),
        input=f"k={K}, synthetic features; stage 1: images of P3",
        notes=tuple(notes),
        points=tuple(points),
    )


def _least_seconds(work: Callable[[], object], *, rounds: int) -> float:
    """Time a call several times, since the first may set something up; a long one less often."""
    times: list[float] = []
    while len(times) < rounds and sum(times) < ENOUGH:
        times.append(seconds(work))
    return min(times)


def fit(sizes: Sequence[int], times: Sequence[float]) -> Growth:
    """Fit a straight line to the logarithms; the interval is Student's at 95 %.

    Times too short to be measured are left out, as long as three are left.

    Examples
    --------
    >>> growth = fit([10, 20, 40], [1.0, 4.0, 16.0])
    >>> round(growth.exponent, 6), round(growth.high - growth.low, 6)
    (2.0, 0.0)
    """
    pairs = list(zip(sizes, times, strict=True))
    long = [pair for pair in pairs if pair[1] >= LEAST]
    size, time = np.log(np.array(long if len(long) > 2 else pairs)).T
    line = stats.linregress(size, time)
    half = float(line.stderr * stats.t.ppf((1 + CONFIDENCE) / 2, len(size) - 2))
    return Growth(float(line.slope), float(line.slope) - half, float(line.slope) + half)


Step = tuple[int, Callable[[], object]]


def _stage1(setting: Setting) -> Iterator[Step]:
    for samples in _sizes(setting, (500, 1000, 2000, 5000), (12, 24, 48)):
        yield samples, partial(_dump, prepare(setting, samples), setting.scratch / "run")


def _dump(workload: Workload, run: Path) -> None:
    shutil.rmtree(run, ignore_errors=True)
    dump_activations(
        run,
        network=workload.network,
        images=workload.images,
        machine=Machine(device="cpu"),
        work=Work(progress=False),
    )


def _search_samples(setting: Setting) -> Iterator[Step]:
    sizes = _sizes(setting, (500, 1000, 2000, 5000, 10_000, 20_000), (40, 80, 160))
    features = synthetic_features(sizes[-1], WIDTH)
    for samples in sizes:
        yield samples, partial(knn, features[:samples], K, device="cpu")


def _search_values(setting: Setting) -> Iterator[Step]:
    sizes = _sizes(setting, (512, 1024, 2048, 4096, 8192, 16_384), (16, 32, 64))
    features = synthetic_features(setting.size(5000, quick=50), sizes[-1])
    for values in sizes:
        part = np.ascontiguousarray(features[:, :values])
        yield values, partial(knn, part, K, device="cpu")


def _graph(setting: Setting) -> Iterator[Step]:
    for samples in _sizes(setting, (2000, 5000, 10_000, 20_000, 100_000), (40, 80, 160)):
        found, labels = _random_list(samples), np.arange(samples) % CLASSES
        yield samples, partial(_curve_point, found, labels)


def _layers(setting: Setting) -> Iterator[Step]:
    samples = setting.size(2000, quick=40)
    features, labels = synthetic_features(samples, WIDTH), np.arange(samples) % CLASSES

    def work(layers: int) -> None:
        for _ in range(layers):
            _curve_point(knn(features, K, device="cpu"), labels)

    for layers in (1, 2, 4, 8):
        yield layers, partial(work, layers)


def _sizes(setting: Setting, full: Sequence[int], quick: Sequence[int]) -> Sequence[int]:
    return quick if setting.quick else full


def _curve_point(graph: KnnGraph, labels: NDArray[np.integer]) -> float:
    Snapshot.from_knn(graph)
    return float(modularity(graph.indices, graph.weights, labels))


def _random_list(samples: int) -> KnnGraph:
    rng = np.random.default_rng(0)
    steps = rng.integers(1, samples, (samples, K))
    return KnnGraph(
        indices=((np.arange(samples)[:, None] + steps) % samples).astype(np.int32),
        weights=rng.random((samples, K), np.float32),
        metric="cosine",
        engine="reference",
        exact=True,
    )


def _constant(times: Mapping[int, float]) -> Note:
    """Return 2 N² D operations over the time, at the largest N."""
    samples = max(times)
    rate = 2 * samples**2 * WIDTH / times[samples] / 1e9
    return Note(what=f"k-NN, N={samples}, D={WIDTH}: GFLOP/s", value=rate)
