"""Criteria that read features: what a layer changes in them, and what the end loses without it."""

import numpy as np
from numpy.typing import NDArray

from graphs.cka_sums import CkaSums
from graphs.influence import angular_distance, block_influence
from graphs.probing import probe_accuracy
from pipeline.pruning.evidence import Evidence
from pipeline.pruning.parts import Part


def cka_distance(evidence: Evidence) -> NDArray[np.float64]:
    """One minus linear CKA of a layer's input and output (Kornblith et al. 2019), unbiased.

    The input of the first layer is the images. NaN where one of them does not vary.

    Raises
    ------
    GraphError
        For fewer than 4 samples.
    """
    return 1.0 - evidence.passes.changes.cka


def cka_without(evidence: Evidence) -> NDArray[np.float64]:
    """One minus linear CKA of the penultimate features with a layer and without it (Pons 2024).

    Without it means that its output is its input. The penultimate features are what the last
    convolution or linear layer takes in. NaN where a layer cannot be passed over.

    Raises
    ------
    GraphError
        For fewer than 4 samples.
    """
    whole = evidence.passes.outcome()

    def judge(part: Part) -> float:
        if part.problem is not None:
            return np.nan
        sums = CkaSums(2)
        for pair in zip(whole.grams, evidence.passes.outcome(part).grams, strict=True):
            sums.add(pair)
        return 1.0 - float(sums.cka()[0, 1])

    return evidence.per_part(judge)


def influence(evidence: Evidence) -> NDArray[np.float64]:
    """One minus the mean cosine of a layer's input and output (ShortGPT, Men et al. 2024).

    NaN where a layer changes the shape.
    """
    return np.array([block_influence(row) for row in evidence.passes.changes.cosines])


def angle(evidence: Evidence) -> NDArray[np.float64]:
    """Mean angle between a layer's input and output, of half a turn (Gromov et al. 2024).

    NaN where a layer changes the shape.
    """
    return np.array([angular_distance(row) for row in evidence.passes.changes.cosines])


def probe_gain(evidence: Evidence) -> NDArray[np.float64]:
    """Accuracy of a linear probe on a layer, less that on the layer before. NaN for the first.

    Raises
    ------
    DataError
        When the samples have no labels.
    GraphError
        When they are of one class.

    Notes
    -----
    Alain & Bengio 2016; as a criterion Chen & Zhao 2018, "Shallowing Deep Networks: Layer-wise
    Pruning Based on Feature Representations". The probe is that of `graphs.probing`.
    """
    labels = evidence.labels
    found = evidence.per_part(
        lambda part: probe_accuracy(evidence.features(part.index), labels, seed=evidence.seed)
    )
    return np.concatenate([[np.nan], np.diff(found)])
