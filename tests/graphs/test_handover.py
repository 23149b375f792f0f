"""cleanlab and scikit-learn read our neighbours."""

import numpy as np
import pytest
from cleanlab.data_valuation import data_shapley_knn
from sklearn.datasets import load_digits
from sklearn.neighbors import NearestNeighbors

from graphs.handover import cleanlab_graph
from graphs.neighbors import knn


@pytest.fixture(scope="module")
def digits():
    images, labels = load_digits(return_X_y=True)
    return images[:400], labels[:400]


def test_it_is_what_scikit_learn_gives(digits):
    images, _ = digits
    found = cleanlab_graph(knn(images, 5))
    searched = NearestNeighbors(n_neighbors=5, metric="cosine").fit(images)
    expected = searched.kneighbors_graph(mode="distance")
    assert found.shape == expected.shape
    assert found.indptr.tolist() == expected.indptr.tolist()
    assert found.data == pytest.approx(expected.data, abs=1e-6)
    rows = found.data.reshape(400, 5)
    assert (np.diff(rows, axis=1) >= 0).all()
    # ties aside they are the same neighbours in the same order
    assert (found.indices == expected.indices).mean() > 0.99


def test_cleanlab_finds_flipped_labels_with_it(digits):
    images, labels = digits
    flipped = np.random.default_rng(0).choice(400, 20, replace=False)
    wrong = labels.copy()
    wrong[flipped] = (labels[flipped] + 3) % 10
    worth = data_shapley_knn(wrong, knn_graph=cleanlab_graph(knn(images, 10)), k=10)
    assert np.isin(np.argsort(worth)[:20], flipped).mean() >= 0.9
