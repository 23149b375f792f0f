import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs.attacked import compare_pairs, measure_changes
from graphs.errors import TableError


@given(st.integers(0, 2**16))
def test_changes_by_definition(seed):
    generator = np.random.default_rng(seed)
    clean = generator.random((3, 2, 4, 5), np.float32)
    attacked = np.where(generator.random(clean.shape) < 0.3, generator.random(clean.shape), clean)
    found = measure_changes(clean, attacked)
    for number in range(3):
        change = attacked[number] - clean[number].astype(float)
        assert found["l2"][number] == pytest.approx(np.linalg.norm(change.ravel()))
        assert found["linf"][number] == pytest.approx(np.linalg.norm(change.ravel(), np.inf))
        places = {(row, column) for _, row, column in np.argwhere(change)}
        assert found["pixels"][number] == len(places)


def test_no_images_have_no_changes():
    assert measure_changes(np.zeros((0, 1, 2, 2)), np.zeros((0, 1, 2, 2))).empty


def test_other_shapes():
    with pytest.raises(TableError, match="clean images have shape"):
        measure_changes(np.zeros((1, 1, 2, 2)), np.zeros((1, 1, 2, 3)))


def curves(attack, clean, attacked):
    base = pd.DataFrame({"attack": attack, "layer": list("abc"), "layer_index": range(3)})
    sides = {"clean": clean, "attacked": attacked}
    return [base.assign(state=state, modularity=q) for state, q in sides.items()]


def test_the_last_layer_and_the_largest_drop():
    layers = pd.concat(
        curves("pgd", [0.1, 0.9, 0.8], [0.2, 0.3, 0.5]) + curves("cw", [0, 0.5, 1], [0, 0.5, 0.25])
    )
    found = compare_pairs(layers)
    assert found["attack"].tolist() == ["pgd", "cw"]
    assert found["last_layer"].tolist() == ["c", "c"]
    assert found["last_layer_clean"].tolist() == [0.8, 1]
    assert found["last_layer_attacked"].tolist() == [0.5, 0.25]
    assert found["largest_drop"].tolist() == [0.9 - 0.3, 0.75]
    assert found["largest_drop_layer"].tolist() == ["b", "c"]
    assert found["peak_attacked"].tolist() == [0.5, 0.5]


def test_tables_that_lack_something():
    layers = pd.concat(curves("pgd", [0, 0, 0], [1, 1, 1]))
    with pytest.raises(TableError, match="no column 'state'"):
        compare_pairs(layers.drop(columns="state"))
    with pytest.raises(TableError, match="pgd lacks a side of its pair"):
        compare_pairs(layers[layers["state"] == "clean"])
