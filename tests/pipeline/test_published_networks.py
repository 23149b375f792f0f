"""Networks that others trained: their accuracy, and a curve of the authors' own code."""

import io
import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from pipeline.hooks import capture, resolve_layers
from pipeline.models import load_model

DATA = Path(os.environ.get("STRATAGRAPH_DATA", "/nonexistent"))
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="STRATAGRAPH_DATA is not set")

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CIFAR10 = ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
CIFAR10_WIDE = ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))


def exact_images():
    table = pq.read_table(DATA / "cifar10-exact" / "test.parquet", columns=["img", "label"])
    pixels = [np.asarray(Image.open(io.BytesIO(row["bytes"]))) for row in table["img"].to_pylist()]
    return torch.tensor(np.stack(pixels)).permute(0, 3, 1, 2) / 255, table["label"].to_numpy()


def normalized(pixels, statistics):
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in statistics)
    return (pixels - mean) / std


@pytest.fixture
def flushed():
    """Denormal numbers are zero: the NiN's convolutions take six times as long with them."""
    torch.set_flush_denormal(True)
    yield
    torch.set_flush_denormal(False)


@needs_data
@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "file", "statistics", "accuracy"),
    [
        ("resnet20", "resnet20-12fca82f.th", IMAGENET, 0.916),
        ("resnet32", "resnet32-d509ac18.th", IMAGENET, 0.928),
        ("resnet44", "resnet44-014dd654.th", IMAGENET, 0.934),
        (f"{DATA}/models/nin.py:nin", "nin_micronet.pth", CIFAR10, 0.856),
        (f"{DATA}/models/vit.py:vit", "vit_d128_smmk47.pth", CIFAR10_WIDE, 0.717),
    ],
)
def test_accuracy_of_published_weights(flushed, model, file, statistics, accuracy):
    pixels, labels = exact_images()
    net = load_model(model, weights=DATA / "weights" / file)
    with torch.no_grad():
        batches = normalized(pixels, statistics).split(128)
        predicted = torch.cat([net(batch).argmax(1) for batch in batches]).numpy()
    assert (predicted == labels).mean() == pytest.approx(accuracy, abs=6e-4)


def modularity_of_labels(values, labels, k=3):
    """Brute force: cosine, k neighbours, A = (D + D^T)/2, Newman's double sum."""
    values = values.astype(np.float64)
    values /= np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-8)
    similarity = values @ values.T
    np.fill_diagonal(similarity, -np.inf)
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    directed = np.zeros_like(similarity)
    rows = np.arange(len(values))[:, None]
    directed[rows, nearest] = np.maximum(similarity[rows, nearest], 0)
    weights = (directed + directed.T) / 2
    strength = weights.sum(axis=1)
    same = labels[:, None] == labels[None, :]
    expected = np.outer(strength, strength) / strength.sum()
    return ((weights - expected) * same).sum() / strength.sum()


@needs_data
@pytest.mark.data
@pytest.mark.slow
def test_the_curve_of_the_authors_code():
    pixels, labels = exact_images()
    net = load_model("resnet20", weights=DATA / "weights" / "resnet20-12fca82f.th")
    x = normalized(pixels[:500], IMAGENET)
    layers = resolve_layers(net, "reference", x)
    with capture(net, layers) as captured:
        net(x)
    curve = [
        modularity_of_labels(captured.outputs[layer.name].numpy(), labels[:500]) for layer in layers
    ]
    # Lu et al.'s released code on the same weights and images.
    expected = [
        0.110718, 0.045985, -0.007503, 0.167513, 0.206003,
        0.221380, 0.261649, 0.413273, 0.503630, 0.789470,
    ]  # fmt: skip
    assert curve == pytest.approx(expected, abs=1e-5)
