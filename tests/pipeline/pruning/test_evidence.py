from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from graphs.errors import DataError, ModelError, PlanError, ResourceError
from graphs.modularity import modularity
from graphs.neighbors import knn
from graphs.tables import read_frame
from pipeline.data import load_data
from pipeline.hooks import capture
from pipeline.models import load_model
from pipeline.options import Features, Images, Machine, Network
from pipeline.pruning.criteria import CRITERIA, score_layers
from pipeline.pruning.evidence import Evidence
from pipeline.pruning.parts import find_parts
from pipeline.run import run_stages
from pipeline.studies.stored import open_sets


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = tmp_path_factory.mktemp("run") / "resnet8"
    images = Images(samples=50, repeats=2, seed=3)
    run_stages(root, network=Network(model="resnet8"), images=images)
    return root


@pytest.fixture(scope="module")
def opened(run):
    data = load_data("digits", split="test")
    model = load_model("resnet8", input_shape=data.input_shape, seed=3)
    parts = find_parts(model, data.input_shape)
    evidences = [Evidence.of_set(item, data, model, parts=parts) for item in open_sets(run)]
    return data, model, evidences


def test_a_stored_set_gives_what_the_run_measured(run, opened):
    _, _, evidences = opened
    layers = read_frame(run / "metrics" / "layers.parquet", "layers")
    for repeat, evidence in enumerate(evidences):
        rows = layers[layers["repeat"] == repeat]
        assert (evidence.repeat, evidence.n_nodes, evidence.seed) == (repeat, 50, 3)
        np.testing.assert_array_equal(evidence.curve, rows["modularity"])
        scores = score_layers([evidence], ["leiden"])["score"]
        np.testing.assert_allclose(scores[1:], np.diff(rows["modularity_leiden"]), atol=1e-12)


def test_images_features_and_labels_are_of_the_same_samples(opened):
    data, model, evidences = opened
    for evidence in evidences:
        images = evidence.images()
        assert images.shape == (50, *data.input_shape)
        torch.testing.assert_close(evidence.images(np.array([7, 2])), images[[7, 2]])
        with capture(model, [part.name for part in evidence.parts]) as captured:
            model(images)
        for part in evidence.parts:
            np.testing.assert_allclose(
                evidence.features(part.index), captured.outputs[part.name], atol=1e-5
            )
        samples = [(data.images([i])[0], data.labels[i]) for i in range(len(data))]
        where = next(i for i, (image, _) in enumerate(samples) if torch.equal(image, images[0]))
        assert samples[where][1] == evidence.labels[0]


def test_layers_must_be_the_parts(tmp_path, opened):
    data, model, _ = opened
    features = Features(layers="reference")
    images = Images(samples=50, repeats=1, seed=3)
    run_stages(tmp_path / "run", network=Network(model="resnet8"), images=images, features=features)
    item = open_sets(tmp_path / "run")[0]
    parts = find_parts(model, data.input_shape)
    with pytest.raises(PlanError, match=r"from conv1 to layer3\.0, the network .* --layers blocks"):
        Evidence.of_set(item, data, model, parts=parts)


def test_layers_that_do_not_fit_into_the_memory(run, opened):
    data, model, evidences = opened
    parts, item = evidences[0].parts, open_sets(run)[0]
    # 50 samples of 16 maps of 8 x 8 in float32: 0.2 MiB
    for memory in ("0.2MiB", "0.1MiB"):
        evidence = Evidence.of_set(item, data, model, parts=parts, machine=Machine(memory=memory))
        if memory == "0.2MiB":
            assert evidence.features(0).nbytes == 50 * 16 * 64 * 4
    with pytest.raises(ResourceError, match="layer relu has .* memory is 0.1MiB; raise --memory"):
        evidence.features(0)


def test_images_are_decoded_once_where_there_is_room(opened):
    _, _, evidences = opened
    asked = []

    def decode(nodes):
        asked.append(len(nodes))
        return evidences[0].decode(nodes)

    roomy, tight = replace(evidences[0], decode=decode), replace(evidences[0], decode=decode)
    for name in ("cka", "cka_zeroed"):
        CRITERIA[name].function(roomy)
    assert asked.count(50) == 1
    assert set(asked) == {1, 50}
    asked.clear()
    tight = replace(tight, memory=50)
    CRITERIA["cka"].function(tight)
    assert max(asked) < 10
    roomy.forget()
    assert "passes" not in roomy.__dict__


def chain():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))


def test_arrays_in_memory():
    model, images = chain(), torch.randn(30, 6, generator=torch.Generator().manual_seed(1))
    labels = np.arange(30) % 3
    evidence = Evidence.of_arrays(model, images, labels, k=4)
    first = model[1](model[0](images)).detach().numpy()
    np.testing.assert_allclose(evidence.features(0), first)
    found = knn(first, 4)
    assert evidence.curve[0] == modularity(found.indices, found.weights, labels).value
    assert len(evidence.curve) == len(evidence.parts) == 2


def test_without_labels_there_is_no_curve():
    evidence = Evidence.of_arrays(chain(), torch.randn(10, 6), None)
    for read in (lambda: evidence.labels, lambda: evidence.curve):
        with pytest.raises(DataError, match="the samples have no labels"):
            read()


def test_labels_and_images_must_fit():
    with pytest.raises(DataError, match=r"10 images have labels of shape \(9,\)"):
        Evidence.of_arrays(chain(), torch.randn(10, 6), np.zeros(9))
    with pytest.raises(ModelError, match="cannot run"):
        Evidence.of_arrays(chain(), torch.randn(10, 5), np.zeros(10))
