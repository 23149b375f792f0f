"""How well a straight cut tells the classes apart: a linear probe, cross-validated."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import RidgeClassifierCV
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict

from graphs.cka_sums import feature_gram
from graphs.errors import GraphError

FOLDS = 5
PENALTIES = np.logspace(-4, 1, 6)  # beside features whose mean square length is 1
_ROUNDING = 1e-12


def probe_accuracy(
    features: ArrayLike, labels: ArrayLike, *, folds: int = FOLDS, seed: int = 0
) -> float:
    """Accuracy of a linear classifier on the features of a layer, on samples held out.

    Parameters
    ----------
    features : array of float, shape (n, D)
        Features of one layer; wide layers cost memory for n² numbers, not for n·D.
    labels : array, shape (n,)
        Class of each sample.
    folds : int
        Parts that are held out in turn, with equal shares of the classes where each has enough
        samples.
    seed : int
        Of the dealing into folds.

    Returns
    -------
    float
        Share of the samples that were classified rightly while held out.

    Raises
    ------
    GraphError
        For other numbers of labels than samples, fewer than two classes, or fewer samples than
        folds.
    ActivationError
        When a number is NaN or infinite.

    Notes
    -----
    Alain & Bengio 2016, "Understanding intermediate layers using linear classifier probes", with
    ridge regression on the classes in place of logistic regression: it is solved exactly, in
    hundredths of a second. Its penalty is chosen within the training folds. Features are first
    turned into their n coordinates in the space that the samples span, which changes no distance
    and hence no prediction.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> labels = np.repeat([0, 1], 20)
    >>> probe_accuracy(rng.normal(size=(40, 3)) + 9 * labels[:, None], labels)
    1.0
    """
    rows, classes = np.asarray(features), np.asarray(labels)
    sizes = np.unique(classes, return_counts=True)[1]
    if rows.ndim != 2 or len(rows) != len(classes):
        raise GraphError(
            f"features of shape {rows.shape} do not fit {len(classes)} labels",
            "give shape (n, D) and a label a sample",
        )
    if len(sizes) < 2 or not 2 <= folds <= len(rows):
        raise GraphError(
            f"{len(rows)} samples of {len(sizes)} classes cannot be probed in {folds} folds",
            "give two classes and a sample a fold at least",
        )
    dealing = StratifiedKFold if sizes.min() >= folds else KFold
    cut = dealing(folds, shuffle=True, random_state=seed)
    found = cross_val_predict(
        RidgeClassifierCV(alphas=PENALTIES), _coordinates(rows), classes, cv=cut
    )
    return float(np.mean(found == classes))


def _coordinates(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return coordinates with the distances of the rows, scaled, in as few columns as they need."""
    values, vectors = np.linalg.eigh(feature_gram(rows).values)
    total = float(values.clip(0).sum())
    if not total:
        return np.zeros((len(rows), 1))
    kept = values > _ROUNDING * total
    scaled: NDArray[np.float64] = vectors[:, kept] * np.sqrt(values[kept] * len(rows) / total)
    return scaled
