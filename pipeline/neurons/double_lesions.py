"""Which module matters when another one is out: dependencies between important modules."""

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from graphs.errors import GraphError
from graphs.lesions import POINT, dependency, lower_tail
from pipeline.neurons.lesions import LesionBench, Module
from pipeline.neurons.tails import Change


def double_lesions(
    bench: LesionBench,
    modules: Sequence[Module],
    *,
    random_sets: int = 50,
    seed: int = 0,
    advance: Callable[[int], None] = lambda _: None,
) -> pd.DataFrame:
    """Silence pairs of modules of different layers.

    Of a pair, one module stays silent while the other one is compared with random sets of its size
    and layer. It matters given the first when it costs more than every random set and at least one
    further percentage point.

    Parameters
    ----------
    bench : LesionBench
        Network and images.
    modules : sequence of Module
        Usually the important ones.
    random_sets : int
        For each module of each pair.
    seed : int
        Of the sets.
    advance : callable
        Told how many images were classified.

    Returns
    -------
    DataFrame
        The table ``dependencies``, one row a pair, the module of the earlier layer first; see
        `graphs.lesions.dependency` for what the kinds say.

    Raises
    ------
    GraphError
        When `random_sets` is less than 1.

    Notes
    -----
    Filan et al. (2020), appendix. Pairs in one layer are left out: their random sets would have to
    leave out the other module, which is another null.
    """
    if random_sets < 1:
        raise GraphError(f"{random_sets} random sets are none to compare with", "give at least 1")
    rows = [
        _pair(bench, earlier, later, random_sets=random_sets, seed=seed, advance=advance)
        for earlier, later in pairs_of(modules)
    ]
    return pd.DataFrame(rows, columns=None if rows else COLUMNS)


COLUMNS = [
    "layer_a_index", "layer_a", "module_a", "layer_b_index", "layer_b", "module_b", "intact",
    "accuracy_a", "accuracy_b", "accuracy_both", "lost_a_given_b", "p_a_given_b", "lost_b_given_a",
    "p_b_given_a", "n_random", "kind",
]  # fmt: skip


def pairs_of(modules: Sequence[Module]) -> list[tuple[Module, Module]]:
    """Pair modules of different layers, the earlier one first.

    Examples
    --------
    >>> modules = [Module(layer_index=i, layer=f"l{i}", cluster=0) for i in (2, 1)]
    >>> [(a.layer, b.layer) for a, b in pairs_of(modules)]
    [('l1', 'l2')]
    """
    ordered = sorted(modules, key=lambda module: (module.layer_index, module.cluster))
    return [(a, b) for a, b in combinations(ordered, 2) if a.layer_index < b.layer_index]


def _pair(
    bench: LesionBench,
    earlier: Module,
    later: Module,
    *,
    random_sets: int,
    seed: int,
    advance: Callable[[int], None],
) -> dict[str, object]:
    a, b = bench.lesion(earlier), bench.lesion(later)
    pair = [seed, later.layer_index, later.cluster, earlier.layer_index, earlier.cluster]
    drawn_a = _drawn(bench, earlier, random_sets, seed=[*pair, 0])
    drawn_b = _drawn(bench, later, random_sets, seed=[*pair, 1])
    variants: list[list[Change]] = [[a], [b], [a, b]]
    variants += [[change, b] for change in drawn_a] + [[a, change] for change in drawn_b]
    found = bench.accuracy(bench.correct(earlier.layer, variants, advance=advance))
    only_a, only_b, both = (float(value) for value in found[:3])
    p_a = lower_tail(both, found[3 : 3 + random_sets])
    p_b = lower_tail(both, found[3 + random_sets :])
    least = 1 / (random_sets + 1)
    return {
        "layer_a_index": earlier.layer_index,
        "layer_a": earlier.layer,
        "module_a": earlier.cluster,
        "layer_b_index": later.layer_index,
        "layer_b": later.layer,
        "module_b": later.cluster,
        "intact": float(bench.accuracy(bench.intact)),
        "accuracy_a": only_a,
        "accuracy_b": only_b,
        "accuracy_both": both,
        "lost_a_given_b": only_b - both,
        "p_a_given_b": p_a,
        "lost_b_given_a": only_a - both,
        "p_b_given_a": p_b,
        "n_random": random_sets,
        "kind": dependency(
            earlier_matters=_matters(only_b - both, p_a, least),
            later_matters=_matters(only_a - both, p_b, least),
        ),
    }


def _drawn(bench: LesionBench, module: Module, count: int, *, seed: Sequence[int]) -> list[Change]:
    sets: list[NDArray[np.bool_]] = bench.random_sets(module, count, seed=seed)
    return [bench.lesion(module, out) for out in sets]


def _matters(lost: float, p: float, least: float) -> bool:
    return p <= least and round(lost, 12) >= POINT
