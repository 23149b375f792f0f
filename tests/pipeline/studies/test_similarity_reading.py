"""What is said of pairs of layers, also where CKA is missing or layers are few."""

import numpy as np
import pytest

from graphs.layer_pairs import Layers, mean_pairs, pair_table
from pipeline.studies.similarity_reading import read_pairs


def reading(cka, *, names=("a", "b")):
    """What is said of two runs, or of one, whose pairs have this CKA."""
    cka = np.array(cka)
    ones = np.ones(cka.shape)
    sides = [
        Layers(run=run, names=[f"l{i}" for i in range(n)])
        for run, n in zip(names, cka.shape, strict=True)
    ]
    measures = {"modularity_difference": 0.2 * ones, "cka": cka, "neighbor_overlap": 0.1 * ones}
    return read_pairs(mean_pairs(pair_table(*sides, repeat=0, measures=measures)), chance=0.01)


def test_layers_without_cka_are_told_by_what_is_known():
    nan = float("nan")
    known = "10 % of their neighbours in common (by chance 1.0 %) and differ in Q by 0.20."
    assert reading([[0.5, nan], [0.3, nan]]) == (
        f"Most alike are l0 of a and l0 of b (CKA 0.50); the last layers have no CKA, {known}"
    )
    assert reading([[nan, nan], [nan, nan]]) == (
        f"No pair of layers of a and b has CKA; the last layers have {known}"
    )
    assert reading([[1, nan], [nan, nan]], names=("a", "a")) == (
        "Q moves most from l0 to l1 (0.20); layers keep 10 to 10 % of the neighbours of the layer "
        "before (by chance 1.0 %)."
    )


@pytest.mark.parametrize(
    ("layers", "cautious"), [(3, "3 layers, too few to rule out chance;"), (6, "6 layers;")]
)
def test_how_many_layers_a_correlation_is_over_is_said(layers, cautious):
    said = reading(0.1 + 0.9 * np.eye(layers))
    assert f"the best matches follow the depth with rank correlation 1.00 over {cautious}" in said
