import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_score

from graphs.errors import ActivationError, GraphError
from graphs.probing import probe_accuracy


def clouds(distance, *, n=120, width=40, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    centres = rng.normal(size=(classes, width)) * distance
    return (centres[labels] + rng.normal(size=(n, width))).astype(np.float32), labels


def test_separate_classes_are_told_apart_and_noise_is_not():
    features, labels = clouds(5)
    assert probe_accuracy(features, labels) == 1
    noise = np.random.default_rng(1).normal(size=(300, 20))
    assert probe_accuracy(noise, np.arange(300) % 3) == pytest.approx(1 / 3, abs=0.1)


def test_it_is_near_a_ridge_classifier_on_the_features_themselves():
    features, labels = clouds(0.35, n=300)
    cut = StratifiedKFold(5, shuffle=True, random_state=0)
    best = max(
        cross_val_score(RidgeClassifier(alpha=alpha), features, labels, cv=cut).mean()
        for alpha in (1, 10, 100, 1000)
    )
    assert probe_accuracy(features, labels) == pytest.approx(best, abs=0.04)


def test_rotation_scale_and_shift_do_not_matter():
    features, labels = clouds(0.5)
    turned = features @ np.linalg.qr(np.random.default_rng(3).normal(size=(40, 40)))[0]
    assert probe_accuracy(turned * 1e20 + 1e18, labels) == probe_accuracy(features, labels)


def test_more_values_than_samples():
    features, labels = clouds(1, n=60, width=5000)
    assert probe_accuracy(features, labels) == 1


def test_classes_with_few_samples_are_probed_without_equal_shares():
    features, _ = clouds(1, n=30)
    labels = np.r_[np.zeros(14), np.ones(14), 2, 3]
    assert 0 <= probe_accuracy(features, labels) <= 1


def test_features_that_do_not_vary_give_the_commonest_class():
    labels = np.repeat([0, 1], [40, 20])
    assert probe_accuracy(np.full((60, 7), 0.1), labels) == 2 / 3


def test_same_seed_same_accuracy():
    features, labels = clouds(0.3)
    assert probe_accuracy(features, labels, seed=4) == probe_accuracy(features, labels, seed=4)


@pytest.mark.parametrize(
    ("labels", "folds", "message"),
    [
        (np.zeros(10), 5, "10 samples of 1 classes cannot be probed in 5 folds"),
        (np.arange(10) % 2, 11, "cannot be probed in 11 folds"),
        (np.arange(9), 3, r"shape \(10, 2\) do not fit 9 labels"),
    ],
)
def test_what_cannot_be_probed(labels, folds, message):
    with pytest.raises(GraphError, match=message):
        probe_accuracy(np.ones((10, 2)), labels, folds=folds)


def test_features_must_be_finite():
    with pytest.raises(ActivationError, match="NaN"):
        probe_accuracy(np.full((10, 2), np.nan), np.arange(10) % 2)
