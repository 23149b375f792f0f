from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from graphs.communities import leiden
from graphs.snapshots import Snapshot
from pipeline.pruning.criteria import CRITERIA
from pipeline.pruning.evidence import Evidence

CURVE = np.array([0.1, 0.02, 0.3, 0.2, 0.25])


@pytest.fixture(scope="module")
def evidence():
    torch.manual_seed(0)
    steps = [step for _ in range(5) for step in (nn.Linear(5, 5), nn.Tanh())]
    images = torch.randn(40, 5, generator=torch.Generator().manual_seed(1))
    labels = (images[:, 0] > 0).numpy() + 2 * (images[:, 1] > 0).numpy()
    return Evidence.of_arrays(nn.Sequential(*steps, nn.Linear(5, 4)), images, labels, seed=2)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("modularity", [0.02 - 0.1, 0.3 - 0.02, 0.2 - 0.3, 0.25 - 0.2]),
        ("running_maximum", [0.02 - 0.1, 0.3 - 0.1, 0.2 - 0.3, 0.25 - 0.3]),
    ],
)
def test_of_a_known_curve(evidence, name, expected):
    known = replace(evidence)
    known.__dict__["curve"] = CURVE
    scores = CRITERIA[name].function(known)
    assert np.isnan(scores[0])
    np.testing.assert_allclose(scores[1:], expected, atol=1e-15)


def test_gains_add_up_to_the_curve(evidence):
    gains = CRITERIA["modularity"].function(evidence)
    np.testing.assert_allclose(np.nancumsum(gains) + evidence.curve[0], evidence.curve, atol=1e-12)


def test_leiden_is_igraphs_modularity_of_its_communities(evidence):
    best = []
    for position, part in enumerate(evidence.parts):
        graph = Snapshot.from_knn(evidence.graph(position), layer_index=position, layer=part.name)
        found = leiden(graph, seed=2)
        best.append(graph.graph.modularity(found.tolist(), weights="weight"))
    scores = CRITERIA["leiden"].function(evidence)
    np.testing.assert_allclose(scores[1:], np.diff(best), atol=1e-12)
    assert min(best) >= max(0, evidence.curve.max() - 1)


def test_leiden_reads_no_labels(evidence):
    blind = replace(evidence, known_labels=None)
    np.testing.assert_array_equal(
        CRITERIA["leiden"].function(blind), CRITERIA["leiden"].function(evidence)
    )
